"""investigate_hypotheses: rival explanations looked into side by side, each by an investigator of its own.

It is run by the loop, not here: each question becomes a run with a slice of the budget that can only read.

data = {"findings": [{
  "name": "S1", "run": int, "hypothesis": "H1", "question": str, "outcome": str, "summary": str, "reasoning": str,
  "claims": [{"statement": str, "role": str, "kind": str, "evidence": "S1.E2", "quote": str, "figure": str,
              "value": float | null, "at": str}, …],      # those that held
  "ruled_out": [str, …], "not_checked": [str, …], "stopped_by": str
}, …]}
"""

from __future__ import annotations

from pydantic import Field

from tools.base import Params, Risk, Tool, ToolContext, ToolError, ToolResult

MOST = 3


class Question(Params):
    hypothesis: str = Field("", pattern=r"^(H\d{1,3})?$", description="The hypothesis that it decides, such as H1.")
    question: str = Field(
        min_length=10, max_length=600, description="Complete in itself: which services, which times, what to look for."
    )


class InvestigateHypotheses(Params):
    questions: list[Question] = Field(min_length=2, max_length=MOST, description="Independent of each other.")


def run(context: ToolContext, params: InvestigateHypotheses) -> ToolResult:
    raise ToolError("Sub-investigations are switched off here; look into it yourself.")


TOOL = Tool(
    name="investigate_hypotheses",
    summary="Have two or three independent explanations looked into side by side, each by an investigator of its own "
    "that can only read. Call it alone. Its findings name their evidence as S1.E2; cite it by that name.",
    params=InvestigateHypotheses,
    risk=Risk.READ,
    run=run,
)
