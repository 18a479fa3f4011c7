"""The audit browser: the Steps of the person's teams, to superusers the installation's events; and whether it holds."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runs.audit.chain import INSTALLATION, Damage
from runs.audit.export import csv_head, csv_lines, json_lines, written
from runs.audit.verification import verify_installation, verify_run
from runs.audit.wording import audit_row
from runs.models import AuditEvent, Run, Step
from runs.services.actors import Actor
from runs.services.events import record_event
from runs.states import StepKind
from runs.views.asking import asker

PAGE_SIZE = 50
NOT_PEOPLE = ("driver", "system", "anonymous")
INSTALLATION_ONLY = "installation"  # as a kind: what belongs to no run
PLACE = ("before", "before_event")
PAYLOAD_SHOWN = 4_000  # characters of one folded payload; the export has the rest
LARGEST_ID = 2**63 - 1
FORMATS = {
    "jsonl": ("application/x-ndjson", "", json_lines),
    "csv": ("text/csv; charset=utf-8", csv_head(), csv_lines),
}


class AuditFilter(forms.Form):
    """What to show. Half-open in time: `since` is included, `until` is not."""

    actor = forms.CharField(required=False, max_length=150)
    kind = forms.ChoiceField(
        required=False, choices=[("", "Everything"), (INSTALLATION_ONLY, "Installation"), *StepKind.choices]
    )
    run = forms.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    since = forms.DateTimeField(required=False)
    until = forms.DateTimeField(required=False)
    # The page's place: a Step's id, an event's seq. Not a time: SQLite keeps fewer digits of one than it is asked with.
    before = forms.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    before_event = forms.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)

    def sources(self, user: Any) -> tuple[QuerySet[Step], QuerySet[AuditEvent]]:
        return self.steps(user), self.events(user)

    def page(self, user: Any) -> list[Step | AuditEvent]:
        """The newest rows of both before the place, and one more where there is one. Two queries."""
        steps, events = (rows[: PAGE_SIZE + 1] for rows in self.sources(user))
        return list(islice(heapq.merge(steps, events, key=attrgetter("at"), reverse=True), PAGE_SIZE + 1))

    def steps(self, user: Any) -> QuerySet[Step]:
        """Newest first."""
        wanted = self.cleaned_data if self.is_valid() else {}
        steps = Step.objects.select_related("run").order_by("-id")
        if wanted.get("kind") == INSTALLATION_ONLY:
            return steps.none()
        if not user.is_superuser:
            # Asked row by row from the newest on: as a list of runs it makes SQLite sort all of their steps.
            steps = steps.filter(Exists(Run.objects.visible_to(user).filter(pk=OuterRef("run_id"))))
        return steps.filter(**_conditions(wanted, _STEP_LOOKUPS))

    def events(self, user: Any) -> QuerySet[AuditEvent]:
        """Newest first. They tell of every team, so that superusers alone see them."""
        wanted = self.cleaned_data if self.is_valid() else {}
        events = AuditEvent.objects.order_by("-seq")
        if not user.is_superuser or wanted.get("run") or wanted.get("kind") not in ("", None, INSTALLATION_ONLY):
            return events.none()
        return events.filter(**_conditions(wanted, _EVENT_LOOKUPS))

    def place_after(self, rows: Sequence[Step | AuditEvent]) -> dict[str, object]:
        """Where the next page begins: after the last row of each kind, or where this page began."""
        steps = [row.pk for row in rows if isinstance(row, Step)]
        events = [row.seq for row in rows if isinstance(row, AuditEvent)]
        before, before_event = self.cleaned_data.get("before"), self.cleaned_data.get("before_event")
        return {"before": min(steps, default=before), "before_event": min(events, default=before_event)}

    def query(self, **more: object) -> str:
        """The filter as a URL's query, without the place."""
        given = {name: self.data.get(name, "") for name in self.fields if name not in PLACE}
        return urlencode({name: value for name, value in {**given, **more}.items() if value})


_STEP_LOOKUPS = {
    "kind": "kind", "run": "run_id", "since": "at__gte", "until": "at__lt", "before": "id__lt", "actor": "actor",
}  # fmt: skip
_EVENT_LOOKUPS = {"since": "at__gte", "until": "at__lt", "before_event": "seq__lt", "actor": "actor"}


def _conditions(wanted: Mapping[str, Any], lookups: Mapping[str, str]) -> dict[str, Any]:
    found = {lookup: wanted[name] for name, lookup in lookups.items() if wanted.get(name)}
    if (actor := found.get("actor")) and ":" not in actor and actor not in NOT_PEOPLE:
        found["actor"] = f"user:{actor}"
    return found


@dataclass(frozen=True, slots=True)
class ChainState:
    """What verifying found: whole chains, their rows, and the first damage of each that is not."""

    whole: int
    rows: int
    damages: list[str]


@require_safe
def audit_page(request: HttpRequest, chrome: dict[str, Any]) -> HttpResponse:
    """A page by its place, never by an offset, and without counting the table."""
    wanted = AuditFilter(request.GET)
    found = wanted.page(request.user)
    rows = found[:PAGE_SIZE]
    asked = "verify" in request.GET or bool(wanted.cleaned_data.get("run"))
    place = {name: request.GET.get(name) for name in PLACE}
    context = {
        **chrome,
        "title": "Audit",
        "filter": wanted,
        "rows": [audit_row(row) for row in rows],
        "chains": verified(rows) if asked else None,
        "place": any(place.values()),
        "verify_query": wanted.query(verify=1, **place),
        "older_query": wanted.query(**wanted.place_after(rows)) if len(found) > PAGE_SIZE else "",
        "export_query": wanted.query(),
        "payload_shown": PAYLOAD_SHOWN,
        "payload_slice": f":{PAYLOAD_SHOWN}",
    }
    return render(request, "admin/audit.html", context, status=400 if wanted.errors else 200)


def verified(rows: Sequence[Step | AuditEvent]) -> ChainState:
    """Walk the chains of these rows from their first row to their head."""
    runs = Run.objects.filter(pk__in={row.run_id for row in rows if isinstance(row, Step)})
    lengths = dict(runs.values_list("pk", "n_steps"))
    if any(isinstance(row, AuditEvent) for row in rows):
        lengths[INSTALLATION] = AuditEvent.objects.count()
    damages = {chain: damage for chain in lengths if (damage := _damage(chain))}
    whole = [length for chain, length in lengths.items() if chain not in damages]
    return ChainState(len(whole), sum(whole), [str(damage) for damage in damages.values()])


def _damage(chain: int) -> Damage | None:
    return verify_installation() if chain == INSTALLATION else verify_run(chain)


@require_POST
def export(request: HttpRequest, chrome: dict[str, Any], kind: str) -> HttpResponseBase:
    """What the filter shows, all of it, as a file. That it was taken is on record before its first line leaves."""
    wanted = AuditFilter(request.GET)
    if kind not in FORMATS or not wanted.is_valid():
        raise Http404("No such export.")
    content_type, head, render_rows = FORMATS[kind]
    record_event("audit_export", actor=Actor.person(asker(request)), object=wanted.query() or "everything", format=kind)
    name = f"opspilot-audit-{timezone.now():%Y%m%dT%H%M%SZ}.{kind}"
    return StreamingHttpResponse(
        written(wanted.sources(request.user), head, render_rows),
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"},
    )
