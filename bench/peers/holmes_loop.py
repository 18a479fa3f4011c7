"""HolmesGPT's side of `cost`: its own loop, prompt and LiteLLM, with one tool that returns what ours returned."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from holmes.core.llm import DefaultLLM
from holmes.core.prompt import build_system_prompt
from holmes.core.tool_calling_llm import ToolCallingLLM
from holmes.core.tools import (
    StructuredToolResult,
    StructuredToolResultStatus,
    Tool,
    ToolParameter,
    Toolset,
    ToolsetStatusEnum,
)
from holmes.core.tools_utils.tool_executor import ToolExecutor

from bench.answering import serve

MODEL = "anthropic/claude-sonnet-4-5"


class Search(Tool):
    """Gives the recorded results, in order."""

    results: list[str]

    def _invoke(self, params: dict[str, Any], context: Any) -> StructuredToolResult:
        data = json.loads(self.results[int(params["number"])])
        return StructuredToolResult(status=StructuredToolResultStatus.SUCCESS, data=data, params=params)

    def get_parameterized_one_liner(self, params: dict[str, Any]) -> str:
        return f"search {params.get('number')}"


def main(results: str, url: str) -> None:
    number = ToolParameter(description="Which search.", type="string", required=True)
    search = Search(
        name="search_logs", description="Search log lines.", parameters={"number": number},
        results=json.loads(Path(results).read_text()),
    )  # fmt: skip
    toolset = Toolset(name="logs", description="Logs", tools=[search], enabled=True)
    toolset.status = ToolsetStatusEnum.ENABLED
    executor = ToolExecutor([toolset])
    llm = DefaultLLM(MODEL, api_key="bench", api_base=url)

    def investigate(goal: str) -> dict[str, Any]:
        loop = ToolCallingLLM(executor, 100, llm, None)
        system = build_system_prompt([toolset], None, None, None, False, {})
        answer = loop.call([{"role": "system", "content": system or ""}, {"role": "user", "content": goal}])
        return {"calls": len(answer.tool_calls or [])}

    serve(investigate=investigate)


if __name__ == "__main__":
    main(*sys.argv[1:])
