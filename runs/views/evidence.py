"""One Evidence: query, source, range and rows, with the bytes that a claim quotes marked."""

from __future__ import annotations

import json

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runs.models.evidence import find_evidence
from runs.native import ask_again, native_queries
from runs.presentation.exhibit import exhibit_of
from runs.presentation.report_text import asked_range
from runs.sources import configured_sources
from runs.views.run import visible_run

CITED_LIMIT = 2_000  # a claim's quote is no longer


@login_required
@require_safe
def evidence_page(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """`quote`, or `figure` and `at`, mark what a claim cites. With `part` only the inside, for opening in place."""
    run = visible_run(request, pk)
    evidence = find_evidence(run.pk, name)
    if evidence is None:
        raise Http404(f"Run {run.pk} has no evidence {name}.")
    quote, figure, at = (request.GET.get(key, "")[:CITED_LIMIT] for key in ("quote", "figure", "at"))
    configured = {source["name"] for source in configured_sources()}
    asked = {name: value for name, value in evidence.query.items() if name != "native"}
    context = {
        "run": run, "evidence": evidence, "quote": quote, "figure": figure, "at": at,
        "exhibit": exhibit_of(evidence, quote, figure, at), "range": asked_range(run, evidence),
        "query": json.dumps(asked, indent=2, ensure_ascii=False, sort_keys=True),
        "native": native_queries(evidence.query), "command": ask_again(evidence, configured),
    }  # fmt: skip
    return render(request, "runs/_evidence.html" if "part" in request.GET else "runs/evidence.html", context)
