"""Where the link of a notification leads: to the log-in if need be, then to the request's page. It decides nothing."""

from __future__ import annotations

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from runs.links import LinkExpired, read_link


@require_safe
@never_cache
def approval_link(request: HttpRequest, word: str) -> HttpResponse:
    """The page itself asks again who may see and vote; the link grants neither."""
    try:
        opened = read_link(word)
    except LinkExpired:
        return render(request, "approvals/link_expired.html", status=410)
    if opened is None:
        raise Http404("No such link.")
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    if request.user.pk != opened.user_id:
        raise PermissionDenied("This link was sent to somebody else. Log in as the person it was sent to.")
    return redirect("approval", pk=opened.approval_id)  # to its top: who comes from a mail has read nothing yet
