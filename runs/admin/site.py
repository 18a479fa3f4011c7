"""The admin site of OpsPilot: who may enter, its own pages, and what it lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils import timezone

from runs.admin import audit, policy, queue, record, rules, stop
from runs.admin.entry import enters
from runs.admin.recorded import RecordedPeople
from runs.presentation.inbox import inbox_of
from runs.views.asking import asker

View = Callable[..., HttpResponseBase]


class OpsPilotAdminSite(admin.AdminSite):
    site_header = "OpsPilot"
    site_title = "OpsPilot"
    index_title = "Admin"
    index_template = "admin/index.html"
    enable_nav_sidebar = False

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        for model, model_admin in {**record.ADMINS, **rules.ADMINS}.items():
            super().register(model, model_admin)

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Of what other apps offer, only users: the queue's dashboard would give every approver buttons that delete."""
        if model_or_iterable in (User, [User], (User,)):
            people = type("PeopleAdmin", (RecordedPeople, admin_class), {})
            super().register(model_or_iterable, people, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        return enters(request)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one log-in page. Who is logged in and may not enter is told so, not asked to log in again."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.GET.get("next", "/admin/"))
        raise PermissionDenied("The admin is open to approvers and administrators; an administrator can make you one.")

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        inbox = inbox_of(asker(request), timezone.now())
        return super().index(request, {"inbox": inbox, **(extra_context or {})})

    def get_urls(self) -> list[URLResolver | URLPattern]:
        return [
            path("approvals/", self._own(queue.queue_page), name="approvals"),
            path("approvals/confirm", self._own(queue.confirm_page), name="approvals_confirm"),
            path("approvals/decide", self._own(queue.decide_many), name="approvals_decide"),
            path("audit/", self._own(audit.audit_page), name="audit"),
            path("audit/export.<str:kind>", self._own(audit.export), name="audit_export"),
            path("policy/", self._own(policy.policy_page), name="policy"),
            path("policy/move", self._own(policy.move), name="policy_move"),
            path("stop/", self._own(stop.stop_page), name="stop"),
            *super().get_urls(),
        ]

    def _own(self, view: View) -> View:
        """A page of ours behind the site's door: log-in, permission, CSRF, never cached."""

        def page(request: HttpRequest, **captured: Any) -> HttpResponseBase:
            return view(request, {"title": "", **self.each_context(request)}, **captured)

        return self.admin_view(page)
