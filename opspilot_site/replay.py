"""Walks a finished run again from its recordings, with no outside call, and compares every Step.

The walk is the product's own: the loop, evaluation, grounding, policy and votes run as they did. Planner and tools are
played from the record; a missing recording stops it. All of it happens in one transaction that is rolled back, so
nothing is published, enqueued or kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from agent.loop import Outfit, drive
from agent.planner import BudgetLeft, Move, ToolDescription, ToolRequest, Transcript, Usage
from agent.toolcall import CallEnd, HostedCall
from agent.transcript import hypothesis
from runs.audit.chain import canonical
from runs.models import Approval, Run, Step, ToolCall
from runs.services.actors import Actor
from runs.services.append import append
from runs.services.approvals import decide_approval, expire_request
from runs.services.calls import CallResult, record_results, start_call
from runs.services.edits import edit_request
from runs.services.errors import Refused
from runs.services.leases import Lease
from runs.services.runs import create_run
from runs.services.subruns import lend_sub_runs
from runs.states import CallStatus, RunState, StepKind
from tools.base import Status, ToolResult

# What is another each time a run is walked: ids, keys, clocks; and what came back of slices, for none are given here.
# Everything else must be the same.
UNSTEADY = {
    "approval", "approvals", "bound", "call", "new_call", "key", "until", "duration_ms", "goal", "planner", "as_of",
    "returned",
}  # fmt: skip


class Missing(Exception):
    """The record lacks something that the walk needs; a replay never asks the outside for it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first Step at which the walk leaves the record; None where one side has ended."""

    seq: int
    recorded: str | None
    replayed: str | None


@dataclass(frozen=True, slots=True)
class Replay:
    steps: int
    difference: Difference | None


def replay(run: Run) -> Replay:
    """Walk an ended run again. Raises Missing; changes nothing."""
    if run.state not in (RunState.DONE, RunState.FAILED):
        raise Missing(f"Run {run.pk} has not ended by itself; only a run that is done or failed can be replayed.")
    recorded = list(Step.objects.filter(run=run).order_by("seq"))
    with transaction.atomic():
        try:
            replayed = _walk(run, recorded)
        finally:
            transaction.set_rollback(True)
    return Replay(len(recorded), _first_difference(_comparable(recorded), _comparable(replayed)))


def _walk(run: Run, recorded: Sequence[Step]) -> list[Step]:
    again = _copy(run)
    lease = Lease(again.pk, again.lease_epoch, again.lease_owner)
    people = People(run, again, recorded)
    tools = RecordedTools(run, recorded)
    outfit = Outfit(RecordedPlanner(recorded), tools, should_stop=people.speak, delegate=tools.delegate)  # type: ignore[arg-type]
    lend_sub_runs(run, again)  # until all of this is rolled back: their evidence is cited
    while True:
        drive(again, lease, outfit)
        again = Run.objects.get(pk=again.pk)
        if again.state != RunState.NEEDS_APPROVAL or not people.decide():
            return list(Step.objects.filter(run=again).order_by("seq"))
        again = Run.objects.get(pk=again.pk)


def _copy(run: Run) -> Run:
    created = create_run(
        goal=run.goal, team=run.team, actor=Actor(run.started_by, run.starter), origin=run.origin,
        sources=run.sources, planner=run.planner, as_of=run.as_of, focus_at=run.focus_at, budget=run.budget,
        leased_to="replay", follows=run.follows, parent=run.parent, place=run.place,
    )  # fmt: skip
    return created.run


class RecordedPlanner:
    """Answers each question with what was answered then."""

    name = "recorded"
    ceiling_micro_usd = 0

    def __init__(self, recorded: Sequence[Step]):
        self._answers = [step.payload for step in recorded if step.kind == StepKind.MODEL_CALL]

    def next(
        self,
        transcript: Transcript,
        tools: Sequence[ToolDescription],
        budget: BudgetLeft,
        on_text: Callable[[str], None],
    ) -> Move:
        if not self._answers:
            raise Missing("The planner is asked once more than it was when the run was recorded.")
        kept = self._answers.pop(0)
        if "requests" not in kept:
            raise Missing("A model's answer has expired from the record.")
        return Move(
            rationale=kept["rationale"],
            requests=tuple(ToolRequest(**request) for request in kept["requests"]),
            hypotheses=tuple(hypothesis(entry) for entry in kept["hypotheses"]),
            answer=kept["answer"], usage=Usage(**kept["usage"]), reply=kept["reply"], sent=kept["sent"],
        )  # fmt: skip


class RecordedTools:
    """Answers each call with its stored result, matched by tool and canonical arguments, in order."""

    def __init__(self, run: Run, recorded: Sequence[Step]):
        self._ends: dict[tuple[str, str], list[CallEnd]] = defaultdict(list)
        begin: dict[str, Any] = next((step.payload for step in recorded if step.name == "begin"), {"sources": []})
        seen = ToolResult(Status.SUCCESS, "", data={"sources": begin["sources"], "alert": run.alert})
        self._ends["list_sources", canonical({})].append(CallEnd(seen, "returned", 0))
        for call in ToolCall.objects.filter(run=run, started_at__isnull=False).select_related("evidence"):
            self._ends[call.tool, canonical(call.args)].append(CallEnd(_stored_result(call), "returned", 0))

    def call(self, call: HostedCall) -> CallEnd:
        kept = self._ends[call.tool, canonical(call.args)]
        if not kept:
            raise Missing(f"There is no recorded result of {call.tool} with these arguments.")
        return kept.pop(0)

    def delegate(self, run: Run, lease: Lease, call: ToolCall) -> None:
        """A call that went to sub-runs: begun, then answered by what they had found. None is begun or waited for."""
        if call.status == CallStatus.PROPOSED:
            start_call(run, lease, call)
            return
        found = self._ends[call.tool, canonical(call.args)].pop(0).result
        result = CallResult(found.status.value, found.summary, found.data, source=found.source)
        record_results(run, lease, [(call, result)])

    def call_many(self, calls: Sequence[HostedCall]) -> list[CallEnd]:
        return [self.call(call) for call in calls]


def _stored_result(call: ToolCall) -> ToolResult:
    evidence = getattr(call, "evidence", None)
    if evidence is None:
        return ToolResult(Status.ERROR, call.summary)
    return ToolResult(
        Status(evidence.status), evidence.summary, evidence.data, evidence.figures, evidence.query, evidence.source,
        evidence.freshness, evidence.skipped,
    )  # fmt: skip


class People:
    """Says and decides again what people said and decided, at the same Steps."""

    def __init__(self, run: Run, again: Run, recorded: Sequence[Step]):
        self._run, self._again, self._recorded = run, again, recorded

    def speak(self) -> bool:
        """Notes and holds stand between the driver's Steps; put the next ones in. Never stops the drive."""
        current = Run.objects.get(pk=self._again.pk)
        for step in self._recorded[current.n_steps :]:
            if step.kind not in (StepKind.NOTE, StepKind.HOLD):
                break
            append(current, StepKind(step.kind), step.name, actor=step.actor, payload=step.payload)
        return False

    def decide(self) -> bool:
        """Repeat the decisions on what waits now; False when nobody decided it then."""
        self.speak()
        waiting = Approval.objects.filter(run=self._again, state="PENDING").select_related("call")
        return sum(self._decide(approval) for approval in waiting) > 0

    def _decide(self, approval: Approval) -> bool:
        then = (
            Approval.objects.filter(run=self._run, call__index=approval.call.index, args_sha256=approval.args_sha256)
            .exclude(call__status=CallStatus.VOID)
            .first()
        )
        if then is None:
            raise Missing(f"There is no recorded request for {approval.tool} with these arguments.")
        if then.void_code == "edited":
            return self._decide(self._edited(approval, then))
        votes = list(then.votes.select_related("user").order_by("id"))
        if not votes and then.state == "EXPIRED":
            return expire_request(approval.pk)
        for vote in votes:
            try:
                decide_approval(
                    approval.pk, user=vote.user, approve=vote.approve, reason=vote.reason, door=vote.door,
                    args_sha256=approval.args_sha256, signed_in_at=timezone.now(),
                )  # fmt: skip
            except Refused as refusal:
                raise Missing(f"{vote.user}'s vote cannot be repeated: {refusal}") from None
        return bool(votes)

    def _edited(self, approval: Approval, then: Approval) -> Approval:
        """The request that took this one's place, once somebody's changes are made again."""
        by, after = then.replaced_by.requester, then.replaced_by.call.args
        said = next(step for step in self._recorded if step.name == "edit" and step.payload["approval"] == then.pk)
        if by is None:
            raise Missing(f"Who changed request {then.pk} is no longer known.")
        try:
            return edit_request(
                approval.pk, user=by, args=after, args_sha256=approval.args_sha256, door=said.payload["door"]
            )
        except Refused as refusal:
            raise Missing(f"The changes of {by} cannot be made again: {refusal}") from None


def _comparable(steps: Sequence[Step]) -> list[str]:
    """What a Step says, without what is another each time. Waiting for a faulty API is not part of the story."""
    return [
        canonical([step.kind, step.name, step.before, step.after, step.actor, _steady(step.payload)])
        for step in steps
        if step.name != "retry"
    ]


def _steady(value: Any) -> Any:
    match value:
        case dict():
            return {key: _steady(item) for key, item in value.items() if key not in UNSTEADY}
        case list():
            return [_steady(item) for item in value]
        case _:
            return value


def _first_difference(recorded: Sequence[str], replayed: Sequence[str]) -> Difference | None:
    for place in range(max(len(recorded), len(replayed))):
        then = recorded[place] if place < len(recorded) else None
        now = replayed[place] if place < len(replayed) else None
        if then != now:
            return Difference(place + 1, then, now)
    return None
