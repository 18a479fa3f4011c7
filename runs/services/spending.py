"""Money of the day: reserved before a model call, settled after it. A cap holds however many runs ask at once."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from runs.models import Spending


def reserve(micro_usd: int) -> bool:
    """Set money aside for one call; False when the day's cap does not allow it. One conditional UPDATE."""
    room = settings.DAILY_MICRO_USD - micro_usd
    Spending.objects.get_or_create(day=_today())
    return bool(
        Spending.objects.filter(day=_today(), reserved_micro_usd__lte=room - F("spent_micro_usd")).update(
            reserved_micro_usd=F("reserved_micro_usd") + micro_usd
        )
    )


def settle(reserved: int, spent: int) -> None:
    """Turn a reservation into what was really spent. A call whose cost is not known is settled at its reservation."""
    Spending.objects.get_or_create(day=_today())
    row = Spending.objects.filter(day=_today())
    if row.filter(reserved_micro_usd__gte=reserved).update(
        reserved_micro_usd=F("reserved_micro_usd") - reserved, spent_micro_usd=F("spent_micro_usd") + spent
    ):
        return
    # Reserved before midnight, settled after it: yesterday's reservation ends with its day.
    row.update(spent_micro_usd=F("spent_micro_usd") + spent)


def spent_today() -> int:
    """Micro-USD spent or set aside since midnight UTC."""
    row = Spending.objects.filter(day=_today()).first()
    return row.spent_micro_usd + row.reserved_micro_usd if row else 0


def _today() -> date:
    return timezone.now().date()
