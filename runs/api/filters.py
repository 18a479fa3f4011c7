"""How the list of runs is narrowed; each filter stands in the URL."""

from __future__ import annotations

import django_filters
from django.db.models import QuerySet

from runs.models import Approval, Run
from runs.states import ApprovalState, Outcome, RunState


class RunFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    state = django_filters.MultipleChoiceFilter(choices=RunState.choices, help_text="May be given more than once.")
    outcome = django_filters.MultipleChoiceFilter(choices=Outcome.choices, help_text="May be given more than once.")
    service = django_filters.CharFilter(max_length=200, help_text="The service the answer names.")
    starter = django_filters.CharFilter(method="by_starter", max_length=150, help_text="alice, or cli:root.")

    parent = django_filters.NumberFilter(min_value=1, max_value=2**63 - 1, help_text="The sub-runs of this run.")
    sub_runs = django_filters.BooleanFilter(
        field_name="parent", lookup_expr="isnull", exclude=True, help_text="false leaves sub-runs out, true the others."
    )

    class Meta:
        model = Run
        fields = ["state", "outcome", "service", "starter", "parent", "sub_runs"]

    def by_starter(self, runs: QuerySet[Run], name: str, value: str) -> QuerySet[Run]:
        return runs.filter(started_by=value if ":" in value else f"user:{value}")


class ApprovalFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    state = django_filters.MultipleChoiceFilter(choices=ApprovalState.choices, help_text="May be given more than once.")
    run = django_filters.NumberFilter(min_value=1, max_value=2**63 - 1)

    class Meta:
        model = Approval
        fields = ["state", "run"]
