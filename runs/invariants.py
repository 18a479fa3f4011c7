"""What must always be true of the record, checked on the rows. Reads only; `fsck` prints what it finds.

I1 the log is whole and legal · I2 effects and evidence stand in the ledger once · I3 nothing waits for ever ·
I4 a driver that lost its lease wrote nothing · I5 no run spent past its caps · I6 what could do harm was approved ·
I7 the chains hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property
from typing import Any

from django.conf import settings

from runs import clock
from runs.audit.chain import INSTALLATION, canonical, digest, verify_chain
from runs.audit.verification import verify_installation
from runs.models import Approval, Evidence, Run, Step, ToolCall, Vote
from runs.services.binding import bound_digest
from runs.states import ACTIVE, TERMINAL, ApprovalState, CallStatus, Effect, RunState, StepKind

CAME_BACK = frozenset({CallStatus.SUCCESS, CallStatus.NO_DATA, CallStatus.TRUNCATED, CallStatus.ERROR})
RISKY = frozenset({"write", "destructive"})
LONGEST_LEASES = 10  # a lease that reaches further than this many lengths would keep everybody else out


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that is not true. `seq` is 0 where it is not about one Step."""

    invariant: str
    run: int
    seq: int
    words: str

    def __str__(self) -> str:
        if self.run == INSTALLATION:
            return f"{self.invariant}  the installation, event {self.seq}: {self.words}"
        where = f"run {self.run}" + (f", step {self.seq}" if self.seq else "")
        return f"{self.invariant}  {where}: {self.words}"

    def as_json(self) -> dict[str, str | int]:
        return asdict(self)


@dataclass(frozen=True)
class Record:
    """All rows of one run, read once."""

    run: Run
    steps: Sequence[Step]
    calls: Sequence[ToolCall]
    approvals: Sequence[Approval]
    evidence: Sequence[Evidence]
    now: datetime

    def hit(self, invariant: str, words: str, seq: int = 0) -> Hit:
        return Hit(invariant, self.run.pk, seq, words)

    def of_kind(self, kind: StepKind) -> list[Step]:
        return [step for step in self.steps if step.kind == kind]

    @cached_property
    def bound(self) -> dict[str, str]:
        """What each request was bound to when it was asked, by its id, as the chain says."""
        return {
            approval: sha256
            for step in self.steps
            if step.kind == StepKind.VOTE or step.name == "ask_approval"
            for approval, sha256 in step.payload.get("bound", {}).items()
        }

    @cached_property
    def first_intent(self) -> dict[int, Step]:
        """The Step with which each started call started, by the call's id."""
        intents: dict[int, Step] = {}
        for step in self.of_kind(StepKind.TOOL_INTENT):
            intents.setdefault(step.payload.get("call", 0), step)
        return intents


@dataclass(frozen=True, slots=True)
class Start:
    """With what a call left."""

    seq: int
    args: Mapping[str, Any]


def check_all() -> list[Hit]:
    """The installation's own chain, then every invariant on every run, oldest first. Five queries a run."""
    return [*installation_holds(), *_all_runs()]


def installation_holds() -> Iterator[Hit]:
    """I7: every event of the installation is the one that was written."""
    if damage := verify_installation():
        yield Hit("I7", INSTALLATION, damage.seq, str(damage).partition(": ")[2])


def _all_runs() -> list[Hit]:
    return [hit for run in Run.objects.order_by("id").iterator(chunk_size=50) for hit in check_run(run)]


def check_run(run: Run) -> Iterator[Hit]:
    """Every invariant on one run. A run that is being driven is read twice before it is accused."""
    hits = _hits(run)
    if hits and run.state not in TERMINAL:
        # Its rows may have moved between our queries; what is truly wrong is still wrong now.
        run = Run.objects.get(pk=run.pk)
        again = _hits(run)
        hits = [hit for hit in hits if hit in again]
    yield from hits


def _hits(run: Run) -> list[Hit]:
    record = Record(
        run=run,
        steps=list(run.steps.order_by("seq")),
        calls=list(run.calls.all()),
        approvals=list(run.approvals.select_related("call").prefetch_related("votes")),
        evidence=list(run.evidence.all()),
        now=clock.now(),
    )
    return [hit for check in CHECKS for hit in check(record)]


