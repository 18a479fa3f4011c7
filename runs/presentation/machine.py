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

    @property
    def width(self) -> int:
        return 2 * HALF_WIDTH

    @property
    def height(self) -> int:
        return 2 * HALF_HEIGHT


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


HALF_WIDTH, HALF_HEIGHT = 72, 20
PLACES = {
    S.QUEUED: (80, 90), S.PLAN: (290, 90), S.EXECUTE_TOOL: (540, 90), S.EVALUATE: (790, 90),
    S.DONE: (1000, 40), S.FAILED: (1000, 140), S.NEEDS_APPROVAL: (540, 215), S.CANCELLED: (80, 215),
}  # fmt: skip
# event, path, label; drawn by hand for the places above
ARROWS = [
    ("begin", "M152 90H218", 185, 82, "middle"),
    ("choose_tools", "M362 90H468", 412, 82, "middle"),
    ("tools_returned", "M612 90H718", 662, 82, "middle"),
    ("replan", "M780 70C725 12 355 12 302 70", 540, 20, "middle"),
    ("conclude", "M312 110C390 172 690 172 768 110", 400, 160, "middle"),
    ("finish", "M840 70C870 48 900 42 926 40", 876, 44, "end"),
    ("fail", "M840 110C870 132 900 139 926 140", 876, 146, "end"),
    ("ask_approval", "M522 110V195", 514, 188, "end"),
    ("resume", "M558 195V110", 566, 188, "start"),
    ("none_approved", "M612 215C710 215 786 180 788 110", 716, 226, "start"),
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
