"""The approval page: everything that one decision needs, and the POST that makes it."""

from __future__ import annotations

import json
from typing import Any, TypedDict

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST, require_safe

from runs.api.parsers import parse_strictly
from runs.models import Approval
from runs.permissions import enters_admin
from runs.presentation.inbox import inbox_of
from runs.presentation.review import Review, effect_words, review_of
from runs.services.approvals import decide_approval, needs_password
from runs.services.edits import edit_request
from runs.services.errors import Refused
from runs.views.asking import asker
from runs.views.signed_in import has_just_signed_in, signed_in_at, take_password

REASONS = (
    "A ticket for this exists already",
    "The evidence does not carry it",
    "Wrong service or destination",
    "The text needs other words",
    "Not needed, a person is on it",
)


@login_required
@require_safe
def approval_list(request: HttpRequest) -> HttpResponse:
    """What waits for this person and for others. Deciding many at once is the admin's."""
    return render(request, "approvals/list.html", {"inbox": inbox_of(asker(request), timezone.now())})


@login_required
@require_safe
@never_cache
def approval_page(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "approvals/page.html", {**_shown(request, _mine(request, pk))})


@login_required
@require_GET
@never_cache
def approval_part(request: HttpRequest, pk: int) -> HttpResponse:
    """The page's inside for a page that is open; 204 while it would look the same."""
    context = _shown(request, _mine(request, pk))
    if request.GET.get("version") == context["review"].version:
        return HttpResponse(status=204)
    inside = "approvals/_question.html" if context["approval"].is_question else "approvals/_approval.html"
    return render(request, inside, {**context})


@login_required
@require_POST
@sensitive_post_parameters("password")
def approval_decide(request: HttpRequest, pk: int) -> HttpResponse:
    """One vote. Bound to the arguments that the form was made from; refused ones answer with the page as it is now."""
    approval = _mine(request, pk)
    approve = request.POST.get("decision") == "approve"
    try:
        if approve and not approval.is_question:
            _check_target(approval, request.POST.get("target", ""))
        if approve and needs_password(approval) and request.POST.get("password"):
            take_password(request, request.POST["password"])
        decide_approval(
            pk, user=asker(request), approve=approve, reason=_reason(request), signed_in_at=signed_in_at(request),
            args_sha256=request.POST.get("args_sha256", ""), door="web",
        )  # fmt: skip
    except Refused as refused:
        return _refusal(request, pk, refused)
    return redirect("approval", pk=pk)


@login_required
@require_POST
def approval_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Other arguments: leads to the request made of them. What was typed stays on the page when it is refused."""
    approval = _mine(request, pk)
    try:
        args = _typed_arguments(request, approval)
        made = edit_request(pk, user=asker(request), args=args, args_sha256=request.POST.get("args_sha256", ""))
    except Refused as refused:
        return _refusal(request, pk, refused)
    messages.success(request, "You changed the arguments. Other people vote on this new request.")
    return redirect("approval", pk=made.pk)


def _typed_arguments(request: HttpRequest, approval: Approval) -> dict[str, Any]:
    """The form's fields as arguments: text stays text, everything else is typed as JSON. Raises Refused."""
    args: dict[str, Any] = json.loads(approval.args_canonical)
    for name, value in args.items():
        typed = request.POST.get(f"arg-{name}")
        if typed is None:
            continue
        typed = typed.replace("\r\n", "\n")  # a browser sends every line's end as two characters
        try:
            args[name] = typed if isinstance(value, str) else parse_strictly(typed)
        except ValueError as error:
            raise Refused("invalid_arguments", f"{name} is typed as JSON: {error}.", 400) from None
    return args


def _refusal(request: HttpRequest, pk: int, refused: Refused) -> HttpResponse:
    """The page as it is now, with what was refused and why."""
    if refused.status == 404:
        raise Http404(str(refused)) from None
    if not request.user.is_authenticated:
        return redirect_to_login(reverse("approval", args=[pk]))  # too many wrong passwords ended the session
    context = {
        **_shown(request, _mine(request, pk)), "refused": refused, "typed": request.POST.get("reason", ""),
        "typed_args": {name[4:]: text for name, text in request.POST.items() if name.startswith("arg-")},
    }  # fmt: skip
    return render(request, "approvals/page.html", context, status=refused.status)


def _mine(request: HttpRequest, pk: int) -> Approval:
    seen = Approval.objects.visible_to(request.user).select_related(
        "run__team", "run__starter", "call__run__team", "call__ticket", "replaces"
    )
    return get_object_or_404(seen, pk=pk)


class Shown(TypedDict):
    """What the page and its inside are rendered from; `queue` is the route that leads back."""

    approval: Approval
    review: Review
    effect: str
    reasons: tuple[str, ...]
    needs_password: bool
    queue: str


def _shown(request: HttpRequest, approval: Approval) -> Shown:
    return Shown(
        approval=approval,
        review=review_of(approval, asker(request), timezone.now()),
        effect=effect_words(approval),
        reasons=REASONS,
        needs_password=needs_password(approval) and not has_just_signed_in(request),
        queue="admin:approvals" if enters_admin(request.user) else "approval_list",
    )


def _reason(request: HttpRequest) -> str:
    """The ticked reasons and the person's own words, as one text."""
    chosen = [words for words in request.POST.getlist("because") if words in REASONS]
    return ". ".join(filter(None, [*chosen, request.POST.get("reason", "").strip()]))


def _check_target(approval: Approval, typed: str) -> None:
    """A destructive call is approved only by someone who typed where it strikes."""
    target = str(approval.preview.get("destination") or approval.tool)
    if approval.risk == "destructive" and typed.strip() != target:
        raise Refused("target_not_typed", f"Type {target} to approve a call that changes a running system.", 400)
