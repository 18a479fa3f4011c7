"""The stop switch's page: who stopped everything and why, and the form that sets or releases it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from runs.models import Run
from runs.permissions import may_halt
from runs.services.actors import Actor
from runs.services.errors import Refused
from runs.services.halt import go_on, halt_all
from runs.states import ACTIVE
from runs.views.asking import asker


@require_http_methods(["GET", "HEAD", "POST"])
def stop_page(request: HttpRequest, chrome: dict[str, Any]) -> HttpResponse:
    """Everybody who enters the admin may read it; the POST asks again who may turn the switch."""
    verdict = may_halt(request.user)
    if request.method == "POST":
        if not verdict:
            raise PermissionDenied(verdict.why)
        _turn(request)
        return redirect("admin:stop")
    active = Run.objects.visible_to(request.user).filter(state__in=ACTIVE).count()
    return render(request, "admin/stop.html", {**chrome, "title": "Stop switch", "verdict": verdict, "active": active})


def _turn(request: HttpRequest) -> None:
    actor = Actor.person(asker(request))
    try:
        if request.POST.get("turn") == "release":
            go_on(actor)
            messages.success(request, "Runs go on; those that were waiting are found within seconds.")
        else:
            halt_all(actor, request.POST.get("reason", ""))
            messages.success(request, "Everything stops at its next step.")
    except Refused as refused:
        messages.error(request, str(refused))
