"""drive(): the whole agent on one screen. Each state does one thing, each change is one committed Step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

from django.conf import settings
from django.db import transaction

from agent.budget import backoff_s, left, limit_reached
from agent.errors import PlannerFault, Temporary
from agent.evaluate import PastCall, checked_facts, loop_found, problems, report_so_far, settle
from agent.execute import Watch, execute_move, look_at_sources
from agent.goal import asks_for_ticket
from agent.grounding import Exhibit
from agent.planner import Hypothesis, Move, Planner, Returned, ToolDescription, Transcript, Usage
from agent.proposals import DELEGATES, Proposal, proposals
from agent.toolhost import ToolHost
from agent.transcript import Story, hypothesis, returned
from runs import breaker, clock, faults
from runs.models import Evidence, Run, Step, ToolCall
from runs.services import calls as ledger
from runs.services import drive as record
from runs.services import model_calls
from runs.services.append import Overtaken
from runs.services.halt import is_halted
from runs.services.leases import Lease
from runs.services.policies import Wanted, judge
from runs.services.spending import spent_today
from runs.services.subruns import delegate, delegated
from runs.states import CallStatus, RunState
from tools import registry
from tools.base import Risk, Tool
from tools.generate_report import Report

MAX_ATTEMPTS = 50  # of one model call, some three hours of an API's bad day, before the run fails


@dataclass(frozen=True, slots=True)
class Outfit:
    """What a drive needs besides the run: who thinks, who acts, who hears of deadlines and text, when to stop."""

    planner: Planner
    host: ToolHost
    watch: Watch = field(default=lambda deadline_s: None)
    on_text: Callable[[Run, str], None] = field(default=lambda run, text: None)
    should_stop: Callable[[], bool] = field(default=lambda: False)
    delegate: Callable[[Run, Lease, ToolCall], None] = field(default=delegate)


def drive(run: Run, lease: Lease, outfit: Outfit) -> None:
    """Move the run until it waits or ends, or the lease is somebody else's. Safe to repeat: rows tell where it is."""
    story = Story()
    while run.is_active and not _is_held(run) and not outfit.should_stop() and not is_halted():
        try:
            match run.state:
                case RunState.QUEUED:
                    _begin(run, lease, outfit)
                case RunState.PLAN:
                    _plan(run, lease, outfit, story)
                case RunState.EXECUTE_TOOL:
                    _execute(run, lease, outfit, story)
                case RunState.EVALUATE:
                    _evaluate(run, lease, story)
        except Overtaken:
            run.refresh_from_db()
            story = Story()
            if run.lease_epoch != lease.epoch:
                return


def _is_held(run: Run) -> bool:
    return bool(run.hold_reason) and run.is_held(clock.now())


def _begin(run: Run, lease: Lease, outfit: Outfit) -> None:
    found = look_at_sources(run, outfit.host, outfit.watch)
    record.begin(run, lease, found["sources"], found["alert"])


def _plan(run: Run, lease: Lease, outfit: Outfit, story: Story) -> None:
    if limit := _limit(run):
        record.conclude(run, lease, rationale="", hypotheses=run.hypotheses, request={}, stopped_by=limit)
    elif away_s := breaker.wait_s(run.planner):
        model_calls.hold_for_retry(run, lease, _in(away_s), "The model's API is being left alone for a while.")
    elif not model_calls.reserve(run, lease, outfit.planner.ceiling_micro_usd):
        limit = "the day's money is spent or set aside"
        record.conclude(run, lease, rationale="", hypotheses=run.hypotheses, request={}, stopped_by=limit)
    else:
        _ask_planner(run, lease, outfit, story)


def _ask_planner(run: Run, lease: Lease, outfit: Outfit, story: Story) -> None:
    story.extend(Step.objects.filter(run=run, seq__gt=story.seen).order_by("seq"), lambda seq: _results(run, seq))
    outfit.watch(settings.MODEL_TIMEOUT_S)
    try:
        with faults.at("model.call"):
            on_text = partial(outfit.on_text, run)
            move = outfit.planner.next(_transcript(run, story), _offered(run, story), left(run), on_text)
    except PlannerFault as fault:
        _meet(run, lease, fault)
    else:
        breaker.report_answer(run.planner)
        # Judged before the transaction: looking for copied text in large results takes a while.
        facts = checked_facts(move.hypotheses, _exhibits(run, story))
        within = move.requests[: left(run).tool_calls]  # those behind the cap are told that they were not run
        planned = proposals(within, run.team.may_use, reads_only=run.parent_id is not None)
        _accept(run, lease, move, facts, [] if move.is_conclusion else _ruled(run, planned))


