"""Approvals with their votes, and the body of a decision."""

from __future__ import annotations

import json
from typing import Any

from rest_framework import serializers

from runs.api.serializers.strict import Body, Text
from runs.models import Approval, Vote
from runs.permissions import may
from runs.states import ApprovalKind

ROW = [
    "id", "run", "kind", "state", "tool", "risk", "args", "args_sha256", "preview", "why", "requested_by", "required",
    "votes", "asked_at", "expires_at", "decided_at", "decided_by", "reason", "consumed_at", "key", "sent_at",
    "replaces", "replaced_by", "void_code",
]  # fmt: skip


class VoteRow(serializers.ModelSerializer[Vote]):
    user = serializers.CharField(source="user.username", read_only=True)

    class Meta:
        model = Vote
        fields = ["user", "approve", "reason", "door", "at"]
        read_only_fields = fields


class ApprovalRow(serializers.ModelSerializer[Approval]):
    """One request to run one call with exactly these arguments, or one question whether such a call did happen."""

    kind = serializers.ChoiceField(
        choices=ApprovalKind.choices, read_only=True,
        help_text="call: may it run? settle: it was sent and its answer was lost; did it happen? It does not expire.",
    )  # fmt: skip
    key = serializers.CharField(source="call.key", read_only=True, help_text="What the call carries outside.")
    sent_at = serializers.DateTimeField(source="call.started_at", read_only=True, allow_null=True)
    args = serializers.SerializerMethodField(help_text="Exactly what will run.")
    replaces = serializers.IntegerField(
        source="replaces_id", read_only=True, allow_null=True, help_text="The request in whose place this one was made."
    )
    replaced_by = serializers.SerializerMethodField(help_text="The request that was made in this one's place.")
    void_code = serializers.CharField(read_only=True, help_text="Why it is VOID: edited, policy_changed, run_ended, …")
    votes = VoteRow(many=True, read_only=True)

    class Meta:
        model = Approval
        fields = ROW
        read_only_fields = fields

    def get_replaced_by(self, approval: Approval) -> int | None:
        return getattr(getattr(approval, "replaced_by", None), "pk", None)

    def get_args(self, approval: Approval) -> dict[str, Any]:
        args: dict[str, Any] = json.loads(approval.args_canonical)
        return args


class TaintMark(serializers.Serializer[Any]):
    """One argument that holds text copied from results of the run, or from its alert."""

    argument = serializers.CharField()
    sources = serializers.ListField(child=serializers.CharField(), help_text="E4, or alert.")
    spans = serializers.ListField(child=serializers.CharField(), help_text="What was recognised; the first three.")


class YourVote(serializers.Serializer[Any]):
    allowed = serializers.BooleanField()
    why = serializers.CharField(help_text="Who may, where you may not.")


class ApprovalDetail(ApprovalRow):
    args_canonical = serializers.CharField(read_only=True, help_text="The very bytes that args_sha256 is of.")
    rule = serializers.DictField(read_only=True, help_text="The policy rule as it was when this was asked.")
    taint = TaintMark(source="call.taint", many=True, read_only=True)
    your_vote = serializers.SerializerMethodField()

    class Meta(ApprovalRow.Meta):
        fields = [*ROW, "args_canonical", "rule", "taint", "your_vote"]
        read_only_fields = fields

    def get_your_vote(self, approval: Approval) -> YourVote:
        verdict = may(self.context["request"].user, "vote", approval)
        shown: YourVote = {"allowed": verdict.allowed, "why": verdict.why}  # type: ignore[assignment]  # the annotation names the shape for the schema
        return shown


class EditBody(Body):
    """Other arguments for the call. args_sha256 says which arguments that person saw."""

    args = serializers.DictField(help_text="All arguments, checked as the tool checks a planner's.")
    args_sha256 = Text(max_length=64)


class DecisionBody(Body):
    """One person's word. args_sha256 says which arguments that person saw.

    On a question (kind settle) approve says that it happened and deny that it did not; no reason is needed.
    """

    decision = serializers.ChoiceField(choices=["approve", "deny"])
    reason = Text(required=False, default="", allow_blank=True, max_length=1_000)
    args_sha256 = Text(max_length=64)
