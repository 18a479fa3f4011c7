"""generate_report: the conclusion of an investigation, and the schema of the Report.

The planner calls it alone in its move. It runs no code outside: EVALUATE checks every claim and computes the outcome.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tools.base import Params, Risk, Status, Tool, ToolContext, ToolResult

Severity = Literal["SEV1", "SEV2", "SEV3", "SEV4", ""]


class Claim(Params):
    """One statement and what it rests on.

    quote: `quote` stands verbatim in evidence `evidence`. number: `figure` of that evidence is `value` (a figure's
    name, or a series' id together with `at`). absence: that evidence searched and found nothing (or `figure` is 0).
    inference: follows from the claims in `based_on`.
    """

    id: str = Field(pattern=r"^C\d+$")
    statement: str = Field(min_length=3, max_length=500)
    kind: Literal["quote", "number", "absence", "inference"]
    role: Literal["symptom", "mechanism", "change", "scope", "healthy", "against"] = "symptom"
    evidence: str = Field("", pattern=r"^((S\d{1,3}\.)?E\d+)?$")
    quote: str = Field("", max_length=2_000)
    figure: str = Field("", max_length=400)
    value: float | None = None
    unit: str = Field("", max_length=40)
    at: str = Field("", description="ISO 8601 time of the value, for a number of a series.")
    based_on: list[str] = Field(default_factory=list, max_length=20)

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Claim:
        needed = {
            "quote": self.evidence and self.quote,
            "number": self.evidence and self.figure and self.value is not None,
            "absence": self.evidence,
            "inference": self.based_on,
        }
        if not needed[self.kind]:
            raise ValueError(
                {
                    "quote": "a quote needs evidence and quote",
                    "number": "a number needs evidence, figure and value",
                    "absence": "an absence needs evidence",
                    "inference": "an inference needs based_on",
                }[self.kind]
            )
        return self


class RootCause(Params):
    entity: str = Field(min_length=1, max_length=200, description="The service or component at fault.")
    kind: str = Field(
        min_length=1,
        max_length=80,
        description="configuration, code change, capacity, dependency, certificate, provider, …",
    )
    change_id: str | None = Field(
        None, description="Id of the change that did it, as list_changes names it; null if none did."
    )
    mechanism: str = Field(min_length=3, max_length=600)


class Suspect(Params):
    entity: str
    score: float = Field(ge=0, le=1)
    evidence: list[str] = Field(default_factory=list)
    why: str = Field("", max_length=500)


class Ruled(Params):
    """An alternative that the evidence speaks against."""

    statement: str
    why: str
    evidence: list[str] = Field(default_factory=list)


class NotChecked(Params):
    what: str
    why: str
    would_decide: str = ""


class Action(Params):
    """One thing a person may do next. `done` is never set by a planner."""

    text: str
    undo: str = ""
    command: str = ""


class Moment(Params):
    at: str
    text: str
    evidence: list[str] = Field(default_factory=list)


class Scope(Params):
    """Whether it goes on: the newest value beside the normal one."""

    ongoing: bool | None = None
    latest: str = ""
    normal: str = ""


class Report(Params):
    verdict: Literal["cause", "no_fault", "cannot_tell"]
    summary: str = Field(min_length=3, max_length=400, description="The answer in at most 25 words.")
    severity: Severity = ""
    root_cause: RootCause | None = None
    suspects: list[Suspect] = Field(default_factory=list, max_length=10)
    onset: str = Field("", description="ISO 8601")
    still_happening: Scope = Field(default_factory=Scope)
    first_failing: str = ""
    affected: list[str] = Field(default_factory=list, max_length=50)
    remediation: str = Field(
        "", max_length=200, description="rollback, roll-forward, config-revert, scale, failover, rotate-cert, …"
    )
    timeline: list[Moment] = Field(default_factory=list, max_length=50)
    claims: list[Claim] = Field(default_factory=list, max_length=60)
    ruled_out: list[Ruled] = Field(default_factory=list, max_length=20)
    not_checked: list[NotChecked] = Field(default_factory=list, max_length=20)
    actions: list[Action] = Field(default_factory=list, max_length=10)

    @model_validator(mode="after")
    def _cause_goes_with_the_verdict(self) -> Report:
        if (self.verdict == "cause") != (self.root_cause is not None):
            raise ValueError("root_cause is given exactly when verdict is 'cause'")
        ids = [claim.id for claim in self.claims]
        if len(ids) != len(set(ids)):
            raise ValueError("claim ids must differ")
        return self


def run(context: ToolContext, params: Report) -> ToolResult:
    return ToolResult(status=Status.SUCCESS, summary=params.summary, data=params.model_dump(), source="report")


TOOL = Tool(
    name="generate_report",
    summary="Conclude the investigation. Call it alone. Every claim is checked against the stored evidence.",
    params=Report,
    risk=Risk.READ,
    run=run,
)
