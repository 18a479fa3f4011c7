"""The settings that decide what this installation does, without their secrets: what a start compares with the last."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from runs.notify.targets import configured_targets

NAMES = (
    "DEBUG", "PUBLIC_URL", "ALLOWED_HOSTS", "PLANNER", "MODEL", "FALLBACK_MODELS", "BUDGET", "DAILY_MICRO_USD",
    "APPROVAL_TTL_S", "LEASE_S", "HEARTBEAT_S", "RECONCILE_S", "WORKERS", "WORKER_SLOTS", "AUDIT_KEY_ID",
    "SESSION_COOKIE_AGE", "SECURE_PROXY_SSL_HEADER", "TIME_ZONE",
)  # fmt: skip


def effective_settings() -> dict[str, Any]:
    """Names and JSON values. URLs lose user, password and query, where secrets stand."""
    found = {name: getattr(settings, name) for name in NAMES}
    found["AUDIT_HEADS"], found["ANTHROPIC_BASE_URL"] = str(settings.AUDIT_HEADS), _bare(settings.ANTHROPIC_BASE_URL)
    found["DATABASE"] = f"{connection.vendor}://{settings.DATABASES['default'].get('HOST') or 'local'}"
    for kind, urls in settings.SOURCE_URLS.items():
        found[f"SOURCES_{kind.upper()}"] = [f"{name}={_bare(url)}" if name else _bare(url) for name, url in urls]
    found["NOTIFY"] = [target.label for target in configured_targets()]
    return found


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
