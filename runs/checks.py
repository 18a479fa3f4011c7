"""System checks: dotted settings lead somewhere, lease and heartbeat fit each other, the record is append-only."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connections

from runs.audit.append_only import missing
from runs.models import Step


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


@register(Tags.database)
def the_record_is_append_only(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Only where a database is asked after: `doctor`, `migrate`, and before `up` and `prepare` start anything."""
    return [problem for alias in databases or () for problem in _append_only(alias)]


def _append_only(alias: str) -> list[CheckMessage]:
    try:
        if Step._meta.db_table not in connections[alias].introspection.table_names():
            return []
        names = missing(connections[alias])
    except DatabaseError:
        return []  # a database that does not answer is said elsewhere
    if not names:
        return []
    hint = "Look at what happened with ./opspilot audit verify; ./opspilot migrate puts them back."
    return [
        Error(f"Triggers that keep the record append-only are gone: {', '.join(names)}.", hint=hint, id="runs.E004")
    ]
