"""The caller and their teams."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from runs.models import Membership


class MembershipRow(serializers.ModelSerializer[Membership]):
    team = serializers.CharField(source="team.slug", read_only=True)

    class Meta:
        model = Membership
        fields = ["team", "role", "is_service"]
        read_only_fields = fields


class Me(serializers.Serializer[Any]):
    username = serializers.CharField()
    is_superuser = serializers.BooleanField()
    teams = MembershipRow(many=True)
