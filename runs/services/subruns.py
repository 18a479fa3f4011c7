"""Runs that a run begins: each with a slice of its budget, reading only, with a transcript of its own. The run waits.

They are runs like any other: leased, driven, replayed and cancelled alike. The parent holds until the last has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from runs import faults, queue
from runs.models import Run, Step, ToolCall
from runs.models.run import WAITS
from runs.services.actors import Actor
from runs.services.append import append, locked
from runs.services.calls import CallResult, record_results, start_call
from runs.services.leases import Lease
from runs.services.runs import create_run
from runs.states import RETURNED, TERMINAL, CallStatus, RunState, StepKind

CYCLES, STEPS = 8, 80  # of one of them, at most
SHARED = ("tokens", "micro_usd", "tool_calls", "model_calls")  # what they take from their parent


@dataclass(frozen=True, slots=True)
class Question:
    """What one of them is to find out."""

    words: str
    hypothesis: str = ""


@faults.point("subruns.begin")
@transaction.atomic
def begin_sub_runs(run: Run, lease: Lease, call: ToolCall, questions: Sequence[Question]) -> Step:
    """The intent, one run a question and the parent's hold: all or nothing. Frees the lease.

    What the slices hold is taken from the parent's caps, so that all together never spend more than it could alone.
    """
    start_call(run, lease, call)
    share = _slice(run, len(questions))
    first = Run.objects.filter(parent=run).count() + 1
    children = [_begin(run, call, place, question, share) for place, question in enumerate(questions, first)]
    run.budget = run.budget | {name: run.budget[name] - share[name] * len(children) for name in SHARED}
    return _wait(run, lease, {"runs": [child.pk for child in children]}, budget=run.budget)


def wait_for_sub_runs(run: Run, lease: Lease) -> Step:
    """Hold again: somebody released the run before the last of them had ended."""
    return _wait(run, lease, {"runs": list(under_way(run).values_list("pk", flat=True))})


def _wait(run: Run, lease: Lease, payload: dict[str, Any], **changes: Any) -> Step:
    return append(
        run, StepKind.HOLD, "sub_runs", actor="driver", epoch=lease.epoch,
        payload={"reason": WAITS, "until": None, **payload}, hold_reason=WAITS, hold_until=None, held_by="",
        lease_until=None, lease_owner="", **changes,
    )  # fmt: skip


def _slice(run: Run, count: int) -> dict[str, int]:
    """An equal part of what is left for each, and one for the parent to conclude with."""
    spent = spent_by(run)
    share = {name: max(run.budget[name] - spent[name], 0) // (count + 1) for name in SHARED}
    return share | {"cycles": min(CYCLES, run.budget["cycles"]), "steps": min(STEPS, run.budget["steps"])}


def spent_by(run: Run) -> dict[str, int]:
    """What a run spent of each cap that sub-runs share with their parent."""
    return {
        "tokens": run.tokens_in + run.tokens_out, "micro_usd": run.cost_micro_usd, "tool_calls": run.n_tool_calls,
        "model_calls": run.n_model_calls,
    }  # fmt: skip


def key_of_call(child: Run) -> str:
    """The key of the call that a sub-run was begun for."""
    return str(child.idempotency_key).split(" ")[1]


def _begin(run: Run, call: ToolCall, place: int, question: Question, share: dict[str, int]) -> Run:
    return create_run(
        goal=question.words, team=run.team, actor=Actor(run.started_by, run.starter), origin="sub",
        sources=run.sources, planner=run.planner, as_of=run.as_of, focus_at=run.focus_at, alert=run.alert,
        budget={**run.budget, **share}, parent=run, place=place, idempotency_key=f"sub {call.key} {place}",
    ).run  # fmt: skip


def under_way(run: Run) -> Any:
    """Those of its sub-runs that have not ended."""
    return Run.objects.filter(parent=run).exclude(state__in=TERMINAL)


def let_parent_go_on(parent_id: int) -> bool:
    """End a run's hold once the last of its sub-runs has ended. Safe to repeat: only the first time does anything."""
    with locked(parent_id) as run:
        if run.hold_reason != WAITS or run.state in TERMINAL or under_way(run).exists():
            return False
        append(
            run, StepKind.HOLD, "release", actor="system", payload={"reason": WAITS}, hold_reason="", hold_until=None,
            held_by="",
        )  # fmt: skip
        transaction.on_commit(lambda: queue.enqueue_run(parent_id))
    return True


def let_waiting_parents_go_on() -> int:
    """What a process that died after its sub-run's last step left undone. Safe to repeat."""
    waiting = Run.objects.filter(hold_reason=WAITS).exclude(state__in=TERMINAL).values_list("pk", flat=True)
    return sum(let_parent_go_on(run_id) for run_id in waiting)


def lend_sub_runs(run: Run, again: Run) -> None:
    """For a replay: its copy of the run cites what the sub-runs of the first found. To be rolled back with the copy."""
    Run.objects.filter(parent=run).update(parent=again)


def delegated(run: Run, tool: str) -> ToolCall | None:
    """The call of this move that goes to sub-runs, if it has not returned."""
    return ToolCall.objects.filter(run=run, plan_seq=run.plan_seq, tool=tool).exclude(status__in=RETURNED).first()


def delegate(run: Run, lease: Lease, call: ToolCall) -> None:
    """Begin the sub-runs, wait for them, or take what they found: whatever comes next. Safe to repeat."""
    if call.status == CallStatus.PROPOSED:
        asked = call.args["questions"]
        begin_sub_runs(run, lease, call, [Question(one["question"], one["hypothesis"]) for one in asked])
    elif under_way(run).exists():
        wait_for_sub_runs(run, lease)
    else:
        take_findings(run, lease, call)


@faults.point("subruns.take")
def take_findings(run: Run, lease: Lease, call: ToolCall) -> None:
    """What they found as the call's result, and what they did not use of their slices back: one commit."""
    children = list(Run.objects.filter(parent=run, idempotency_key__startswith=f"sub {call.key} ").order_by("place"))
    unused = {name: sum(max(0, child.budget[name] - spent_by(child)[name]) for child in children) for name in SHARED}
    record_results(run, lease, [(call, _found(children, call, unused))])


def _found(children: Sequence[Run], call: ToolCall, unused: dict[str, int]) -> CallResult:
    asked = call.args["questions"]
    findings = [_finding(child, one) for child, one in zip(children, asked, strict=True)]
    told = "; ".join(f"{one['name']}: {one['summary']}" for one in findings)
    return CallResult(
        status="success", summary=told[:1_000], data={"findings": findings}, source="sub-runs", returned=unused
    )


def _finding(child: Run, asked: dict[str, Any]) -> dict[str, Any]:
    report = child.report or {}
    cause = report.get("root_cause") or {}
    return {
        "name": f"S{child.place}", "run": child.pk, "hypothesis": asked["hypothesis"], "question": asked["question"],
        "outcome": child.outcome, "summary": report.get("summary") or child.failure or RunState(child.state).label,
        "reasoning": cause.get("mechanism", ""), "claims": [_claim(child, claim) for claim in report.get("claims", [])],
        "ruled_out": [ruled["statement"] for ruled in report.get("ruled_out", [])],
        "not_checked": [one["what"] for one in report.get("not_checked", [])], "stopped_by": child.stopped_by,
    }  # fmt: skip


def _claim(child: Run, claim: dict[str, Any]) -> dict[str, Any]:
    kept = {name: claim.get(name) for name in ("statement", "role", "kind", "quote", "figure", "value", "at")}
    return kept | {"evidence": f"S{child.place}.{claim['evidence']}" if claim.get("evidence") else ""}
