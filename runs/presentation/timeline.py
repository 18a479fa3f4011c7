"""A run's Steps as the lines and cycles that people read. Pure: Steps in, values out; no query, no HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runs.models import Step
from runs.presentation.formats import clock, duration, money, plural
from runs.presentation.words import ANSWERS, OUTCOMES, call_word, said_by
from runs.states import ApprovalKind, CallStatus, Outcome, StepKind

VOTES = {
    "approve": "approved", "deny": "denied:", "expire": "Nobody decided in time",
    "edit": "changed the arguments; others vote on the new request", "void": "The request no longer stands:",
}  # fmt: skip
VOTE_ICONS = {"approve": "check", "edit": "retry", "void": "dash"}
Args = Mapping[int, Mapping[str, Any]]  # the arguments of a run's calls, by the call's id
NEW_CYCLE = frozenset({"begin", "replan"})  # the transitions that enter PLAN
QUIET_ARGS = frozenset({"limit", "ignore_case", "step_s", "aggregation"})
ARGS_SHOWN = 140  # characters of a call's arguments on its line
TOOL_ICONS = {
    CallStatus.SUCCESS: "check", CallStatus.TRUNCATED: "check", CallStatus.NO_DATA: "empty", CallStatus.ERROR: "warn",
    CallStatus.DENIED: "cross", CallStatus.EXPIRED: "cross", CallStatus.REFUSED: "cross", CallStatus.VOID: "dash",
    CallStatus.EDITED: "retry", CallStatus.OUTCOME_UNKNOWN: "warn",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One step as one line. A loud line is never folded away; `words` are ours, `quoted` came from elsewhere."""

    seq: int
    cycle: int
    at: datetime
    icon: str
    words: str
    quoted: str = ""
    who: str = ""
    detail: str = ""
    tone: str = ""  # amber, red, green: as a badge's colours
    loud: bool = False
    call: int = 0
    evidence: str = ""
    approvals: tuple[int, ...] = ()
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Cycle:
    """One round of plan, gather, check. Cycle 0 is what happened before the first plan."""

    number: int
    lines: tuple[Line, ...]
    summary: str
    is_current: bool = False


@dataclass
class _Tally:
    """What a cycle did, for its title."""

    searches: int = 0
    empty: int = 0
    errors: int = 0
    refuted: set[str] = field(default_factory=set)

    def words(self) -> str:
        parts = [
            plural(self.searches, "search", "searches") if self.searches else "",
            f"{self.empty} without data" if self.empty else "",
            plural(self.errors, "error") if self.errors else "",
            f"{len(self.refuted)} ruled out" if self.refuted else "",
        ]
        return ", ".join(part for part in parts if part)


def cycles(steps: Iterable[Step], args: Args, first_cycle: int = 0) -> list[Cycle]:
    """All cycles of these Steps in order; the last one is current. `first_cycle` is that of the first Step."""
    grouped: dict[int, list[Line]] = {}
    tallies: dict[int, _Tally] = {}
    refuted_before: set[str] = set()
    for step, number in numbered(steps, first_cycle):
        line = line_of(step, number, args)
        grouped.setdefault(number, []).append(line)
        _count(tallies.setdefault(number, _Tally()), step, refuted_before)
    last = max(grouped, default=0)
    return [
        Cycle(number, _without_answered_starts(lines), tallies[number].words(), number == last)
        for number, lines in grouped.items()
    ]


def numbered(steps: Iterable[Step], first_cycle: int) -> Iterable[tuple[Step, int]]:
    """Each Step with its cycle; entering PLAN opens the next one."""
    number = first_cycle
    for step in steps:
        if step.kind == StepKind.TRANSITION and step.name in NEW_CYCLE:
            number += 1
        yield step, number


def line_of(step: Step, cycle: int, args: Args) -> Line:
    """One Step in words."""
    return _BY_KIND[StepKind(step.kind)](step, cycle, step.payload, args)


def _without_answered_starts(lines: list[Line]) -> tuple[Line, ...]:
    """A call that has returned is one line, not two."""
    answered = {line.call for line in lines if line.kind == StepKind.TOOL_RESULT}
    return tuple(line for line in lines if line.kind != StepKind.TOOL_INTENT or line.call not in answered)


