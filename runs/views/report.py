"""A run's report to take away: one HTML file, Markdown and JSON."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from runs.presentation.one_file import report_file
from runs.presentation.report_text import report_markdown
from runs.presentation.run_page import RunPage
from runs.views.run import visible_run


@login_required
@require_safe
def report_as_markdown(request: HttpRequest, pk: int) -> HttpResponse:
    run = visible_run(request, pk)
    # text/plain: a browser shows it and runs nothing in it, whatever a log line says.
    response = HttpResponse(report_markdown(run), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'inline; filename="opspilot-run-{run.pk}.md"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@login_required
@require_safe
def report_as_file(request: HttpRequest, pk: int) -> HttpResponse:
    """The page as one file with its picture. It is only ever saved: opened here, it would speak for this site."""
    run = visible_run(request, pk)
    page = RunPage(run, request.user, timezone.now())
    response = HttpResponse(report_file(run, page, request.build_absolute_uri("/")))
    response["Content-Disposition"] = f'attachment; filename="opspilot-run-{run.pk}.html"'
    return response


@login_required
@require_safe
def report_as_json(request: HttpRequest, pk: int) -> JsonResponse:
    run = visible_run(request, pk)
    shown = {"run_id": run.pk, "goal": run.goal, "state": run.state, "outcome": run.outcome, "report": run.report}
    return JsonResponse(shown, json_dumps_params={"indent": 2, "ensure_ascii": False})
