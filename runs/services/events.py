"""The one place where the installation's chain is written: log-ins, rules, members, tokens, settings, the stop switch.

A service that changes such a thing calls `record_event` inside the transaction of its change. If the event cannot be
written, the exception takes the change with it: nothing is done and not on record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from runs.audit.chain import canonical, digest, event_mac, stamp, storable
from runs.models import AuditEvent, Installation
from runs.services.actors import Actor

SETTINGS = "settings_change"


@transaction.atomic
def record_event(
    verb: str,
    *,
    actor: Actor,
    object: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    **details: Any,
) -> AuditEvent:
    """Append one event, under the lock of the installation's row. Not safe to repeat: each call is one event.

    `before` and `after` are the columns as JSON values, `details` what else belongs to it. Never pass a secret.
    """
    installation = _locked()
    payload = {
        name: value for name, value in {"before": before, "after": after, **details}.items() if value is not None
    }
    body, at = canonical(payload), timezone.now()
    event = AuditEvent(
        seq=installation.n_events + 1, verb=verb, object=storable(object)[:200], actor=actor.name, at=at, body=body,
        payload_sha256=digest(body), key_id=settings.AUDIT_KEY_ID,
    )  # fmt: skip
    event.mac = event_mac(installation.head_mac, vars(event) | {"at": stamp(at)})
    event.save(force_insert=True)
    Installation.objects.filter(pk=1).update(n_events=event.seq, head_mac=event.mac)
    return event


def _locked() -> Installation:
    """The installation's row, which orders the chain. Made here where the first start has not done it yet."""
    found = Installation.objects.select_for_update().filter(pk=1).first()
    return found or Installation.objects.get_or_create(pk=1)[0]


@transaction.atomic
def record_settings(effective: Mapping[str, Any], actor: Actor) -> bool:
    """One event where these settings are not those of the last start, with what differs. Safe to repeat.

    Values are compared as JSON; the event keeps all of them for the next comparison. Never pass a secret.
    """
    _locked()
    now: dict[str, Any] = json.loads(canonical(effective))
    last = AuditEvent.objects.filter(verb=SETTINGS).order_by("-seq").first()
    was: dict[str, Any] = last.payload["all"] if last else {}
    changed = sorted(name for name in {*was, *now} if was.get(name) != now.get(name))
    if not changed:
        return False
    before = {name: was[name] for name in changed if name in was}
    after = {name: now[name] for name in changed if name in now}
    record_event(SETTINGS, actor=actor, object="settings", before=before if last else None, after=after, all=now)
    return True
