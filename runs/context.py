"""What every page knows of the installation: the demo ribbon, whether Claude thinks, the stop switch."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from runs.services.halt import current_halt


def installation(request: HttpRequest) -> dict[str, Any]:
    # Asked at most once a page, and only by those that show it.
    halt = SimpleLazyObject(current_halt)
    return {"demo": settings.DEMO, "planner": settings.PLANNER, "model": settings.MODEL, "halt": halt}
