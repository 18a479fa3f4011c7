"""The record as the admin lists it: to look at, never to change. Writing it is the services' work alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from runs.admin.entry import enters
from runs.models import Approval, Evidence, Run, Step, Ticket, ToolCall, Vote


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """A table of the record, narrowed to the person's teams by `run_path`, the way from a row to its run."""

    run_path = "run"
    show_full_result_count = False  # a second count(*) over a table that only grows
    list_per_page = 50
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return enters(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return enters(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.filter(**{f"{self.run_path}__in": Run.objects.visible_to(request.user)})


class RunAdmin(ReadOnlyAdmin):
    run_path = "pk"
    list_display = ["id", "goal", "state", "outcome", "service", "started_by", "created_at"]
    list_filter = ["state", "outcome", "origin"]
    search_fields = ["goal", "service", "started_by"]
    list_select_related = ["team"]


class StepAdmin(ReadOnlyAdmin):
    list_display = ["run_id", "seq", "kind", "name", "before", "after", "actor", "at"]
    list_filter = ["kind"]
    search_fields = ["=run__id", "actor"]
    ordering = ["-id"]


class ToolCallAdmin(ReadOnlyAdmin):
    list_display = ["id", "run_id", "tool", "risk", "status", "summary", "started_at"]
    list_filter = ["status", "risk", "tool"]
    search_fields = ["=run__id", "key"]
    ordering = ["-id"]


class EvidenceAdmin(ReadOnlyAdmin):
    list_display = ["name", "run_id", "status", "source", "summary", "size", "freshness"]
    list_filter = ["status"]
    search_fields = ["=run__id"]
    exclude = ["body"]
    ordering = ["-id"]


class ApprovalAdmin(ReadOnlyAdmin):
    list_display = ["id", "run_id", "tool", "risk", "state", "requested_by", "decided_by", "asked_at", "expires_at"]
    list_filter = ["state", "risk", "tool"]
    search_fields = ["=run__id", "requested_by", "decided_by"]
    ordering = ["-id"]


class VoteAdmin(ReadOnlyAdmin):
    run_path = "approval__run"
    list_display = ["approval_id", "user", "approve", "reason", "door", "at"]
    list_filter = ["approve", "door"]
    list_select_related = ["user"]
    ordering = ["-id"]


class TicketAdmin(ReadOnlyAdmin):
    list_display = ["name", "title", "service", "severity", "state", "run_id", "created_at"]
    list_filter = ["state", "severity"]
    search_fields = ["title", "service"]
    ordering = ["-id"]


ADMINS: dict[type[Model], type[ReadOnlyAdmin]] = {
    Run: RunAdmin,
    Step: StepAdmin,
    ToolCall: ToolCallAdmin,
    Evidence: EvidenceAdmin,
    Approval: ApprovalAdmin,
    Vote: VoteAdmin,
    Ticket: TicketAdmin,
}