def log_is_legal(record: Record) -> Iterator[Hit]:
    """I1: each Step begins where the one before ended, and each transition is one of the state machine's."""
    state: str = RunState.QUEUED
    for expected, step in enumerate(record.steps, 1):
        if step.seq != expected:
            yield record.hit("I1", f"step {expected} is missing", step.seq)
            return
        if step.before != state:
            yield record.hit("I1", f"{step.name} begins in {step.before}, the step before ended in {state}", step.seq)
        if not _is_legal(step):
            yield record.hit("I1", f"{step.name} may not lead from {step.before} to {step.after}", step.seq)
        state = step.after
    if state != record.run.state:
        yield record.hit("I1", f"the log ends in {state}, the run is in {record.run.state}")


def _is_legal(step: Step) -> bool:
    if step.kind != StepKind.TRANSITION:
        return step.before == step.after
    if step.name == "create":
        return step.seq == 1 and step.before == step.after == RunState.QUEUED
    return (step.name, step.before, step.after) in legal_moves()


@cache
def legal_moves() -> frozenset[tuple[str, str, str]]:
    """(transition, from, to), as the Run's own decorators say."""
    return frozenset((move.name, move.source, move.target) for move in Run().get_all_state_transitions())


def calls_are_in_the_ledger_once(record: Record) -> Iterator[Hit]:
    """I2: a call's key and digest are of its arguments; it starts before it returns, and returns once."""
    for call in record.calls:
        text = canonical(call.args)
        if call.args_sha256 != digest(text):
            yield record.hit("I2", f"the arguments of call {call.pk} ({call.tool}) are not those of its digest")
        if call.key != digest(f"{record.run.pk}\n{call.plan_seq}\n{call.index}\n{call.tool}\n{text}"):
            yield record.hit("I2", f"the key of call {call.pk} ({call.tool}) is not the key of its arguments")
    yield from _results_follow_intents(record)


def _results_follow_intents(record: Record) -> Iterator[Hit]:
    returned: Counter[int] = Counter()
    for step in record.of_kind(StepKind.TOOL_RESULT):
        call, status = step.payload.get("call", 0), step.payload.get("status")
        if status not in CAME_BACK:
            continue
        returned[call] += 1
        started = record.first_intent.get(call)
        if started is None or started.seq > step.seq:
            yield record.hit("I2", f"{step.name} returned before it was started", step.seq)
        if returned[call] > 1:
            yield record.hit("I2", f"{step.name} returned a second time for call {call}", step.seq)


def evidence_is_what_came_back(record: Record) -> Iterator[Hit]:
    """I2: stored evidence has the digest that its Step was chained with, and is numbered without a gap."""
    chained = {
        step.payload.get("evidence"): step.payload.get("sha256") for step in record.of_kind(StepKind.TOOL_RESULT)
    }
    for number, row in enumerate(record.evidence, 1):
        if row.number != number:
            yield record.hit("I2", f"E{number} is missing")
            return
        if digest(canonical(row.data)) != row.sha256 or chained.get(row.name) != row.sha256:
            yield record.hit("I2", f"{row.name} is not what the tool returned")


def nothing_waits_for_ever(record: Record) -> Iterator[Hit]:
    """I3: a run that waits has something to wait for; one that has ended holds nothing; no lease keeps others out."""
    run = record.run
    open_now = [approval for approval in record.approvals if approval.state == ApprovalState.PENDING]
    if run.state == RunState.NEEDS_APPROVAL and not open_now:
        yield record.hit("I3", "waits for approval, but no request is open")
    if run.state not in (RunState.NEEDS_APPROVAL, RunState.EXECUTE_TOOL) and open_now:
        yield record.hit("I3", f"request {open_now[0].pk} is open, but the run is in {run.state}")
    if run.state in TERMINAL and run.lease_until:
        yield record.hit("I3", "has ended, but its lease is held")
    longest = timedelta(seconds=settings.LEASE_S * LONGEST_LEASES)
    if run.state in ACTIVE and run.lease_until and run.lease_until > record.now + longest:
        yield record.hit("I3", f"is leased until {run.lease_until:%Y-%m-%d %H:%M}, so nobody could take it over")


def epochs_do_not_fall(record: Record) -> Iterator[Hit]:
    """I4: after a driver has taken over, the one before writes nothing."""
    highest = 0
    for step in record.steps:
        if 0 < step.epoch < highest:
            yield record.hit("I4", f"written under lease {step.epoch} after lease {highest}", step.seq)
        highest = max(highest, step.epoch)
    if highest > record.run.lease_epoch:
        yield record.hit("I4", f"lease {highest} wrote, but the run knows only {record.run.lease_epoch}")


