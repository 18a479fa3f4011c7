"""The audit browser: every Step of the person's teams, its filters in the URL, and whether the chains hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from runs.admin.audit_export import csv_head, csv_lines, json_lines, written
from runs.admin.audit_words import audit_row
from runs.audit import verify_chain
from runs.models import Run, Step
from runs.states import StepKind

PAGE_SIZE = 50
NOT_PEOPLE = ("driver", "system")
PAYLOAD_SHOWN = 4_000  # characters of one folded payload; the export has the rest
LARGEST_ID = 2**63 - 1
FORMATS = {
    "jsonl": ("application/x-ndjson", "", json_lines),
    "csv": ("text/csv; charset=utf-8", csv_head(), csv_lines),
}


class AuditFilter(forms.Form):
    """What to show. Half-open in time: `since` is included, `until` is not."""

    actor = forms.CharField(required=False, max_length=150)
    kind = forms.ChoiceField(required=False, choices=[("", "Everything"), *StepKind.choices])
    run = forms.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    since = forms.DateTimeField(required=False)
    until = forms.DateTimeField(required=False)
    before = forms.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)  # the page's place, a Step's id

    def steps(self, user: Any) -> QuerySet[Step]:
        """Newest first. The place is an id, not a time: SQLite keeps fewer digits of a time than it is asked with."""
        wanted = self.cleaned_data if self.is_valid() else {}
        steps = Step.objects.select_related("run").order_by("-id")
        if not user.is_superuser:
            # Asked row by row from the newest on: as a list of runs it makes SQLite sort all of their steps.
            steps = steps.filter(Exists(Run.objects.visible_to(user).filter(pk=OuterRef("run_id"))))
        if actor := wanted.get("actor"):
            steps = steps.filter(actor=actor if ":" in actor or actor in NOT_PEOPLE else f"user:{actor}")
        for name, lookup in _LOOKUPS.items():
            if wanted.get(name):
                steps = steps.filter(**{lookup: wanted[name]})
        return steps

    def query(self, **more: object) -> str:
        """The filter as a URL's query, without the place."""
        given = {name: self.data.get(name, "") for name in self.fields if name != "before"}
        return urlencode({name: value for name, value in {**given, **more}.items() if value})


_LOOKUPS = {"kind": "kind", "run": "run_id", "since": "at__gte", "until": "at__lt", "before": "id__lt"}


@dataclass(frozen=True, slots=True)
class ChainState:
    """What verifying found: whole chains, their steps, and the first damage of each that is not."""

    whole: int
    steps: int
    damages: list[str]


@require_safe
def audit_page(request: HttpRequest, chrome: dict[str, Any]) -> HttpResponse:
    """A page by its place, never by an offset, and without counting the table."""
    wanted = AuditFilter(request.GET)
    found = list(wanted.steps(request.user)[: PAGE_SIZE + 1])
    steps = found[:PAGE_SIZE]
    asked = "verify" in request.GET or bool(wanted.cleaned_data.get("run"))
    context = {
        **chrome,
        "title": "Audit",
        "filter": wanted,
        "rows": [audit_row(step) for step in steps],
        "chains": verified({step.run_id for step in steps}) if asked else None,
        "verify_query": wanted.query(verify=1, before=request.GET.get("before")),
        "older_query": wanted.query(before=steps[-1].pk) if len(found) > PAGE_SIZE else "",
        "export_query": wanted.query(),
        "payload_shown": PAYLOAD_SHOWN,
        "payload_slice": f":{PAYLOAD_SHOWN}",
    }
    return render(request, "admin/audit.html", context, status=400 if wanted.errors else 200)


def verified(run_ids: Iterable[int]) -> ChainState:
    """Walk the chains of these runs from their first step to their head."""
    whole, steps, damages = 0, 0, []
    for run in Run.objects.filter(pk__in=run_ids).only("n_steps", "head_mac"):
        damage = verify_chain(run.pk, run.n_steps, run.head_mac, run.steps.order_by("seq").iterator(chunk_size=500))
        if damage is None:
            whole, steps = whole + 1, steps + run.n_steps
        else:
            damages.append(str(damage))
    return ChainState(whole, steps, damages)


@require_safe
def export(request: HttpRequest, chrome: dict[str, Any], kind: str) -> HttpResponseBase:
    """What the filter shows, all of it, as a file."""
    wanted = AuditFilter(request.GET)
    if kind not in FORMATS or not wanted.is_valid():
        raise Http404("No such export.")
    content_type, head, render_rows = FORMATS[kind]
    name = f"opspilot-audit-{timezone.now():%Y%m%dT%H%M%SZ}.{kind}"
    return StreamingHttpResponse(
        written(wanted.steps(request.user), head, render_rows),
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"},
    )
