"""The words and colours people see for a run's state and outcome; pure, shared by pages, terminal and report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runs.models import Run
from runs.presentation.formats import clock, plural, time_left
from runs.states import CallStatus, Outcome, RunState


@dataclass(frozen=True, slots=True)
class Badge:
    """Icon (of static/icons/sprite.svg), word, and colour: amber needs a person, blue moves, red is our fault."""

    icon: str
    word: str
    colour: str

    @property
    def glyph(self) -> str:
        """The same icon as a character, for the terminal and for Markdown."""
        return GLYPHS[self.icon]


GLYPHS = {
    "queued": "◌", "half": "◐", "retry": "↻", "pause": "⏸", "hand": "✋", "warn": "⚠", "check": "✔", "question": "?",
    "circle": "○", "cross": "✕", "dash": "–", "empty": "∅", "therefore": "∴", "likely": "◑",
}  # fmt: skip

HOURS_ONLY_S = 7_200  # of the time left: a badge must fit a phone
STATES = {
    RunState.QUEUED: Badge("queued", "Queued", "grey"),
    RunState.PLAN: Badge("half", "Planning", "blue"),
    RunState.EXECUTE_TOOL: Badge("half", "Gathering evidence", "blue"),
    RunState.EVALUATE: Badge("half", "Checking", "blue"),
    RunState.NEEDS_APPROVAL: Badge("hand", "Waiting for approval", "amber"),
    RunState.FAILED: Badge("cross", "OpsPilot failed", "red"),
    RunState.CANCELLED: Badge("dash", "Cancelled", "grey"),
}
QUESTION = Badge("warn", "Did this happen?", "amber")
OUTCOMES = {
    Outcome.CONFIRMED: Badge("check", "Cause confirmed", "green"),
    Outcome.LIKELY: Badge("likely", "Likely cause", "green-outline"),
    Outcome.INCONCLUSIVE: Badge("question", "No clear cause", "grey"),
    Outcome.NO_FAULT: Badge("circle", "No fault found", "grey"),
}
REMEDIES = {
    "model_unavailable": "The model's service was away for too long. Start it again once it answers.",
    "model_misconfigured": "Ask an administrator to correct the key or the model's name, then start it again.",
    "model_output": "Start it again. If it happens again, use another model or the offline analyst.",
    "poison": "Do not start it again as it is: it ends the process that drives it. The workers' log says where.",
}  # what to do, by a failure's code
REMEDY = "Start it again. If it happens again, the workers' log has the details under this run's number."
ANSWERS = {"approve": "it happened", "deny": "it did not happen"}  # votes on the question whether a call happened
VERDICTS = {
    "quote_found": ("check", "quote found"),
    "number_matches": ("check", "number matches"),
    "nothing_found": ("empty", "searched, nothing found"),
    "inference": ("therefore", "inference"),
    "not_in_evidence": ("cross", "not in evidence"),
}


def badge_of(run: Run, now: datetime, halted_by: str = "") -> Badge:
    """What the run's badge says. DONE is never shown alone: the outcome takes its place.

    `halted_by` is who set the stop switch. Costs a query for a run that waits, unless its requests were fetched.
    """
    if run.state == RunState.DONE:
        return _outcome_badge(run)
    if not run.is_terminal and run.is_held(now) and run.hold_until is None:
        return _hold_badge(run)
    if run.is_active and halted_by:
        return Badge("pause", f"Stopped by {said_by(halted_by)}", "grey")
    if not run.is_terminal and run.is_held(now):
        return _retry_badge(run)
    return _request_badge(run, now) if run.is_waiting else STATES[RunState(run.state)]


def _outcome_badge(run: Run) -> Badge:
    badge = (
        OUTCOMES.get(Outcome(run.outcome), OUTCOMES[Outcome.INCONCLUSIVE])
        if run.outcome
        else OUTCOMES[Outcome.INCONCLUSIVE]
    )
    return Badge(badge.icon, f"{badge.word} · stopped early", badge.colour) if run.stopped_by else badge


def _hold_badge(run: Run) -> Badge:
    if run.is_not_started:
        return Badge("circle", "Not started", "grey")
    if run.waits_for_sub_runs:
        going = len(run.sub_runs_under_way)
        words = f"Waiting for {plural(going, 'sub-run')}" if going else "Its sub-runs ended"
        return Badge("half", words, "blue-outline")
    who = said_by(run.held_by)
    return Badge("pause", f"Held by {who}" if who else "Held", "grey")


def _retry_badge(run: Run) -> Badge:
    words = f"Retrying {clock(run.hold_until, seconds=True)}"
    return Badge("retry", f"{words} · attempt {run.attempt + 1}" if run.attempt else words, "blue-outline")


def _request_badge(run: Run, now: datetime) -> Badge:
    if any(request.is_question for request in run.open_requests):
        return QUESTION
    badge = STATES[RunState.NEEDS_APPROVAL]
    left_s = min(((request.expires_at - now).total_seconds() for request in run.open_requests), default=0)
    if left_s <= 0:
        return badge
    shown_s = left_s if left_s < HOURS_ONLY_S else left_s // 3_600 * 3_600
    return Badge(badge.icon, f"{badge.word} · {time_left(shown_s)} left", badge.colour)


def said_by(actor: str) -> str:
    """`user:bob` → bob, `cli:root` → root on the command line; the driver is not worth a name."""
    kind, _, name = actor.partition(":")
    if kind == "cli":
        return f"{name} (command line)"
    return name or ("" if kind == "driver" else kind)


def call_word(status: str) -> str:
    return CallStatus(status).label if status in CallStatus.values else status
