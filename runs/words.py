"""The words and colours people see for a run's state and outcome; pure, shared by pages, terminal and report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runs.models import Run
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

STATES = {
    RunState.QUEUED: Badge("queued", "Queued", "grey"),
    RunState.PLAN: Badge("half", "Planning", "blue"),
    RunState.EXECUTE_TOOL: Badge("half", "Gathering evidence", "blue"),
    RunState.EVALUATE: Badge("half", "Checking", "blue"),
    RunState.NEEDS_APPROVAL: Badge("hand", "Waiting for approval", "amber"),
    RunState.FAILED: Badge("cross", "OpsPilot failed", "red"),
    RunState.CANCELLED: Badge("dash", "Cancelled", "grey"),
}
OUTCOMES = {
    Outcome.CONFIRMED: Badge("check", "Cause confirmed", "green"),
    Outcome.LIKELY: Badge("likely", "Likely cause", "green-outline"),
    Outcome.INCONCLUSIVE: Badge("question", "No clear cause", "grey"),
    Outcome.NO_FAULT: Badge("circle", "No fault found", "grey"),
}
VERDICTS = {
    "quote_found": ("check", "quote found"),
    "number_matches": ("check", "number matches"),
    "nothing_found": ("empty", "searched, nothing found"),
    "inference": ("therefore", "inference"),
    "not_in_evidence": ("cross", "not in evidence"),
}


def badge_of(run: Run, now: datetime) -> Badge:
    """What the run's badge says. DONE is never shown alone: the outcome takes its place."""
    if run.state == RunState.DONE:
        return _outcome_badge(run)
    if not run.is_terminal and run.is_held(now):
        return _hold_badge(run)
    return STATES[RunState(run.state)]


def _outcome_badge(run: Run) -> Badge:
    badge = (
        OUTCOMES.get(Outcome(run.outcome), OUTCOMES[Outcome.INCONCLUSIVE])
        if run.outcome
        else OUTCOMES[Outcome.INCONCLUSIVE]
    )
    return Badge(badge.icon, f"{badge.word} · stopped early", badge.colour) if run.stopped_by else badge


def _hold_badge(run: Run) -> Badge:
    if run.hold_until is None:
        who = run.held_by.removeprefix("user:")
        return Badge("pause", f"Held by {who}" if who else "Held", "grey")
    words = f"Retrying {run.hold_until:%H:%M:%S}"
    return Badge("retry", f"{words} · attempt {run.attempt + 1}" if run.attempt else words, "blue-outline")


def call_word(status: str) -> str:
    return CallStatus(status).label if status in CallStatus.values else status