def _count(tally: _Tally, step: Step, refuted_before: set[str]) -> None:
    payload = step.payload
    if step.kind == StepKind.TOOL_RESULT:
        tally.searches += 1
        tally.empty += payload.get("status") == CallStatus.NO_DATA
        tally.errors += payload.get("status") == CallStatus.ERROR
    refuted = {item.get("id", "") for item in payload.get("hypotheses", []) if item.get("status") == "refuted"}
    tally.refuted |= refuted - refuted_before
    refuted_before |= refuted


def args_in_words(args: Mapping[str, Any]) -> str:
    """`pattern "timed out" · level ERROR · since last 5 hours`: what was really asked, without what is usual."""
    shown = [
        f"{name} {_value(value)}"
        for name, value in args.items()
        if value not in ("", None, [], {}) and name not in QUIET_ARGS
    ]
    words = " · ".join(shown)
    return words if len(words) <= ARGS_SHOWN else words[: ARGS_SHOWN - 1] + "…"


def _value(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return "; ".join(": ".join(str(part) for part in one.values() if part) for one in value)
    return f'"{value}"' if isinstance(value, str) and " " in value else str(value)


Payload = Mapping[str, Any]


def _transition(step: Step, cycle: int, payload: Payload, args: Args) -> Line:
    match step.name:
        case "create":
            return _line(step, cycle, "note", "Asked:", quoted=payload.get("goal", ""))
        case "begin":
            return _line(step, cycle, "half", "The investigation begins")
        case "choose_tools":
            count = len(payload.get("requests", []))
            return _line(step, cycle, "half", f"Plan, {plural(count, 'call')}:", quoted=payload.get("rationale", ""))
        case "conclude":
            return _line(step, cycle, "half", "Concludes:", quoted=payload.get("rationale", ""))
        case "tools_returned":
            return _line(step, cycle, "half", f"{plural(payload.get('calls', 0), 'call')} returned, checking")
        case "replan":
            return _replan(step, cycle, payload)
        case "ask_approval" | "resume" | "none_approved":
            return _approval_transition(step, cycle, payload)
        case _:
            return _ending(step, cycle, payload)


def _replan(step: Step, cycle: int, payload: Payload) -> Line:
    problems = payload.get("problems", [])
    if not problems:
        return _line(step, cycle, "half", "Goes on:", quoted=payload.get("words", ""))
    detail = "; ".join(f"{claim}: {why}" for claim, why in problems)
    words = f"{plural(len(problems), 'claim')} did not hold, sent back:"
    return _line(step, cycle, "cross", words, quoted=detail, loud=True)


def _approval_transition(step: Step, cycle: int, payload: Payload) -> Line:
    approvals = tuple(payload.get("approvals", []))
    if step.name == "ask_approval":
        words = "Waits for a person"
        return _line(step, cycle, "hand", words, tone="amber", loud=True, approvals=approvals)
    words = "Goes on with what was decided" if step.name == "resume" else "Nothing was approved; goes on without it"
    return _line(step, cycle, "half", words, approvals=approvals)


def _ending(step: Step, cycle: int, payload: Payload) -> Line:
    match step.name:
        case "finish":
            badge = OUTCOMES[Outcome(payload.get("outcome", Outcome.INCONCLUSIVE))]
            checked = f"{payload.get('held', 0)} of {payload.get('total', 0)} facts hold"
            tone = "green" if badge.colour.startswith("green") else ""
            return _line(step, cycle, badge.icon, f"{badge.word}: {checked}", tone=tone, loud=True)
        case "fail":
            return _line(
                step, cycle, "cross", "OpsPilot failed:", quoted=payload.get("message", ""), tone="red", loud=True
            )
        case "cancel":
            return _line(step, cycle, "dash", "Cancelled", quoted=payload.get("reason", ""), loud=True)
        case _:
            return _other(step, cycle, payload, {})


def _model_call(step: Step, cycle: int, payload: Payload, args: Args) -> Line:
    if step.name != "claude":
        return _line(step, cycle, "half", "The offline analyst thought")
    spent = tokens_in_words(payload.get("usage", {}))
    return _line(step, cycle, "half", f"Claude answered · {spent}", detail=payload.get("model", ""))


def tokens_in_words(usage: Payload) -> str:
    """`12,400 tokens in (11,000 from the cache), 310 out · $0.01`; a price that is not known is said to be so."""
    cached = usage.get("cache_read_tokens") or 0
    sent = (usage.get("input_tokens") or 0) + (usage.get("cache_write_tokens") or 0) + cached
    kept = f" ({cached:,} from the cache)" if cached else ""
    cost = usage.get("cost_micro_usd")
    price = money(cost) if cost is not None else "price not known"
    return f"{sent:,} tokens in{kept}, {usage.get('output_tokens') or 0:,} out · {price}"


def _tool_intent(step: Step, cycle: int, payload: Payload, args: Args) -> Line:
    asked = args_in_words(payload.get("args", {}))
    return _line(step, cycle, "tool", f"{step.name} runs", detail=asked, call=payload.get("call", 0))


def _tool_result(step: Step, cycle: int, payload: Payload, args: Args) -> Line:
    status = payload.get("status", "")
    ok = status in (CallStatus.SUCCESS, CallStatus.TRUNCATED)
    call, skipped = payload.get("call", 0), payload.get("skipped", 0)
    spent = duration(payload["duration_ms"] / 1_000) if payload.get("duration_ms") else ""
    extra = [args_in_words(args.get(call, {})), f"{plural(skipped, 'malformed row')} skipped" if skipped else "", spent]
    words = step.name if ok else f"{step.name}: {call_word(status).lower()}."
    return _line(
        step, cycle, TOOL_ICONS.get(status, "dash"), words, quoted=payload.get("summary", ""), call=call,
        detail=" · ".join(part for part in extra if part), evidence=payload.get("evidence", ""),
        loud=not ok or skipped > 0, tone="red" if status == CallStatus.ERROR else "",
    )  # fmt: skip


def _vote(step: Step, cycle: int, payload: Payload, args: Args) -> Line:
    icon = VOTE_ICONS.get(step.name, "cross")
    words = VOTES.get(step.name, step.name)
    if payload.get("kind") == ApprovalKind.SETTLE and step.name in ANSWERS:
        words = f"says: {ANSWERS[step.name]}"
    asked = (payload["approval"],) if payload.get("approval") else ()
    return _line(step, cycle, icon, words, quoted=payload.get("reason", ""), approvals=asked, loud=True)


def _note(step: Step, cycle: int, payload: Payload, args: Args) -> Line:
    return _line(step, cycle, "note", "noted:", quoted=payload.get("text", ""), loud=True)


def _hold(step: Step, cycle: int, payload: Payload, args: Args) -> Line:
    reason = payload.get("reason", "")
    if step.name == "retry":
        words = f"Tries again at {clock(payload.get('until'), seconds=True)}:"
        return _line(step, cycle, "retry", words, quoted=reason, detail=_paid_anyway(payload), loud=True)
    if step.name == "sub_runs":
        words = f"Waits for {plural(len(payload.get('runs', [])), 'sub-run')}"
        return _line(step, cycle, "half", words, loud=True)
    if step.name == "release" and step.actor == "system":
        return _line(step, cycle, "half", "Its sub-runs have ended", who="", loud=True)
    if step.name == "release":
        return _line(step, cycle, "half", "released it", loud=True)
    return _line(step, cycle, "pause", "holds it:", quoted=reason, loud=True)


def _paid_anyway(payload: Payload) -> str:
    """What an answer that broke off cost all the same."""
    if not payload.get("tokens_in"):
        return ""
    cost = payload.get("cost_micro_usd")
    price = f"about {money(cost)}" if cost is not None else "price not known"
    return f"paid all the same: {payload['tokens_in']:,} tokens in, {payload.get('tokens_out') or 0:,} out · {price}"


def _other(step: Step, cycle: int, payload: Payload, args: Args) -> Line:
    return _line(step, cycle, "dash", step.name.replace("_", " "))


def _line(step: Step, cycle: int, icon: str, words: str, **more: Any) -> Line:
    told = {"who": said_by(step.actor), **more}
    return Line(seq=step.seq, cycle=cycle, at=step.at, icon=icon, words=words, kind=step.kind, **told)


_BY_KIND = {
    StepKind.TRANSITION: _transition,
    StepKind.MODEL_CALL: _model_call,
    StepKind.TOOL_INTENT: _tool_intent,
    StepKind.TOOL_RESULT: _tool_result,
    StepKind.VOTE: _vote,
    StepKind.NOTE: _note,
    StepKind.HOLD: _hold,
}
