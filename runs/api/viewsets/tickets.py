"""Tickets that runs have made. Read only: closing one is the tracker's work."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework import mixins

from runs.api.serializers.tickets import TicketRow
from runs.api.viewsets.doors import Door
from runs.models import Ticket


class TicketViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """Incident tickets."""

    noun = "ticket"
    queryset = Ticket.objects.all()
    serializer_class = TicketRow
    filterset_fields = ["state", "service", "severity"]
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Ticket]:
        return Ticket.objects.visible_to(self.request.user)
