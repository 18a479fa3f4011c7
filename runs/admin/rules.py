"""Teams, members and policy rules: what administrators change. Installation-wide rules are the superusers'."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.db.models.fields.related import ForeignKey
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from runs import toolbox
from runs.admin.entry import administered_teams
from runs.admin.policy import Preview, preview_of
from runs.admin.recorded import RecordedAdmin
from runs.admin.rule_form import RuleForm
from runs.models import Membership, PolicyRule, Team
from runs.services.actors import Actor
from runs.services.rules import STEP, delete_rule, save_rule
from runs.views.asking import asker


class TeamOwnedAdmin(RecordedAdmin):
    """Rows of a team. Its administrators change them; superusers change every team's and those of no team."""

    team_path = "team_id"

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, None)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request, None)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows if _rules_all(request) else rows.filter(**{f"{self.team_path}__in": administered_teams(request)})

    def formfield_for_foreignkey(self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "team" and not _rules_all(request) and isinstance(field, forms.ModelChoiceField):
            field.queryset = Team.objects.filter(pk__in=administered_teams(request))
            field.required = True  # a rule of no team holds for every team: not a team's administrator's to make
        return field

    def _may(self, request: HttpRequest, row: Any) -> bool:
        if _rules_all(request):
            return True
        teams = administered_teams(request)
        return bool(teams) if row is None else getattr(row, self.team_path) in teams


def _rules_all(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_superuser


class PolicyRuleAdmin(TeamOwnedAdmin):
    """One rule's form. The list is the policy page, where the order is seen and what it comes to."""

    form = RuleForm
    change_form_template = "admin/rule.html"
    fieldsets = [
        (None, {"fields": ["name", "team", "order"]}),
        ("When", {"fields": ["tool", "risk", "arguments", ("environment", "only"), "starter", "copied"]}),
        ("Then", {"fields": ["effect", ("votes", "role"), "expires"]}),
    ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return redirect("admin:policy")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        last = PolicyRule.objects.filter(team=None).last()
        return {"order": last.order + STEP if last else STEP, **super().get_changeform_initial_data(request)}

    def changeform_view(self, request: HttpRequest, object_id: Any = None, form_url: str = "",
                        extra_context: dict[str, Any] | None = None) -> HttpResponse:  # fmt: skip
        """A preview is answered with the form as it was typed and what the policy would come to; nothing is saved."""
        shown = {"show_save_and_add_another": False, "show_save_and_continue": False, **(extra_context or {})}
        if request.method == "POST" and "_preview" in request.POST:
            row = self.get_object(request, object_id) if object_id else None
            if self.has_change_permission(request, row) if row else self.has_add_permission(request):
                shown["preview"] = _preview(self.get_form(request, row)(request.POST, instance=row))
        return super().changeform_view(request, object_id, form_url, shown)

    def save_model(self, request: HttpRequest, obj: PolicyRule, form: Any, change: bool) -> None:
        save_rule(obj, Actor.person(asker(request)))

    def delete_model(self, request: HttpRequest, obj: PolicyRule) -> None:
        delete_rule(obj, Actor.person(asker(request)))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[PolicyRule]) -> None:
        for row in queryset:
            self.delete_model(request, row)


def _preview(form: Any) -> Preview | None:
    """What changes, and what the rules of its owner would come to; None for a form with mistakes."""
    form.saves = True
    if not form.is_valid():
        return None
    return preview_of(form.instance)


class MembershipAdmin(TeamOwnedAdmin):
    list_display = ["user", "team", "role", "is_service"]
    list_filter = ["role", "is_service"]
    list_select_related = ["user", "team"]
    search_fields = ["user__username"]
    ordering = ["team__name", "user__username"]


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]  # not subscriptable at run time
    """Members on their team's page; whoever may change the team may change them."""

    model = Membership
    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None or _rules_all(request) or obj.pk in administered_teams(request)

    has_add_permission = has_change_permission = has_delete_permission = has_view_permission


class TeamAdmin(TeamOwnedAdmin):
    team_path = "pk"
    list_display = ["name", "slug", "created_at"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [MembershipInline]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        field = form.base_fields["tools"]
        field.widget.attrs["rows"] = 6
        field.help_text = f"{field.help_text} Tools: {', '.join(toolbox.names())}."
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """A name that no tool has is said, not refused: a tool may be switched off for today."""
        super().save_model(request, obj, form, change)
        names = toolbox.names()
        if lost := [glob for glob in obj.tools.split() if not any(fnmatchcase(name, glob) for name in names)]:
            messages.warning(request, f"No tool is called {', '.join(lost)}: such a line allows nothing.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _rules_all(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _rules_all(request)


ADMINS: dict[type[Model], type[TeamOwnedAdmin]] = {
    PolicyRule: PolicyRuleAdmin,
    Membership: MembershipAdmin,
    Team: TeamAdmin,
}
