"""A run's record without what may differ between two lives of it: ids, times, epochs, and what a crash repeats."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from agent.proposals import DELEGATES
from runs.models import Approval, Evidence, Run, Step, ToolCall
from runs.states import StepKind

# The key and the digests are of arguments that hold the case's name, and of the run's number. What comes back of the
# sub-runs' slices is less where one thought was lost.
VOLATILE = {"key", "duration_ms", "args_sha256", "bound", "parent", "returned"}


def normal_record(run: Run, case: str) -> list[str]:
    """Lines to compare: the log, then what the rows say at the end."""
    calls = {call.pk: place for place, call in enumerate(ToolCall.objects.filter(run=run))}
    approvals = {approval.pk: place for place, approval in enumerate(Approval.objects.filter(run=run).order_by("id"))}
    lines = [_line(step, calls, approvals) for step in _once(run.steps.order_by("seq"))]
    lines += [
        [call.tool, call.args, call.status, call.summary, call.effect] for call in ToolCall.objects.filter(run=run)
    ]
    lines += [
        [row.kind, row.state, row.required, sorted(row.votes.values_list("user__username", "approve"))]
        for row in Approval.objects.filter(run=run).order_by("id")
    ]
    lines += [[row.name, row.status, _kept(row)] for row in Evidence.objects.filter(run=run).select_related("call")]
    lines.append([run.state, run.outcome, run.report, run.answer, run.cycle, run.n_tool_calls, run.failure_code])
    told = [json.dumps(line, sort_keys=True).replace(case, "CASE") for line in lines]
    told += [line for part in run.sub_runs.order_by("place") for line in normal_record(part, case)]
    return [line.replace(f"run {run.pk} was cancelled", "run PARENT was cancelled") for line in told]


def _kept(row: Evidence) -> Any:
    """What was kept, by its digest; of findings, which name the sub-runs' numbers, all but those."""
    if row.call.tool != DELEGATES:
        return row.sha256
    return [{name: value for name, value in finding.items() if name != "run"} for finding in row.data["findings"]]


def _once(steps: Sequence[Step]) -> list[Step]:
    """The log without a model call that was asked again, and without the second intent of a call."""
    log, started = list(steps), set()
    kept = []
    for step, after in zip(log, [*log[1:], None], strict=True):
        if step.kind == StepKind.MODEL_CALL and after is not None and after.kind == StepKind.MODEL_CALL:
            continue
        if step.kind == StepKind.TOOL_INTENT:
            if step.payload["call"] in started:
                continue
            started.add(step.payload["call"])
        kept.append(step)
    return kept


def _line(step: Step, calls: dict[int, int], approvals: dict[int, int]) -> list[Any]:
    payload = {name: value for name, value in step.payload.items() if name not in VOLATILE}
    if "call" in payload:
        payload["call"] = calls[payload["call"]]
    if "approval" in payload:
        payload["approval"] = approvals[payload["approval"]]
    if "approvals" in payload:
        payload["approvals"] = [approvals[one] for one in payload["approvals"]]
    if "runs" in payload:
        payload["runs"] = list(Run.objects.filter(pk__in=payload["runs"]).order_by("place").values_list("place"))
    if step.name == DELEGATES:
        payload.pop("sha256", None)
    return [step.kind, step.name, step.before, step.after, step.actor, payload]
