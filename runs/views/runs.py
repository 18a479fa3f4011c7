"""The list of investigations, and starting a new one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from runs.forms import NewRunForm
from runs.models import Run, Step
from runs.permissions import may
from runs.presentation.examples import examples_for
from runs.presentation.run_list import TABS, Filters, newer_than, page_of, strip_of
from runs.services.actors import Actor
from runs.services.errors import Refused
from runs.services.runs import create_run
from runs.services.teams import home_team
from runs.sources import chosen_sources, configured_sources
from runs.views.asking import asker

RUNS_LOOKED_AT = 20  # the newest ones, to say how old each source's newest row was


@login_required
@require_safe
def run_list(request: HttpRequest) -> HttpResponse:
    """Tabs and filters live in the URL; a constant number of queries."""
    now = timezone.now()
    strip = strip_of(asker(request), now)
    filters = Filters.of(request.GET, default_tab="needs" if strip.needs else "all")
    page = page_of(asker(request), filters)
    context = {
        "strip": strip, "filters": filters, "page": page, "now": now, "tabs": TABS,
        "counts": {"needs": strip.needs, "running": strip.running},
        "next_url": filters.url(before=page.next_before) if page.next_before else "",
        "newest": page.runs[0].pk if page.runs else 0,
        "sources": configured_sources(), "offers_sub_runs": settings.SUB_RUNS,
    }  # fmt: skip
    return render(request, "runs/list.html", context)


@login_required
@require_safe
def run_count_newer(request: HttpRequest) -> JsonResponse:
    """How many rows came after `after` under the same filters; the list asks, and shows "3 new"."""
    after = request.GET.get("after", "")
    newest = int(after) if after.isdecimal() and len(after) < 18 else 0
    return JsonResponse({"new": newer_than(asker(request), Filters.of(request.GET, default_tab="all"), newest)})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def run_new(request: HttpRequest) -> HttpResponse:
    """One field, the sources as chips, three examples. A refusal is shown in words beside the field."""
    sources = configured_sources()
    names = [source["name"] for source in sources]
    form = NewRunForm(request.POST or None, sources=sources, initial={"goal": request.GET.get("goal", "")[:4_000]})
    refusal = ""
    if request.method == "POST" and form.is_valid():
        try:
            return redirect("run", _start(request, form).pk)
        except Refused as error:
            refusal = str(error)
    context = {
        "form": form, "refusal": refusal, "examples": examples_for(request.user),
        "now": timezone.now(),
        "chips": _chips(names, form)
    }  # fmt: skip
    return render(request, "runs/new.html", context, status=400 if request.method == "POST" else 200)


def _start(request: HttpRequest, form: NewRunForm) -> Run:
    team = home_team(asker(request))
    if not (verdict := may(request.user, "start", team)):
        raise Refused("not_allowed", verdict.why, 403)
    wanted = form.cleaned_data
    return create_run(
        goal=wanted["goal"], team=team, actor=Actor.person(asker(request)), origin="web",
        sources=chosen_sources(wanted["sources"]),
    ).run  # fmt: skip


def _chips(names: list[str], form: NewRunForm) -> list[dict[str, Any]]:
    """Each source with whether it is ticked and the age of its newest row when it was last read."""
    ticked = form["sources"].value() or [] if form.is_bound else names
    freshest: dict[str, datetime] = {}
    runs = list(Run.objects.order_by("-id").values_list("pk", flat=True)[:RUNS_LOOKED_AT])
    for step in Step.objects.filter(run__in=runs, name="begin"):
        for state in step.payload.get("sources", []):
            if state.get("newest"):
                name, newest = state["name"], datetime.fromisoformat(state["newest"])
                freshest[name] = max(newest, freshest.get(name, newest))
    return [{"name": name, "is_ticked": name in ticked, "freshness": freshest.get(name)} for name in names]
