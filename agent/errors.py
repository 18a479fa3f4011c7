"""What can go wrong while thinking. The class of an error decides what the loop does with the run."""

from __future__ import annotations

from agent.planner import Usage


class PlannerFault(Exception):
    """Base: a planner could not give a move. `code` is stable; the text is for people and holds no secret.

    `usage` is what was paid all the same: an answer that broke off, or one that could not be used.
    """

    code = "planner_fault"
    usage = Usage()


class Temporary(PlannerFault):
    """Worth another try later (429, 5xx, time-out, cut stream): the run is held until then, no worker sleeps."""

    code = "model_unavailable"

    def __init__(self, message: str, retry_after_s: float | None = None):
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Misconfigured(PlannerFault):
    """Key, model or request refused (401, 403, 400, 413): the run fails at once."""

    code = "model_misconfigured"


class Unusable(PlannerFault):
    """The model answered nothing that can be acted on, or refused: the run fails."""

    code = "model_output"
