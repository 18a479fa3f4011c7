"""The only caller of tools: runs a move's calls through the child processes and records how each ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.conf import settings

from agent.toolhost import CallEnd, HostedCall, ToolHost
from agent.toolwire import ContextSpec
from runs import clock, faults, toolbox
from runs.models import Run, Ticket, ToolCall
from runs.models.evidence import find_evidence
from runs.services import calls as ledger
from runs.services.append import Overtaken
from runs.services.binding import Lapse, lapse_at_start
from runs.services.halt import is_halted
from runs.services.leases import Lease, still_holds
from runs.states import RETURNED, CallStatus, Effect
from tools import registry
from tools.base import Risk, Stored, ToolError
from tools.configuration import current
from tools.sources import SourceSpec
from tools.sources.spec import read_options

MOST_TICKETS = 200
TRIES = 2  # of a call whose key settles it, when its process was lost
Watch = Callable[[float], None]  # told the deadline, in seconds from now, of what is about to be waited for


def look_at_sources(run: Run, host: ToolHost, watch: Watch) -> Mapping[str, Any]:
    """What the run can read, asked once at its beginning: {"sources": […], "alert": {…}}."""
    watch(registry.get("list_sources").timeout_s)
    end = host.call(_hosted(run, "list_sources", {}, key=f"look-{run.pk}"))
    return {"sources": [], "alert": {}, **end.result.data}


def ask_once(run: Run, tool: str, args: dict[str, Any], host: ToolHost) -> CallEnd:
    """One call of a `read` tool that no run records, for a person at a shell. `run` need not be stored.

    Raises ToolError for an unknown tool, for arguments it does not take, and for one that could change something.
    """
    if not can_be_asked(tool):
        raise ToolError(f"{tool} is not a tool to read with; it is called only by a run, under its policy.")
    return host.call(_hosted(run, tool, registry.validate(tool, args), key=f"ask-{tool}"))


def can_be_asked(tool: str) -> bool:
    """Whether a person may call it outside of a run: it reads, inside our boundary. Raises ToolError for no tool."""
    return registry.get(tool).risk == Risk.READ and tool != registry.CONCLUSION


def execute_move(run: Run, lease: Lease, host: ToolHost, watch: Watch) -> list[ToolCall]:
    """Run what may run of the current move. Answers the calls that people must be asked about; none: all have ended,
    and a move of nothing but reads has gone on to EVALUATE with their results.

    Reads go first, side by side, recorded in the order they were asked for; then requests to people, all at once; then
    what may change something, one at a time. Repeating it after a crash goes on where the ledger stands.
    """
    calls = list(ToolCall.objects.filter(run=run, plan_seq=run.plan_seq))
    reads = [call for call in calls if _is_read(call) and _may_start(call)]
    of_move = len(calls) if all(call in reads or call.status in RETURNED for call in calls) else None
    _run_side_by_side(run, lease, host, watch, reads, of_move)
    for call in calls:
        if call.status == CallStatus.APPROVED and (lapse := _lapse(call)) and lapse.ask_again:
            ledger.withdraw_call(run, lease, call, lapse)
    if asking := [call for call in calls if call.status == CallStatus.PROPOSED and _needs_people(call)]:
        return asking
    for call in calls:
        if call.status not in RETURNED and call.status != CallStatus.OUTCOME_UNKNOWN:
            _run_alone(run, lease, host, watch, call)
    return [call for call in calls if call.status == CallStatus.OUTCOME_UNKNOWN]


def _is_read(call: ToolCall) -> bool:
    return call.risk in ("read", "read_egress") and not _needs_people(call)


def _may_start(call: ToolCall) -> bool:
    # A read whose process died between intent and result is simply asked again.
    return call.status in (CallStatus.PROPOSED, CallStatus.STARTED)


def _needs_people(call: ToolCall) -> bool:
    return call.effect in (Effect.CONFIRM, Effect.APPROVE)


def _run_side_by_side(
    run: Run, lease: Lease, host: ToolHost, watch: Watch, calls: Sequence[ToolCall], of_move: int | None
) -> None:
    if not calls:
        return
    ledger.start_call(run, lease, *calls)
    watch(_deadline(calls))
    with faults.at("tool.call"):
        ends = host.call_many([_hosted(run, call.tool, call.args, call.key) for call in calls])
    results = [(call, _result(end)) for call, end in zip(calls, ends, strict=True)]
    ledger.record_results(run, lease, results, of_move=of_move)


def _deadline(calls: Sequence[ToolCall]) -> float:
    # They share `parallel` children, so the last one may wait for the others.
    return sum(registry.get(call.tool).timeout_s for call in calls)


def _run_alone(run: Run, lease: Lease, host: ToolHost, watch: Watch, call: ToolCall) -> None:
    """A call that may change something: its approval is consumed with the intent; void or expired ones end here."""
    if call.status == CallStatus.STARTED and not _settles(call):
        ledger.end_call(
            run, lease, call, CallStatus.OUTCOME_UNKNOWN, "The process was lost while this call was under way."
        )
        return
    if _needs_people(call) and (problem := _unusable_approval(call)):
        ledger.end_call(run, lease, call, *problem)
        return
    if is_halted():
        raise Overtaken("everything is halted; no effect starts")
    was_sent = call.status == CallStatus.STARTED
    ledger.start_call(run, lease, call)
    watch(registry.get(call.tool).timeout_s * TRIES)
    end = _called(run, lease, host, call, was_sent)
    if not end.is_certain:
        ledger.end_call(run, lease, call, CallStatus.OUTCOME_UNKNOWN, end.result.summary)
        return
    try:
        ledger.record_results(run, lease, [(call, _result(end))])
    except Overtaken:
        ledger.record_late(call, _result(end))
        raise


def _settles(call: ToolCall) -> bool:
    return registry.get(call.tool).settle == "by_key"


def _called(run: Run, lease: Lease, host: ToolHost, call: ToolCall, was_sent: bool) -> CallEnd:
    """Send the call; where the other side knows its key, a lost answer is settled by sending the same key again.

    Once it was sent, a refusal says nothing of that try (the look-up may have failed): only an answer is certain.
    """
    for _ in range(TRIES):
        if not still_holds(lease):
            raise Overtaken("the lease went to another driver between intent and call; nothing is sent")
        with faults.at("tool.call"):
            end = host.call(_hosted(run, call.tool, call.args, call.key))
        if end.ended == "returned" or (end.is_certain and not was_sent) or not _settles(call):
            return end
        was_sent = True
    return replace(end, ended="raised") if end.is_certain else end


def _lapse(call: ToolCall) -> Lapse | None:
    return lapse_at_start(call, clock.now(), toolbox.operands(call.tool, call.args))


def _unusable_approval(call: ToolCall) -> tuple[CallStatus, str] | None:
    if call.status == CallStatus.STARTED:
        return None  # its approval was consumed by the intent; the same key settles it
    if (lapse := _lapse(call)) is None:
        return None
    return CallStatus.EXPIRED if lapse.code == "expired" else CallStatus.VOID, lapse.words


def _hosted(run: Run, tool: str, args: dict[str, Any], key: str) -> HostedCall:
    found = registry.get(tool)
    context = ContextSpec(
        key=key, as_of=run.as_of, focus=run.focus_at, sources=tuple(_spec(source) for source in run.sources),
        meta=_links(run), tickets=open_tickets(run) if found.reads_tickets and run.team_id else (),
    )  # fmt: skip
    return HostedCall(tool, args, context, found.timeout_s, lambda name: _evidence(run.pk, name))


def _spec(source: Mapping[str, Any]) -> SourceSpec:
    """A source with the options of today's settings: the run keeps no path of a secret, and tokens rotate."""
    options = current().sources
    every, own = options.get("*", {}), options.get(source["name"], {})
    services = {**every.get("services", {}), **own.get("services", {})}
    return SourceSpec(**source, options=read_options({**every, **own, "services": services}))


def open_tickets(run: Run) -> tuple[Mapping[str, str], ...]:
    """The open tickets of the run's team, newest first."""
    rows = Ticket.objects.filter(run__team_id=run.team_id, state=Ticket.State.OPEN)[:MOST_TICKETS]
    return tuple(
        {"name": row.name, "title": row.title, "service": row.service, "url": row.url, "tracker": row.tracker}
        for row in rows
    )


def _links(run: Run) -> dict[str, str]:
    return {"run": str(run.pk), "run_url": f"{settings.PUBLIC_URL}/runs/{run.pk}/"}


def _evidence(run_id: int, name: str) -> Stored:
    row = find_evidence(run_id, name)
    if row is None:
        raise ToolError(f"There is no evidence {name!r} in this run.")
    return Stored(row.data, row.source, row.query, row.freshness)


def _result(end: CallEnd) -> ledger.CallResult:
    result = end.result
    return ledger.CallResult(
        status=result.status.value, summary=result.summary, data=result.data, figures=result.figures,
        query=result.query, source=result.source, freshness=result.freshness, skipped=result.skipped,
        duration_ms=end.duration_ms,
    )  # fmt: skip