@faults.point("move.keep")
@transaction.atomic
def _accept(
    run: Run, lease: Lease, move: Move, facts: list[dict[str, Any]], calls: Sequence[ledger.PlannedCall]
) -> None:
    """The answer and what it leads to, in one commit: nothing acts on an answer that was not kept."""
    model_calls.record_model_call(run, lease, _answer(move), _spent(move.usage))
    if move.is_conclusion:
        record.conclude(run, lease, rationale=move.rationale, hypotheses=facts, request=asdict(move.requests[0]))
        return
    record.choose_tools(run, lease, calls, rationale=move.rationale, answer=move.answer, hypotheses=facts)


def _ruled(run: Run, proposed: Sequence[Proposal]) -> list[ledger.PlannedCall]:
    judged = judge(run, [Wanted(proposal.request.tool, proposal.risk, proposal.args) for proposal in proposed])
    return [
        ledger.PlannedCall(
            proposal.request.id, proposal.request.tool, proposal.args, proposal.risk, what.ruling, proposal.problem,
            what.taint,
        )
        for proposal, what in zip(proposed, judged, strict=True)
    ]  # fmt: skip


def _execute(run: Run, lease: Lease, outfit: Outfit, story: Story) -> None:
    if settings.SUB_RUNS and run.parent_id is None and (call := delegated(run, DELEGATES)):
        outfit.delegate(run, lease, call)
    elif asking := execute_move(run, lease, outfit.host, outfit.watch):
        why = Step.objects.get(run=run, seq=run.plan_seq).payload["rationale"]
        record.ask_approval(run, lease, asking, why, _so_far(run, story))
    elif run.state == RunState.EXECUTE_TOOL:
        ledger.tools_returned(run, lease, ToolCall.objects.filter(run=run, plan_seq=run.plan_seq).count())


def _evaluate(run: Run, lease: Lease, story: Story) -> None:
    """Ours, not the model's: check the conclusion if there is one, stop at a limit, else plan again."""
    came_by = Step.objects.filter(run=run, after=RunState.EVALUATE).exclude(before=RunState.EVALUATE).latest("seq")
    stopped_by = came_by.payload.get("stopped_by") or _limit(run) or loop_found(_past_calls(run))
    if conclusion := came_by.payload.get("request"):
        _judge(run, lease, story, conclusion["args"], stopped_by)
    elif stopped_by:
        record.finish(run, lease, _so_far(run, story, stopped_by))
    else:
        record.replan(run, lease, words="Go on with what was found.", partial=_so_far(run, story))


def _judge(run: Run, lease: Lease, story: Story, conclusion: dict[str, Any], stopped_by: str) -> None:
    """Check a conclusion. What does not hold is sent back once; after that it is listed as such."""
    try:
        settled = settle(Report.model_validate(conclusion), _exhibits(run, story), run.as_of)
        wrong = problems(settled)
    except ValueError as error:
        settled = _so_far(run, story, stopped_by or "the conclusion could not be read")
        wrong = [("report", " ".join(str(error).split())[:800])]
    if wrong and not run.sent_back and not stopped_by:
        record.replan(run, lease, words="Some claims do not hold.", problems=wrong, partial=_so_far(run, story))
    else:
        record.finish(run, lease, settled)


def _meet(run: Run, lease: Lease, fault: PlannerFault) -> None:
    """A fault worth another try holds the run until then, no worker waits; anything else fails it.

    What the API had counted until then is paid for either way.
    """
    spent = _spent(fault.usage)
    if not isinstance(fault, Temporary):
        record.fail(run, lease, fault.code, str(fault), spent)
        return
    wait_s = backoff_s(run.attempt, fault.retry_after_s)
    breaker.report_fault(run.planner, None if fault.retry_after_s is None else wait_s)
    if run.attempt >= MAX_ATTEMPTS:
        record.fail(run, lease, fault.code, f"{fault} Tried {run.attempt} times.", spent)
    else:
        model_calls.hold_for_retry(run, lease, _in(wait_s), str(fault), attempt=run.attempt + 1, spent=spent)


