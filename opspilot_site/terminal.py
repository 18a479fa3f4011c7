"""A run as lines of text: Steps in, lines out. Knows neither a database nor a file; the commands print."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runs.models import Approval, Run, Step
from runs.presentation.display import reveal
from runs.presentation.formats import clock, duration, plural, zone_name
from runs.presentation.slices import cost_in_words
from runs.presentation.timeline import args_in_words
from runs.presentation.words import ANSWERS, OUTCOMES, QUESTION, Badge, badge_of, said_by
from runs.states import ApprovalKind, CallStatus, Outcome, StepKind

TEXT_COLUMN = 26
NARROWEST = 60
LINES_A_STEP = 3
COLOURS = {"amber": "33", "blue": "34", "green": "32", "red": "31", "grey": "2"}
RESULT_GLYPHS = {
    CallStatus.SUCCESS: ("✓", "green"),
    CallStatus.TRUNCATED: ("✓", "green"),
    CallStatus.NO_DATA: ("∅", "grey"),
    CallStatus.ERROR: ("✗", "red"),
}


@dataclass(frozen=True, slots=True)
class Look:
    """How to draw. Width None (a pipe) cuts nothing off."""

    width: int | None = None
    colour: bool = False

    def paint(self, text: str, colour: str) -> str:
        return f"\033[{COLOURS[colour]}m{text}\033[0m" if self.colour and colour in COLOURS else text

    def fit(self, text: str, used: int) -> list[str]:
        """Text from anywhere on at most LINES_A_STEP lines of what is left of the width; never empty."""
        flat = " ".join(reveal(text).split())
        if self.width is None:
            return [flat]
        room = max(self.width, NARROWEST) - used
        return textwrap.wrap(flat, room, max_lines=LINES_A_STEP, placeholder=" …", break_on_hyphens=False) or [""]


class Stream:
    """Turns the Steps of one run, in order, into lines."""

    def __init__(self, look: Look, approval: Callable[[int], Approval], decide_at: Callable[[Approval], str]):
        self._look = look
        self._approval = approval
        self._decide_at = decide_at
        self._asked: dict[int, dict[str, Any]] = {}  # a call's arguments, until it returns
        self._is_gathering = False
        self._weighed = ""

    def lines(self, step: Step) -> list[str]:
        match step.kind:
            case StepKind.TRANSITION:
                return self._transition(step, step.payload)
            case StepKind.TOOL_INTENT:
                self._asked[step.payload["call"]] = step.payload["args"]
                return []
            case StepKind.TOOL_RESULT:
                return self._result(step, step.payload)
            case StepKind.VOTE:
                return self._vote(step, step.payload)
            case StepKind.NOTE:
                return self._line(step.at, "✎", "note", f"{said_by(step.actor)}: {step.payload['text']}")
            case StepKind.HOLD:
                return self._hold(step, step.payload)
        return []

    def _transition(self, step: Step, payload: dict[str, Any]) -> list[str]:
        match step.name:
            case "begin":
                return self._begin(payload)
            case "choose_tools":
                self._is_gathering = False
                return self._line(step.at, "◐", "planning", payload["rationale"], "blue") + self._weigh(payload)
            case "conclude":
                return self._weigh(payload) + self._line(step.at, "◐", "concluding", payload["rationale"], "blue")
            case "tools_returned":
                kept = f"{plural(payload['calls'], 'result')} kept"
                return self._line(step.at, "◐", "checking", kept, "blue")
            case "replan" if payload["problems"]:
                problems = "; ".join(f"{claim}: {why}" for claim, why in payload["problems"])
                return self._line(step.at, "↻", "sent back", f"{payload['words']} {problems}", "amber")
            case "ask_approval":
                return [line for number in payload["approvals"] for line in self._request(step.at, number)]
            case "none_approved":
                return self._line(step.at, "◐", "checking", "nothing was approved; goes on without it", "blue")
            case "finish":
                return self._finish(step.at, payload)
            case "fail":
                return self._line(step.at, "✕", "failed", payload["message"], "red")
            case "cancel":
                return self._line(step.at, "–", "cancelled", payload.get("reason", ""))
        return []

    def _begin(self, payload: dict[str, Any]) -> list[str]:
        """Sources that cannot be read are said at once; the others show in the first results."""
        broken = [source for source in payload.get("sources", []) if source.get("problem")]
        return [
            line for source in broken for line in self._under(f"{source['name']}: {source['problem']}", "⚠", "amber")
        ]

    def _weigh(self, payload: dict[str, Any]) -> list[str]:
        """The hypotheses, where they changed."""
        weighed = hypotheses_in_words(payload["hypotheses"])
        if weighed == self._weighed:
            return []
        self._weighed = weighed
        return [" " * TEXT_COLUMN + self._look.paint(line, "grey") for line in self._look.fit(weighed, TEXT_COLUMN)]

    def _result(self, step: Step, payload: dict[str, Any]) -> list[str]:
        words = args_in_words(self._asked.pop(payload["call"], {}))
        asked = f"{step.name:<15} {self._look.fit(words, TEXT_COLUMN + 16)[0]}".rstrip()
        head = " " * TEXT_COLUMN if self._is_gathering else self._head(step.at, "◐", "gathering", "blue")
        self._is_gathering = True
        glyph, colour = RESULT_GLYPHS.get(payload["status"], ("–", "grey"))
        cut = " (cut short)" if payload["status"] == CallStatus.TRUNCATED else ""
        found = payload["summary"] + cut
        return [head + asked, *self._under(found, glyph, colour, payload.get("evidence", ""))]

    def _request(self, at: datetime, number: int) -> list[str]:
        approval = self._approval(number)
        preview = approval.preview
        glyph, word = (QUESTION.glyph, "happened?") if approval.is_question else ("✋", "approval")
        lines = self._line(at, glyph, word, request_in_words(approval), "amber")
        for label, text in (
            ("what", preview.get("sentence", "")),
            ("where", preview.get("destination", "")),
            ("decide", self._decide_at(approval)),
        ):
            lines += self._labelled(label, str(text)) if text else []
        return lines

    def _vote(self, step: Step, payload: dict[str, Any]) -> list[str]:
        self._is_gathering = False
        reason = f": {payload['reason']}" if payload.get("reason") else ""
        if payload.get("kind") == ApprovalKind.SETTLE and step.name in ANSWERS:
            words = f"by {said_by(step.actor)}: {ANSWERS[step.name]}{reason}"
            return self._line(step.at, "✔", "answered", words, "blue")
        match step.name:
            case "approve":
                return self._line(step.at, "✔", "approved", f"by {said_by(step.actor)}{reason}", "green")
            case "deny":
                return self._line(step.at, "✕", "denied", f"by {said_by(step.actor)}{reason}", "amber")
        return self._line(step.at, "–", "expired", "nobody decided in time")

    def _hold(self, step: Step, payload: dict[str, Any]) -> list[str]:
        match step.name:
            case "retry":
                words = f"again at {clock(payload['until'], seconds=True)}, attempt {payload['attempt'] + 1}"
                return self._line(step.at, "↻", "retrying", f"{words}: {payload['reason']}", "amber")
            case "sub_runs":
                runs = payload["runs"]
                words = f"for {plural(len(runs), 'sub-run')}: {', '.join(map(str, runs))}"
                return self._line(step.at, "◐", "waiting", words, "blue")
            case "release" if step.actor == "system":
                return self._line(step.at, "◐", "going on", "its sub-runs have ended", "blue")
            case "release":
                return self._line(step.at, "◐", "released", f"by {said_by(step.actor)}", "blue")
        return self._line(step.at, "⏸", "held", f"by {said_by(step.actor)}: {payload['reason']}")

    def _finish(self, at: datetime, payload: dict[str, Any]) -> list[str]:
        badge = outcome_badge(payload["outcome"])
        words = f"{badge.word.lower()} · {payload['held']} of {payload['total']} facts hold"
        stopped = f" · stopped early: {payload['stopped_by']}" if payload.get("stopped_by") else ""
        return self._line(at, badge.glyph, "done", words + stopped, badge.colour.partition("-")[0])

    def _line(self, at: datetime, glyph: str, word: str, text: str, colour: str = "") -> list[str]:
        first, *more = self._look.fit(text, TEXT_COLUMN)
        return [self._head(at, glyph, word, colour) + first, *(" " * TEXT_COLUMN + line for line in more)]

    def _head(self, at: datetime, glyph: str, word: str, colour: str = "") -> str:
        gap = " " * (15 - _columns(glyph) - 1 - len(word))
        return f"{clock(at, seconds=True)}  {self._look.paint(glyph, colour)} {word}{gap} "

    def _under(self, text: str, glyph: str, colour: str, evidence: str = "") -> list[str]:
        first, *more = self._look.fit(text, TEXT_COLUMN)
        head = f"{evidence:>22} {self._look.paint(glyph, colour)}  "
        return [head + first, *(" " * TEXT_COLUMN + line for line in more)]

    def _labelled(self, label: str, text: str) -> list[str]:
        first, *more = self._look.fit(text, TEXT_COLUMN)
        return [f"{'':13}{label:<13}{first}", *(" " * TEXT_COLUMN + line for line in more)]


def opening(run: Run) -> list[str]:
    """The two lines before the stream."""
    return [f"Run {run.pk}  “{' '.join(reveal(run.goal).split())}”", f"Times are {zone_name(run.as_of)}."]


def closing(run: Run, now: datetime, look: Look, sub_runs: Collection[Run] = ()) -> list[str]:
    """Where the run stands: the answer, how well it is founded, and what it cost with its sub-runs."""
    report = run.report or {}
    badge = badge_of(run, now) if run.is_terminal else outcome_badge(report.get("outcome", ""))
    lead = "Answer: " if run.is_terminal else "So far: "
    head = f"{badge.glyph} {badge.word.lower()}"
    text = run.failure or run.answer or "nothing was found yet"
    first, *more = look.fit(text, len(lead) + len(head) + 2)
    indent = " " * len(lead)
    return [
        f"{lead}{look.paint(head, badge.colour.partition('-')[0])}  {first}",
        *(indent + line for line in more),
        indent + " · ".join([*founded_on(report), *spent(run, sub_runs)]),
    ]


def founded_on(report: dict[str, Any]) -> list[str]:
    """`7 of 7 facts checked`, `2 ruled out`, `2 not checked`."""
    checked = report.get("checked") or {"held": 0, "total": 0}
    return [
        f"{checked['held']} of {checked['total']} facts hold",
        f"{len(report.get('ruled_out', []))} ruled out",
        f"{len(report.get('not_checked', []))} not checked",
    ]


def spent(run: Run, sub_runs: Collection[Run]) -> list[str]:
    return [
        duration(run.driven_ms / 1_000),
        plural(run.n_tool_calls, "tool call"),
        cost_in_words(run, sub_runs),
    ]


def hypotheses_in_words(hypotheses: Iterable[dict[str, Any]]) -> str:
    """`supported: pool exhausted (E2 E4) · open: … · ruled out: …`"""
    groups: dict[str, list[str]] = {"supported": [], "open": [], "refuted": []}
    for one in hypotheses:
        names = " ".join(dict.fromkeys(fact["evidence"] for fact in one.get("facts", []) if fact.get("evidence")))
        groups[one["status"]].append(one["statement"] + (f" ({names})" if names else ""))
    words = {"supported": "supported", "open": "open", "refuted": "ruled out"}
    return " · ".join(f"{words[status]}: {', '.join(texts)}" for status, texts in groups.items() if texts)


def request_in_words(approval: Approval) -> str:
    """`create_ticket needs 1 vote, not alice's · expires 04:12`"""
    if approval.is_question:
        return f"{approval.tool} was sent and its answer was lost: did it happen?"
    if approval.owner_may:
        need = "needs its owner's confirmation"
    else:
        need = f"needs {plural(approval.required, 'vote')}, not {said_by(approval.requested_by)}'s"
    return f"{approval.tool} {need} · expires {clock(approval.expires_at, approval.asked_at)}"


def outcome_badge(outcome: str) -> Badge:
    return OUTCOMES[Outcome(outcome or Outcome.INCONCLUSIVE)]


def _columns(glyph: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in glyph)
