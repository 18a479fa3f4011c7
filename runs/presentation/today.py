"""The money of the day, as one person may know it: no sum says more than the runs that they may see."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from runs.models import Run
from runs.presentation.formats import money
from runs.services.spending import spent_today

UNKNOWN = Q(cost_known=False)


@dataclass(frozen=True, slots=True)
class Today:
    """Micro-USD spent or set aside since midnight UTC, and what the installation may spend a day."""

    spent: int
    cap: int
    whose: str
    is_known: bool = True  # not where a model's price is missing from the table

    @property
    def spent_words(self) -> str:
        return money(self.spent, self.is_known)


def today_of(user: User | AnonymousUser) -> Today:
    """For a superuser what the installation spent; for others what those runs of their teams did that began today."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    begun = Run.objects.visible_to(user).filter(created_at__gte=midnight)
    found = begun.aggregate(
        spent=Sum(F("cost_micro_usd") + F("reserved_micro_usd")), unknown=Count("pk", filter=UNKNOWN)
    )
    is_known = not found["unknown"]
    if getattr(user, "is_superuser", False):
        return Today(spent_today(), settings.DAILY_MICRO_USD, "all runs", is_known)
    return Today(found["spent"] or 0, settings.DAILY_MICRO_USD, "your teams' runs", is_known)
