"""The approval queue of the admin: one list, and deciding several requests on one confirm page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runs.models import Approval
from runs.presentation.inbox import inbox_of
from runs.presentation.review import Argument, arguments_of
from runs.services.approvals import decide_approval
from runs.services.errors import Refused
from runs.views.asking import asker

SCREEN = 10  # requests that one person can read on one page


@dataclass(frozen=True, slots=True)
class Chosen:
    """One request on the confirm page, with every argument in full."""

    approval: Approval
    arguments: list[Argument]


@require_safe
def queue_page(request: HttpRequest, chrome: dict[str, Any]) -> HttpResponse:
    """Six queries for the list, however long it is."""
    context = {**chrome, "title": "Approvals", "inbox": inbox_of(asker(request), timezone.now()), "screen": SCREEN}
    return render(request, "admin/approvals.html", context)


@require_safe
def confirm_page(request: HttpRequest, chrome: dict[str, Any]) -> HttpResponse:
    """What was ticked, in full, before anything is decided. Changes nothing."""
    approve = request.GET.get("decision") == "approve"
    chosen = _chosen(asker(request), request.GET.getlist("id"))
    if problem := _problem(chosen, approve):
        messages.warning(request, problem)
        return redirect("admin:approvals")
    rows = [Chosen(approval, arguments_of(approval)) for approval in chosen]
    title = f"{'Approve' if approve else 'Deny'} {len(rows)} request{'' if len(rows) == 1 else 's'}"
    return render(request, "admin/approvals_confirm.html", {**chrome, "title": title, "rows": rows, "approve": approve})


@require_POST
def decide_many(request: HttpRequest, chrome: dict[str, Any]) -> HttpResponse:
    """One vote a request, each bound to the arguments that the confirm page showed. One refusal stops no other."""
    approve, reason = request.POST.get("decision") == "approve", request.POST.get("reason", "")
    chosen = _chosen(asker(request), request.POST.getlist("id"))
    if problem := _problem(chosen, approve):
        messages.warning(request, problem)
        return redirect("admin:approvals")
    decided = [approval for approval in chosen if _decided(request, approval, approve, reason)]
    if decided:
        word = "Approved" if approve else "Denied"
        messages.success(request, f"{word} {len(decided)} of {len(chosen)}.")
    return redirect("admin:approvals")


def _decided(request: HttpRequest, approval: Approval, approve: bool, reason: str) -> bool:
    try:
        decide_approval(
            approval.pk, user=asker(request), approve=approve, reason=reason,
            args_sha256=request.POST.get(f"args_sha256-{approval.pk}", ""), door="admin",
        )  # fmt: skip
    except Refused as refused:
        messages.error(request, f"Request {approval.pk} was not decided. {refused}")
        return False
    return True


def _chosen(user: User, ids: Sequence[str]) -> list[Approval]:
    """The ticked requests that this person may see and that are still open, soonest first."""
    numbers = [int(text) for text in ids[: SCREEN + 1] if text.isdecimal() and len(text) < 18]
    seen = Approval.objects.visible_to(user).pending().filter(pk__in=numbers)
    return list(seen.select_related("run__team", "run__starter", "call").order_by("expires_at", "id"))


def _problem(chosen: Sequence[Approval], approve: bool) -> str:
    """Why these cannot be decided together, in words; empty when they can."""
    if not chosen:
        return "None of the ticked requests is open any more, or none was ticked."
    if len(chosen) > SCREEN:
        return f"Decide at most {SCREEN} requests at once: more than one screen is not read."
    if any(approval.is_question for approval in chosen):
        return "Whether a call did happen is looked up and answered one by one; open the question."
    if approve and any(approval.risk != "write" for approval in chosen):
        return "Only calls of the risk “write” are approved together; open the others one by one."
    if approve and len({approval.tool for approval in chosen}) > 1:
        return "Only calls of one tool are approved together; tick equal ones."
    return ""