def caps_hold(record: Record) -> Iterator[Hit]:
    """I5: the counters are those of the rows, and a cap was not used up before the last call that was begun."""
    run, caps = record.run, record.run.budget
    thoughts = record.of_kind(StepKind.MODEL_CALL)
    if run.n_model_calls != len(thoughts):
        yield record.hit("I5", f"counts {run.n_model_calls} model calls, its log has {len(thoughts)}")
    if run.n_tool_calls != len(record.calls):
        yield record.hit("I5", f"counts {run.n_tool_calls} tool calls, its ledger has {len(record.calls)}")
    last_move = sum(call.plan_seq == run.plan_seq for call in record.calls)
    before_last = {
        "model_calls": run.n_model_calls - 1,
        "tool_calls": run.n_tool_calls - last_move,
        "micro_usd": run.cost_micro_usd - _cost_of_last_call(record),
    }
    if run.state in TERMINAL and run.reserved_micro_usd:
        yield record.hit("I5", f"has ended, but {run.reserved_micro_usd:,} µ$ are still set aside for it")
    for name, spent in before_last.items():
        if spent > 0 and name in caps and spent >= caps[name]:
            yield record.hit("I5", f"went on with {spent:,} of {caps[name]:,} {name.replace('_', ' ')} spent")


def _cost_of_last_call(record: Record) -> int:
    """Whether it answered or broke off."""
    for step in reversed(record.steps):
        if step.kind == StepKind.MODEL_CALL or "cost_micro_usd" in step.payload:
            return step.payload.get("usage", step.payload).get("cost_micro_usd") or 0
    return 0


def harm_was_approved(record: Record) -> Iterator[Hit]:
    """I6: each call that could do harm and was started had been approved, by enough others, for these arguments."""
    for call in record.calls:
        start = _start_of(record, call)
        if start is None or call.risk not in RISKY or _ran_by_rule(record, call):
            continue
        used = [a for a in record.approvals if a.call_id == call.pk and a.state == ApprovalState.CONSUMED]
        if len(used) != 1:
            yield record.hit("I6", f"{call.tool} ran with {len(used)} used approvals", start.seq)
        elif record.bound.get(str(used[0].pk)) not in (None, bound_digest(used[0])):
            yield record.hit("I6", f"{call.tool} ran, but its request is not the one that was asked", start.seq)
        elif why := _why_not_covered(used[0], call, start):
            yield record.hit("I6", f"{call.tool} ran, but {why}", start.seq)


def _start_of(record: Record, call: ToolCall) -> Start | None:
    """By the chained intent; by the ledger's own word where that has expired."""
    if intent := record.first_intent.get(call.pk):
        return Start(intent.seq, intent.payload["args"])
    return Start(0, call.args) if call.started_at else None


def _ran_by_rule(record: Record, call: ToolCall) -> bool:
    """Whether the policy let it run by itself, as the chained plan says (the ledger's word only where that expired)."""
    plan = record.steps[call.plan_seq - 1].payload if call.plan_seq <= len(record.steps) else {}
    asked = {request.get("id"): request.get("effect") for request in plan.get("requests", [])}
    return bool(asked.get(call.request_id, call.effect) == Effect.RUN)


def _why_not_covered(approval: Approval, call: ToolCall, start: Start) -> str:
    votes = list(approval.votes.all())
    voters = {vote.user_id for vote in votes if vote.approve and (approval.owner_may or not _is_own(vote, approval))}
    ran = digest(canonical(start.args))
    if not approval.args_sha256 == call.args_sha256 == ran == digest(approval.args_canonical):
        return "not with the arguments that were approved"
    if len(voters) < approval.required:
        return f"{len(voters)} of {approval.required} others had approved"
    if any(not vote.approve for vote in votes):
        return "somebody had denied it"
    decided, used = approval.decided_at, approval.consumed_at  # both by the clock that decides, unlike a Step's time
    if decided is None or used is None or not decided <= used < approval.expires_at:
        return "not between its decision and its expiry"
    return ""


def _is_own(vote: Vote, approval: Approval) -> bool:
    return vote.user_id == approval.requester_id or vote.user_id in approval.barred


def chain_holds(record: Record) -> Iterator[Hit]:
    """I7: every Step is the one that was written, none is missing, and the run's head is the last one's."""
    if damage := verify_chain(record.run.pk, record.run.n_steps, record.run.head_mac, record.steps):
        yield record.hit("I7", str(damage).partition(": ")[2], damage.seq)


CHECKS: tuple[Callable[[Record], Iterator[Hit]], ...] = (
    log_is_legal,
    calls_are_in_the_ledger_once,
    evidence_is_what_came_back,
    nothing_waits_for_ever,
    epochs_do_not_fall,
    caps_hold,
    harm_was_approved,
    chain_holds,
)
