"""Runs, their steps and evidence, and the bodies that start and steer them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from runs.api.serializers.strict import Body, Flag, Text
from runs.models import Evidence, Run, Step
from runs.services.runs import GOAL_LIMIT
from runs.states import RunState

SUMMARY = [
    "id", "goal", "state", "state_label", "outcome", "severity", "service", "answer", "stopped_by", "planner", "model",
    "team", "started_by", "origin", "parent", "follows", "hold_reason", "hold_until", "cost_micro_usd",
    "created_at", "begun_at", "finished_at",
]  # fmt: skip
DETAIL = [
    "as_of", "focus_at", "sources", "hypotheses", "pending_approvals", "n_steps", "cycle", "n_tool_calls",
    "n_model_calls", "tokens_in", "tokens_out", "tokens_cached", "cost_known", "driven_ms", "budget", "held_by",
    "attempt", "failure_code", "failure",
]  # fmt: skip


class RunSummary(serializers.ModelSerializer[Run]):
    """One row of the list."""

    team = serializers.SlugRelatedField[Any](slug_field="slug", read_only=True)
    state_label = serializers.SerializerMethodField(help_text="The state in words.")

    class Meta:
        model = Run
        fields = SUMMARY
        read_only_fields = SUMMARY

    def get_state_label(self, run: Run) -> str:
        return str(RunState(run.state).label)


class RunDetail(RunSummary):
    """One run. Its steps, evidence and report have addresses of their own."""

    sources = serializers.SerializerMethodField(help_text="Names only: a source's URL is the operator's.")
    pending_approvals = serializers.SerializerMethodField(help_text="Ids of the requests that wait for a decision.")

    class Meta(RunSummary.Meta):
        fields = SUMMARY + DETAIL
        read_only_fields = fields

    def get_sources(self, run: Run) -> list[str]:
        return [source["name"] for source in run.sources]

    def get_pending_approvals(self, run: Run) -> list[int]:
        return list(run.approvals.pending().values_list("id", flat=True))


class NewRun(Body):
    """What to investigate. The service checks the goal and the sources, so that every door says the same."""

    goal = Text(trim_whitespace=False, allow_blank=True, help_text=f"1 to {GOAL_LIMIT:,} characters.")
    sources = serializers.ListField(
        child=Text(max_length=200), required=False, max_length=100, help_text="Names of sources; all if left out."
    )
    planner = serializers.ChoiceField(
        choices=["analyst", "claude"], required=False, help_text="The set one if left out."
    )
    focus_at = serializers.DateTimeField(required=False, allow_null=True, help_text="When the alert fired.")
    start = Flag(default=True, help_text="false: wait for /execute.")


class HoldBody(Body):
    reason = Text(required=False, default="", allow_blank=True, max_length=200)


class CancelBody(Body):
    reason = Text(required=False, default="", allow_blank=True, max_length=500)


class NoteBody(Body):
    text = Text(trim_whitespace=False, allow_blank=True, help_text=f"1 to {GOAL_LIMIT:,} characters.")


class StepRow(serializers.ModelSerializer[Step]):
    """One row of a run's log."""

    payload = serializers.DictField(read_only=True, help_text="What happened; {} once it has expired.")

    class Meta:
        model = Step
        fields = ["seq", "kind", "name", "before", "after", "actor", "at", "payload"]
        read_only_fields = fields


class StepsAfter(serializers.Serializer[Any]):
    """Which steps: those after a seq that the client has seen."""

    after = serializers.IntegerField(default=0, min_value=0, max_value=2**31 - 1)
    limit = serializers.IntegerField(default=200, min_value=1, max_value=500)


class StepPage(serializers.Serializer[Any]):
    results = StepRow(many=True)
    last = serializers.IntegerField(help_text="Ask for the steps after this one next.")
    more = serializers.BooleanField(help_text="Whether later steps exist already.")
    state = serializers.ChoiceField(choices=RunState.choices, help_text="The run's state now.")


class EvidenceRow(serializers.ModelSerializer[Evidence]):
    """One tool result without its rows."""

    name = serializers.CharField(read_only=True)
    tool = serializers.CharField(source="call.tool", read_only=True)

    class Meta:
        model = Evidence
        fields = [
            "name", "tool", "status", "summary", "query", "figures", "source", "freshness", "skipped", "size",
            "sha256", "created_at",
        ]  # fmt: skip
        read_only_fields = fields


class EvidenceDetail(EvidenceRow):
    data = serializers.DictField(read_only=True, help_text="As stored.")  # type: ignore[assignment]  # a field

    class Meta(EvidenceRow.Meta):
        fields = [*EvidenceRow.Meta.fields, "data"]
        read_only_fields = fields
