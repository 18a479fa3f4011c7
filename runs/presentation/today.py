"""The money of the day, as one person may know it: no sum says more than the runs that they may see."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import F, Sum
from django.utils import timezone

from runs.models import Run
from runs.services.spending import spent_today


@dataclass(frozen=True, slots=True)
class Today:
    """Micro-USD spent or set aside since midnight UTC, and what the installation may spend a day."""

    spent: int
    cap: int
    whose: str


def today_of(user: User | AnonymousUser) -> Today:
    """A superuser sees what the installation spent; everybody else what today's runs of their teams did. One query."""
    if getattr(user, "is_superuser", False):
        return Today(spent_today(), settings.DAILY_MICRO_USD, "all runs")
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    begun = Run.objects.visible_to(user).filter(created_at__gte=midnight)
    spent = begun.aggregate(sum=Sum(F("cost_micro_usd") + F("reserved_micro_usd")))["sum"] or 0
    return Today(spent, settings.DAILY_MICRO_USD, "your teams' runs")
