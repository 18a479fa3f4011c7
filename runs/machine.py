"""The state machine as a run has walked it: pills for the bar, places and arrows for the drawing. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from runs.models import Run, Step
from runs.states import RunState, StepKind

S = RunState


@dataclass(frozen=True, slots=True)
class Pill:
    """A state in the bar. `mood`: current, passed, ahead."""

    state: str
    word: str
    mood: str


@dataclass(frozen=True, slots=True)
class Place:
    """A state in the drawing, with its centre in the viewBox."""

    state: str
    word: str
    x: int
    y: int
    mood: str
    visits: int

    @property
    def left(self) -> int:
        return self.x - HALF_WIDTH

    @property
    def top(self) -> int:
        return self.y - HALF_HEIGHT


@dataclass(frozen=True, slots=True)
class Arrow:
    """A transition in the drawing; `times` says how often this run took it."""

    event: str
    path: str
    label_x: int
    label_y: int
    times: int
    anchor: str = "middle"

    @property
    def label(self) -> str:
        words = self.event.replace("_", " ")
        return f"{words} ×{self.times}" if self.times > 1 else words


HALF_WIDTH, HALF_HEIGHT = 66, 20
WIDTH, HEIGHT = 900, 300
PLACES = {
    S.QUEUED: (80, 90), S.PLAN: (270, 90), S.EXECUTE_TOOL: (470, 90), S.EVALUATE: (670, 90),
    S.DONE: (825, 40), S.FAILED: (825, 140), S.NEEDS_APPROVAL: (470, 215), S.CANCELLED: (80, 215),
}  # fmt: skip
# event, path, label; drawn by hand for the places above
ARROWS = [
    ("begin", "M146 90H204", 175, 82, "middle"),
    ("choose_tools", "M336 90H404", 370, 82, "middle"),
    ("tools_returned", "M536 90H604", 570, 82, "middle"),
    ("replan", "M660 70C610 12 330 12 282 70", 470, 22, "middle"),
    ("conclude", "M292 110C360 168 580 168 650 110", 370, 160, "middle"),
    ("finish", "M712 70C735 50 745 42 759 40", 700, 50, "end"),
    ("fail", "M712 110C735 130 745 138 759 140", 730, 148, "end"),
    ("ask_approval", "M452 110V195", 444, 186, "end"),
    ("resume", "M488 195V110", 496, 186, "start"),
    ("none_approved", "M536 215C620 215 664 180 668 110", 628, 226, "start"),
]
BAR = [S.QUEUED, S.PLAN, S.EXECUTE_TOOL, S.NEEDS_APPROVAL, S.EVALUATE, S.DONE]
BAR_WORDS = {
    S.QUEUED: "Queued", S.PLAN: "Plan", S.EXECUTE_TOOL: "Gather", S.NEEDS_APPROVAL: "Approval", S.EVALUATE: "Check",
    S.DONE: "Done", S.FAILED: "Failed", S.CANCELLED: "Cancelled",
}  # fmt: skip


def pills(run: Run, steps: Iterable[Step]) -> list[Pill]:
    """The machine in one row. A run that failed or was cancelled ends in that state instead of Done."""
    row = [*BAR[:-1], RunState(run.state)] if run.state in (S.FAILED, S.CANCELLED) else BAR
    visited = {step.after for step in steps if step.kind == StepKind.TRANSITION}
    return [Pill(state, BAR_WORDS[state], _mood(run, state, state in visited)) for state in row]


def _mood(run: Run, state: RunState, was_there: bool) -> str:
    if run.state == state:
        return "current"
    return "passed" if was_there else "ahead"


def drawing(run: Run, steps: Iterable[Step]) -> tuple[list[Place], list[Arrow]]:
    """Every state and transition, with how often this run was there."""
    taken, visits = Counter[str](), Counter[str]()
    for step in steps:
        if step.kind == StepKind.TRANSITION:
            taken[step.name] += 1
            visits[step.after] += 1
    places = [
        Place(state, RunState(state).label, x, y, _mood(run, state, visits[state] > 0), visits[state])
        for state, (x, y) in PLACES.items()
    ]
    return places, [Arrow(event, path, x, y, taken[event], anchor) for event, path, x, y, anchor in ARROWS]
