"""One run: its page, the parts that change while it runs, and what a person may do to it."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runs.forms import WordsForm
from runs.models import Run
from runs.permissions import Verb, may
from runs.presentation.run_page import RunPage
from runs.services import runs as services
from runs.services.actors import Actor
from runs.services.errors import Refused
from runs.views.asking import asker


def visible_run(request: HttpRequest, pk: int) -> Run:
    """The run, or 404: what is not yours looks like what does not exist."""
    run: Run | None = Run.objects.visible_to(request.user).select_related("team", "starter").filter(pk=pk).first()
    if run is None:
        raise Http404("No such run, or you may not see it.")
    return run


@login_required
@require_safe
def run_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The whole page, complete without JavaScript."""
    run = visible_run(request, pk)
    return render(request, "runs/page.html", {"run": run, "page": RunPage(run, request.user, timezone.now())})


@login_required
@require_safe
def run_top(request: HttpRequest, pk: int) -> HttpResponse:
    """The parts of the page that change while it runs, by the page's own partials; the script swaps them in."""
    run = visible_run(request, pk)
    response = render(request, "runs/_parts.html", {"run": run, "page": RunPage(run, request.user, timezone.now())})
    response["Cache-Control"] = "no-store"
    return response


Steer = Callable[[int, Actor, str], Run]


@login_required
@require_POST
def run_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    return _steered(request, pk, "cancel", services.cancel_run, "Cancelled. What it found stays below.")


@login_required
@require_POST
def run_start(request: HttpRequest, pk: int) -> HttpResponse:
    def start(run_id: int, actor: Actor, words: str) -> Run:
        return services.start_run(run_id, actor)

    return _steered(request, pk, "hold", start, "Started.")


@login_required
@require_POST
def run_hold(request: HttpRequest, pk: int) -> HttpResponse:
    return _steered(
        request, pk, "hold", services.hold_run, "Held: it stops at its next step until somebody releases it."
    )


@login_required
@require_POST
def run_release(request: HttpRequest, pk: int) -> HttpResponse:
    def release(run_id: int, actor: Actor, words: str) -> Run:
        return services.release_hold(run_id, actor)

    return _steered(request, pk, "hold", release, "Released: it goes on where it stood.")


@login_required
@require_POST
def run_note(request: HttpRequest, pk: int) -> HttpResponse:
    return _steered(request, pk, "note", services.add_note, "Noted. The investigation reads it at its next plan.")


@login_required
@require_POST
def run_ask(request: HttpRequest, pk: int) -> HttpResponse:
    """A further question about an ended run; its answer stands on that run's page too."""
    run = visible_run(request, pk)
    if not (verdict := may(request.user, "start", run.team)):
        return render(request, "403.html", {"exception": verdict.why}, status=403)
    form = WordsForm(request.POST)
    try:
        if not form.is_valid():
            raise Refused("too_long", f"At most {services.GOAL_LIMIT:,} characters fit.", 400)
        asked = services.ask_further(run.pk, Actor.person(asker(request)), form.cleaned_data["words"])
    except Refused as error:
        messages.error(request, str(error))
        return redirect("run", run.pk)
    return redirect("run", asked.pk)


def _steered(request: HttpRequest, pk: int, verb: Verb, steer: Steer, done: str) -> HttpResponse:
    """Ask permission, do it, say what happened on the run's page."""
    run = visible_run(request, pk)
    if not (verdict := may(request.user, verb, run)):
        return render(request, "403.html", {"exception": verdict.why}, status=403)
    form = WordsForm(request.POST)
    try:
        if not form.is_valid():
            raise Refused("too_long", f"At most {services.GOAL_LIMIT:,} characters fit.", 400)
        steer(run.pk, Actor.person(asker(request)), form.cleaned_data["words"])
        messages.success(request, done)
    except Refused as error:
        messages.error(request, str(error))
    return redirect("run", run.pk)
