"""The first lines that `up`, `demo` and `investigate` print: what runs here, and how to reach it."""

from __future__ import annotations

import platform
import socket
from pathlib import Path

from django.conf import settings
from django.db import connection

from opspilot_site import __version__


def headline() -> str:
    """`OpsPilot 0.1.0   Python 3.12 · SQLite · Redis (embedded) · offline analyst (no API key set)`"""
    major, minor, _ = platform.python_version_tuple()
    redis = "Redis (embedded)" if settings.EMBEDDED_REDIS else "Redis (REDIS_URL)"
    return f"OpsPilot {__version__}   Python {major}.{minor} · {database_word()} · {redis} · {planner_words()}"


def database_word() -> str:
    return {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(connection.vendor, connection.vendor)


def planner_words() -> str:
    """Who thinks, and why."""
    if settings.PLANNER == "claude":
        return f"Claude ({settings.MODEL})"
    return "offline analyst" + ("" if settings.ANTHROPIC_API_KEY else " (no API key set)")


def forwarding_hint(port: int) -> str:
    """What to type on one's own machine when this one is only reached by SSH."""
    forward = f"ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}"
    return f"Over SSH     on your machine: {forward}   then open the address above"


def short(path: Path) -> str:
    """A path as a person would say it: relative to the checkout where it lies inside."""
    return str(path.relative_to(settings.BASE_DIR)) if path.is_relative_to(settings.BASE_DIR) else str(path)
