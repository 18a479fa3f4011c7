"""Tickets kept here: the list, and one ticket with its text rendered inert."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from runs.models import Ticket
from runs.services.errors import Refused
from runs.services.tickets import set_ticket_state
from runs.views.asking import asker

PAGE_SIZE = 50


@login_required
@require_safe
def ticket_list(request: HttpRequest) -> HttpResponse:
    """Newest first. `q` looks in title and service, `state` narrows; both live in the URL."""
    query, state = request.GET.get("q", "").strip()[:100], request.GET.get("state", "")
    tickets = Ticket.objects.visible_to(request.user).select_related("run")
    if query:
        tickets = tickets.filter(Q(title__icontains=query) | Q(service__icontains=query))
    if state in Ticket.State.values:
        tickets = tickets.filter(state=state)
    page = Paginator(tickets, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "tickets/list.html", {"page": page, "query": query, "state": state})


@login_required
@require_safe
def ticket_page(request: HttpRequest, name: str) -> HttpResponse:
    """`name` is `T-1`, or the name that an outside tracker gave."""
    ticket = get_object_or_404(Ticket.objects.visible_to(request.user).named(name).select_related("run", "call")[:1])
    approval = ticket.call.approvals.order_by("-id").first()
    return render(
        request, "tickets/page.html", {"ticket": ticket, "approval": approval, "comments": ticket.comments.all()}
    )


@login_required
@require_POST
def ticket_state(request: HttpRequest, name: str) -> HttpResponse:
    """Close it, or open it again, and back to its page."""
    ticket = get_object_or_404(Ticket.objects.visible_to(request.user).named(name).select_related("run__team")[:1])
    wanted = Ticket.State.OPEN if request.POST.get("state") == "open" else Ticket.State.CLOSED
    try:
        set_ticket_state(ticket, asker(request), wanted)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("ticket", name=name)
