"""Tools as the API shows them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class ToolRow(serializers.Serializer[Any]):
    """One thing the agent can do to the outside world."""

    name = serializers.CharField()
    summary = serializers.CharField()
    risk = serializers.CharField(help_text="read, read_egress, write or destructive.")
    timeout_s = serializers.FloatField()
    needs = serializers.ListField(child=serializers.CharField(), help_text="Source kinds it cannot work without.")
    schema = serializers.DictField(help_text="JSON Schema of its arguments.")