def _in(seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)


def _so_far(run: Run, story: Story, stopped_by: str = "") -> dict[str, Any]:
    """The report from the hypotheses as they stand: final when something stopped the run, else marked as partial."""
    report = report_so_far([hypothesis(entry) for entry in run.hypotheses], run.answer, stopped_by)
    return settle(report, _exhibits(run, story), run.as_of, stopped_by=stopped_by, partial=not stopped_by)


def _limit(run: Run) -> str:
    return limit_reached(run, spent_today(), settings.DAILY_MICRO_USD)


def _results(run: Run, plan_seq: int) -> Sequence[Returned]:
    # What a person edited stands there twice; the planner gets one answer to its one request.
    calls = (
        ToolCall.objects.filter(run=run, plan_seq=plan_seq)
        .exclude(status=CallStatus.EDITED)
        .select_related("evidence")
        .defer("evidence__body")
    )
    return [returned(call) for call in calls]


def _exhibits(run: Run, story: Story) -> dict[str, Exhibit]:
    """All evidence of the run; only what came since the last look is read."""
    story.add_evidence(Evidence.objects.filter(run=run, number__gt=len(story.exhibits)).defer("body"))
    if story.delegated > story.fetched:
        story.add_theirs(Evidence.objects.filter(run__parent=run).select_related("run").defer("body"))
    return {**story.exhibits, **story.theirs} if story.theirs else story.exhibits


def _past_calls(run: Run) -> list[PastCall]:
    rows = ToolCall.objects.filter(run=run).values_list("plan_seq", "tool", "args_sha256", "status")
    return [PastCall(plan_seq, f"{tool} {digest}", status) for plan_seq, tool, digest, status in rows]


def _transcript(run: Run, story: Story) -> Transcript:
    asked = asks_for_ticket(run.goal) or bool(run.alert.get("create_ticket"))
    wants_ticket = asked and run.parent_id is None  # a sub-run only reads
    items = tuple(story.items)
    before = story.before = _before(run) if story.before is None else story.before
    return Transcript(run.goal, run.as_of, run.focus_at, run.alert, story.sources, wants_ticket, items, before)


def _before(run: Run) -> dict[str, Any]:
    """What came of the run that this one goes on from."""
    if run.follows is None:
        return {}
    report = run.follows.report or {}
    facts = [claim["statement"] for claim in report.get("claims", [])]
    return {"goal": run.follows.goal, "outcome": run.follows.outcome, "answer": run.follows.answer, "facts": facts}


def _offered(run: Run, story: Story) -> list[ToolDescription]:
    kinds = {source.kind for source in story.sources if not source.problem}
    return [
        _description(tool.name)
        for tool in registry.all_tools().values()
        if (not tool.needs or kinds & set(tool.needs)) and run.team.may_use(tool.name) and _is_for(run, tool)
    ]


def _is_for(run: Run, tool: Tool) -> bool:
    """A sub-run only reads; only a run that is none has sub-runs, where they are switched on."""
    if tool.name == DELEGATES:
        return bool(settings.SUB_RUNS) and run.parent_id is None
    return run.parent_id is None or tool.risk == Risk.READ


@cache
def _description(tool: str) -> ToolDescription:
    # Making the schemas anew would cost each model call about 20 ms.
    found = registry.get(tool)
    return ToolDescription(found.name, found.summary, found.risk.value, found.params.model_json_schema())


def _answer(move: Move) -> dict[str, Any]:
    """All of a model's answer, as it is kept: a replay plays it again without the model."""
    return {"model": move.usage.model, **asdict(move), "hypotheses": [_plain(h) for h in move.hypotheses]}


def _plain(hypothesis: Hypothesis) -> dict[str, Any]:
    return {**asdict(hypothesis), "facts": [fact.model_dump(mode="json") for fact in hypothesis.facts]}


def _spent(usage: Usage) -> model_calls.Spent:
    tokens_in = usage.input_tokens + usage.cache_write_tokens + usage.cache_read_tokens
    return model_calls.Spent(
        tokens_in, usage.output_tokens, usage.cache_read_tokens, usage.cost_micro_usd, not usage.is_estimate
    )


__all__ = ["MAX_ATTEMPTS", "Outfit", "drive"]
