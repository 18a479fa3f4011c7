"""What every page knows of the installation: the demo ribbon and whether Claude thinks."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def installation(request: HttpRequest) -> dict[str, Any]:
    return {"demo": settings.DEMO, "planner": settings.PLANNER, "model": settings.MODEL}
