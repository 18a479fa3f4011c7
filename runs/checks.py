"""System checks: the two dotted settings lead somewhere, and lease, heartbeat and reconciler fit each other."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def dotted_settings_lead_somewhere(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    module, _, function = settings.OPSPILOT_DRIVER.rpartition(".")
    if find_spec(module) is None or not hasattr(import_module(module), function):
        problems.append(Error(f"OPSPILOT_DRIVER={settings.OPSPILOT_DRIVER!r} leads nowhere.", id="runs.E001"))
    if find_spec(settings.OPSPILOT_TOOLBOX) is None:
        problems.append(Error(f"OPSPILOT_TOOLBOX={settings.OPSPILOT_TOOLBOX!r} leads nowhere.", id="runs.E002"))
    return problems


@register()
def lease_outlives_its_heartbeat(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if settings.HEARTBEAT_S * 2 < settings.LEASE_S:
        return []
    hint = "A lease must survive one lost heartbeat: set OPSPILOT_LEASE_S above twice OPSPILOT_HEARTBEAT_S."
    return [Error("The lease is too short for its heartbeat.", hint=hint, id="runs.E003")]
