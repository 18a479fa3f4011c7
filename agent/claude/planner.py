"""ClaudePlanner: asks Claude for the next move. Prompts, wire and faults each have a file of their own beside it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from agent.claude.answer import Answer
from agent.claude.client import ClaudeClient
from agent.claude.digests import DigestMemory
from agent.claude.faults import Overloaded
from agent.claude.hypotheses import PSEUDO_TOOLS, read_notes
from agent.claude.messages import THINKING
from agent.claude.prices import ceiling_micro_usd, cost_micro_usd
from agent.claude.prompt import request_body, say
from agent.claude.settings import ClaudeSettings
from agent.errors import Unusable
from agent.planner import BudgetLeft, Move, Planned, ToolDescription, ToolRequest, Transcript, Usage
from tools.registry import CONCLUSION

MAX_CALLS = 5  # of one turn; NOT_RUN in messages.py says so to the model
MAX_TOKENS_CEILING = 64_000  # half of what current models can write in one answer
NUDGE = "Your last answer held no tool call that can be run. Call at least one tool, or generate_report alone."


class ClaudePlanner:
    """The Planner on Anthropic's Messages API, for one thread at a time.

    One `next` asks once; a useless answer is asked again, once; all of it within `timeout_s`.
    """

    name = "claude"

    def __init__(self, settings: ClaudeSettings):
        self._settings = settings
        self._client = ClaudeClient(settings)
        self._digests = DigestMemory(settings.digest_chars)
        self.ceiling_micro_usd = ceiling_micro_usd(settings.model, settings.max_tokens)

    def next(
        self,
        transcript: Transcript,
        tools: Sequence[ToolDescription],
        budget: BudgetLeft,
        on_text: Callable[[str], None],
    ) -> Move:
        """The next move. Raises Temporary, Misconfigured or Unusable; a fallback model is asked on overload."""
        deadline = time.monotonic() + self._settings.timeout_s
        models = (self._settings.model, *self._settings.fallback_models)
        for model in models[:-1]:
            try:
                return self._next_by(model, deadline, transcript, tools, budget, on_text)
            except Overloaded:
                continue
        return self._next_by(models[-1], deadline, transcript, tools, budget, on_text)

    def _next_by(
        self,
        model: str,
        deadline: float,
        transcript: Transcript,
        tools: Sequence[ToolDescription],
        budget: BudgetLeft,
        on_text: Callable[[str], None],
    ) -> Move:
        body = request_body(transcript, tools, budget, self._settings, model, self._digests)
        answer = self._client.ask(body, on_text, deadline)
        usage = _usage(answer, model)
        requests = read_requests(answer)
        if not requests:
            body = _asked_again(body, answer)
            answer = _without_thinking(self._client.ask(body, on_text, deadline))
            usage = _sum(usage, _usage(answer, model))
            requests = read_requests(answer)
        if not requests:
            raise Unusable(
                f"The model gave nothing that can be acted on, twice (it stopped with {answer.stop_reason})."
            )
        return _move(transcript, body, answer, requests, usage)


def read_requests(answer: Answer) -> tuple[ToolRequest, ...]:
    """The calls to run; empty where the answer holds none. Raises Unusable where asking again would not help."""
    if answer.stop_reason == "refusal":
        why = answer.stop_details.get("explanation") or answer.stop_details.get("category") or "no reason given"
        raise Unusable(f"The model refused to go on: {str(why)[:300]}.")
    if answer.stop_reason == "model_context_window_exceeded":
        raise Unusable("The investigation no longer fits the model's context window.")
    if answer.stop_reason != "tool_use":
        return ()
    calls = [block for block in answer.content if block["type"] == "tool_use"]
    ids = [call.get("id") for call in calls]
    if len(set(ids)) != len(ids) or not all(isinstance(one, str) and one for one in ids):
        raise Unusable("The model's answer holds two tool calls with one id, or one without.")
    requests = [
        ToolRequest(call["id"], str(call.get("name", "")), call["input"])
        for call in calls
        if call.get("name") not in PSEUDO_TOOLS and call["id"] not in answer.broken
    ]
    others = [request for request in requests if request.tool != CONCLUSION]
    return tuple(others[:MAX_CALLS] or requests[:1])  # a conclusion beside reads waits for what they return


def _asked_again(body: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """The same request with more room, or with a nudge. The useless answer is not sent: it would teach nothing."""
    if answer.stop_reason == "max_tokens":
        return body | {"max_tokens": max(body["max_tokens"], min(2 * body["max_tokens"], MAX_TOKENS_CEILING))}
    messages = list(body["messages"])
    say(messages, NUDGE)
    return body | {"messages": messages}


def _without_thinking(answer: Answer) -> Answer:
    """Thinking is bound to the exact conversation, and the nudge will not be part of it when this is replayed."""
    content = [block for block in answer.content if block["type"] not in THINKING]
    return replace(answer, content=content)


def _move(
    transcript: Transcript, body: dict[str, Any], answer: Answer, requests: tuple[ToolRequest, ...], usage: Usage
) -> Move:
    earlier = next((item.move for item in reversed(transcript.items) if isinstance(item, Planned)), None)
    thought = read_notes(answer.content, earlier.hypotheses if earlier else (), earlier.answer if earlier else "")
    sent = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    prefix = json.dumps([body["tools"], body["system"]], ensure_ascii=False).encode()
    return Move(
        rationale=thought.rationale or f"Calls {', '.join(request.tool for request in requests)}.",
        requests=requests,
        hypotheses=thought.hypotheses,
        answer=thought.answer,
        usage=usage,
        reply=[block for block in answer.content if block["type"] != "text" or block.get("text", "").strip()],
        sent={
            "model": body["model"],
            "bytes": len(sent),
            "messages": len(body["messages"]),
            "prompt_sha256": hashlib.sha256(prefix).hexdigest(),
        },
    )


def _usage(answer: Answer, asked_model: str) -> Usage:
    """From the API's own figures. What it did not count has no known cost."""
    model = answer.model or asked_model
    counts = {name: answer.usage.get(name) or 0 for name in ("cache_creation_input_tokens", "cache_read_input_tokens")}
    fresh, output = answer.usage.get("input_tokens"), answer.usage.get("output_tokens")
    written, read = counts["cache_creation_input_tokens"], counts["cache_read_input_tokens"]
    cost = None
    if fresh is not None and output is not None:
        cost = cost_micro_usd(model, fresh=fresh, cache_write=written, cache_read=read, output=output)
    return Usage(
        input_tokens=fresh or 0,
        output_tokens=output or 0,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cost_micro_usd=cost,
        model=model,
        request_id=answer.request_id,
        stop_reason=answer.stop_reason or "",
    )


def _sum(first: Usage, second: Usage) -> Usage:
    costs = (first.cost_micro_usd, second.cost_micro_usd)
    return Usage(
        input_tokens=first.input_tokens + second.input_tokens,
        output_tokens=first.output_tokens + second.output_tokens,
        cache_read_tokens=first.cache_read_tokens + second.cache_read_tokens,
        cache_write_tokens=first.cache_write_tokens + second.cache_write_tokens,
        cost_micro_usd=None if None in costs else sum(cost or 0 for cost in costs),
        model=second.model,
        request_id=second.request_id,
        stop_reason=second.stop_reason,
    )
