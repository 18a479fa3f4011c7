"""Tickets as the API shows them."""

from __future__ import annotations

from rest_framework import serializers

from runs.models import Ticket


class TicketRow(serializers.ModelSerializer[Ticket]):
    name = serializers.CharField(read_only=True)

    class Meta:
        model = Ticket
        fields = [
            "id", "name", "run", "title", "body", "service", "severity", "tracker", "external_id", "url", "state",
            "created_at",
        ]  # fmt: skip
        read_only_fields = fields
