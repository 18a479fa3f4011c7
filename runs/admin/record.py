"""The record as the admin lists it: to look at, never to change. Writing it is the services' work alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import CharField, Exists, JSONField, Model, OuterRef, Q, QuerySet, TextField
from django.http import HttpRequest
from django.utils.functional import cached_property

from runs.admin.entry import enters
from runs.models import (
    Approval,
    Evidence,
    Notification,
    NotificationTarget,
    Run,
    Step,
    Team,
    Ticket,
    TicketComment,
    ToolCall,
    Vote,
)
from runs.presentation.display import reveal


class RevealedChangeList(ChangeList):
    """A page of rows with their texts as a person must see them, without the columns that no list shows."""

    model_admin: ReadOnlyAdmin

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        return super().get_queryset(request, exclude_parameters).defer(*self.model_admin.heavy)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = [_revealed(row) for row in self.result_list]


def _revealed(row: Any) -> Any:
    """The row in memory with every hidden character of its texts spelled out. It is shown and never saved."""
    for field in row._meta.concrete_fields:
        is_text = isinstance(field, CharField | TextField | JSONField) and not field.choices
        if is_text and field.attname not in row.get_deferred_fields():
            setattr(row, field.attname, _spelled(getattr(row, field.attname)))
    return row


def _spelled(value: Any) -> Any:
    match value:
        case str():
            return reveal(value)
        case dict():
            return {_spelled(key): _spelled(item) for key, item in value.items()}
        case list():
            return [_spelled(item) for item in value]
        case _:
            return value


class NearPages(Paginator):  # type: ignore[type-arg]  # not subscriptable at run time
    """The newest thousand rows, uncounted beyond: a whole count reads the table, a far offset too."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by("-pk")[:1_000].count()


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """A table of the record, narrowed to the person's teams by `run_path`, the way from a row to its run."""

    run_path = "run"
    heavy: tuple[str, ...] = ()
    show_full_result_count = False  # a second count(*) over a table that only grows
    list_per_page = 50
    actions = None
    paginator = NearPages

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

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RevealedChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        return row and _revealed(row)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        mine = Run.objects.visible_to(request.user).filter(pk=OuterRef(self.run_path))
        return rows.filter(Exists(mine))


class RunAdmin(ReadOnlyAdmin):
    run_path = "pk"
    heavy = ("report", "hypotheses", "alert", "sources", "budget")
    exclude = ["sources"]  # their URLs may hold passwords
    list_display = ["id", "goal", "state", "outcome", "service", "started_by", "created_at"]
    list_filter = ["state", "outcome"]
    search_fields = ["goal", "service", "started_by"]
    list_select_related = ["team"]


class StepAdmin(ReadOnlyAdmin):
    heavy = ("body",)
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
    heavy = ("body", "query", "figures")
    list_display = ["name", "run_id", "status", "source", "summary", "size", "freshness"]
    list_filter = ["status"]
    search_fields = ["=run__id"]
    exclude = ["body"]
    ordering = ["-id"]


class ApprovalAdmin(ReadOnlyAdmin):
    heavy = ("args_canonical", "preview", "why", "rule")
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
    heavy = ("body",)
    list_display = ["name", "title", "service", "severity", "state", "run_id", "created_at"]
    list_filter = ["state", "severity"]
    search_fields = ["title", "service"]
    ordering = ["-id"]


class TicketCommentAdmin(ReadOnlyAdmin):
    run_path = "run"
    heavy = ("text",)
    list_display = ["id", "ticket", "run_id", "created_at"]
    list_select_related = ["ticket"]
    ordering = ["-id"]


class NotificationAdmin(ReadOnlyAdmin):
    list_display = ["id", "run_id", "kind", "target", "state", "error", "made_at"]
    list_filter = ["state", "kind", "target"]
    search_fields = ["=run__id", "=uid"]
    list_select_related = ["target"]
    ordering = ["-id"]


class NotificationTargetAdmin(ReadOnlyAdmin):
    list_display = ["label", "team", "since", "sent_at", "failing_since", "error", "gone_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those that are told of a run of the person's teams."""
        rows = NotificationTarget.objects.all()
        if request.user.is_superuser:
            return rows
        mine = Team.objects.filter(memberships__user=request.user.pk)
        return rows.filter(Q(team="") | Q(team__in=mine.values("slug")))


ADMINS: dict[type[Model], type[ReadOnlyAdmin]] = {
    Run: RunAdmin,
    Step: StepAdmin,
    ToolCall: ToolCallAdmin,
    Evidence: EvidenceAdmin,
    Approval: ApprovalAdmin,
    Vote: VoteAdmin,
    Ticket: TicketAdmin,
    TicketComment: TicketCommentAdmin,
    Notification: NotificationAdmin,
    NotificationTarget: NotificationTargetAdmin,
}
