"""The drawn state machine is the one that runs: every state has its place, every transition its arrow."""

from __future__ import annotations

from runs.models import Run, Step
from runs.presentation.machine import ARROWS, PLACES, drawing, pills
from runs.states import RunState, StepKind


def step(name: str, after: str) -> Step:
    return Step(kind=StepKind.TRANSITION, name=name, after=after)


def test_every_state_has_its_place() -> None:
    assert set(PLACES) == set(RunState)


def test_every_transition_has_its_arrow_and_cancel_its_words() -> None:
    events = {transition.name for transition in Run().get_all_state_transitions()}
    assert {event for event, *_ in ARROWS} == events - {"cancel"}


def test_a_pill_is_lit_for_the_state_and_marked_only_where_the_run_has_been() -> None:
    steps = [step("create", "QUEUED"), step("begin", "PLAN"), step("conclude", "EVALUATE")]
    moods = {pill.state: pill.mood for pill in pills(Run(state=RunState.EVALUATE), steps)}
    assert moods == {
        "QUEUED": "passed", "PLAN": "passed", "EXECUTE_TOOL": "ahead", "NEEDS_APPROVAL": "ahead",
        "EVALUATE": "current", "DONE": "ahead",
    }  # fmt: skip


def test_a_failed_run_ends_in_that_pill() -> None:
    assert [pill.word for pill in pills(Run(state=RunState.FAILED), [])][-1] == "Failed"


def test_arrows_say_how_often_they_were_taken() -> None:
    steps = [step("begin", "PLAN"), step("replan", "PLAN"), step("replan", "PLAN")]
    places, arrows = drawing(Run(state=RunState.PLAN), steps)
    assert {arrow.event: arrow.label for arrow in arrows}["replan"] == "replan ×2"
    assert {place.state: place.visits for place in places}[RunState.PLAN] == 3
