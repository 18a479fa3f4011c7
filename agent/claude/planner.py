"""ClaudePlanner: asks Claude for the next move. Prompts, wire and faults each have a file of their own beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from agent.claude.answer import Answer
from agent.claude.client import ClaudeClient
from agent.claude.digests import DigestMemory
from agent.claude.faults import OutOfContext, Overloaded, TooLarge
from agent.claude.fence import Fence
from agent.claude.folding import foldable, folded_before, turns_to_fold
from agent.claude.hypotheses import PSEUDO_TOOLS, read_notes
from agent.claude.messages import THINKING, Conversation, chars_of, texts_of
from agent.claude.prices import ceiling_micro_usd
from agent.claude.prompt import ToolParams, request_body, say, version
from agent.claude.settings import ClaudeSettings
from agent.claude.usage import together, usage_of
from agent.errors import PlannerFault, Unusable
from agent.planner import BudgetLeft, Move, Planned, ToolDescription, ToolRequest, Transcript, Usage
from tools.registry import CONCLUSION

MAX_CALLS = 5  # of one turn; NOT_RUN in messages.py says so to the model
MAX_TOKENS_CEILING = 64_000  # half of what current models can write in one answer
NUDGE = "Your last answer held no tool call that can be run. Call at least one tool, or generate_report alone."


class Asking:
    """The calls of one move: they share a deadline, and what they use is added up, whatever becomes of them."""

    def __init__(self, client: ClaudeClient, on_text: Callable[[str], None], timeout_s: float):
        self._client = client
        self._on_text = on_text
        self._deadline = time.monotonic() + timeout_s
        self.used = Usage()

    def ask(self, body: dict[str, Any]) -> Answer:
        try:
            answer = self._client.ask(body, self._on_text, self._deadline)
        except PlannerFault as fault:
            self.used = together(self.used, fault.usage)
            raise
        self.used = together(self.used, usage_of(answer, body["model"]))
        return answer


class ClaudePlanner:
    """The Planner on Anthropic's Messages API, for one thread at a time.

    One `next` asks once. A useless answer is asked again, once, and so is a prompt that is too long, shortened; all of
    it within `timeout_s`.
    """

    name = "claude"

    def __init__(self, settings: ClaudeSettings):
        self._settings = settings
        self._client = ClaudeClient(settings)
        self._digests = DigestMemory(settings.digest_chars)
        self._tool_params = ToolParams(settings.strict_tools)
        self._conversations: dict[tuple[str, str], Conversation] = {}
        self.ceiling_micro_usd = ceiling_micro_usd(settings.model, settings.context_tokens, settings.max_tokens)

    def next(
        self,
        transcript: Transcript,
        tools: Sequence[ToolDescription],
        budget: BudgetLeft,
        on_text: Callable[[str], None],
    ) -> Move:
        """The next move. Raises Temporary, Misconfigured or Unusable, each with what was paid all the same."""
        asking = Asking(self._client, on_text, self._settings.timeout_s)
        try:
            return self._by_first_with_room(asking, transcript, tools, budget)
        except PlannerFault as fault:
            fault.usage = asking.used
            raise

    def _by_first_with_room(
        self, asking: Asking, transcript: Transcript, tools: Sequence[ToolDescription], budget: BudgetLeft
    ) -> Move:
        *first, last = (self._settings.model, *self._settings.fallback_models)
        for model in first:
            try:
                return self._fitting(model, asking, transcript, tools, budget)
            except Overloaded:
                continue
        return self._fitting(last, asking, transcript, tools, budget)

    def _fitting(
        self, model: str, asking: Asking, transcript: Transcript, tools: Sequence[ToolDescription], budget: BudgetLeft
    ) -> Move:
        """Turns are folded when they no longer fit the budget, and once more when the API says that they do not."""
        conversation = self._conversation(model, transcript)
        folded = folded_before(transcript)
        messages = conversation.messages(transcript, folded)
        wanted = turns_to_fold(transcript, chars_of(messages[-1]), self._settings.context_tokens, datetime.now(UTC))
        if wanted != folded:
            folded, messages = wanted, conversation.messages(transcript, wanted)
        try:
            return self._asked(asking, model, messages, folded, transcript, tools, budget)
        except (TooLarge, OutOfContext):
            if (most := foldable(transcript)) == folded:
                raise
        messages = conversation.messages(transcript, most)
        return self._asked(asking, model, messages, most, transcript, tools, budget)

    def _conversation(self, model: str, transcript: Transcript) -> Conversation:
        fence = Fence(self._settings.fence_secret, transcript)
        return self._conversations.setdefault((fence.mark, model), Conversation(fence, model, self._digests))

    def _asked(
        self, asking: Asking, model: str, messages: list[dict[str, Any]], folded: int, transcript: Transcript,
        tools: Sequence[ToolDescription], budget: BudgetLeft,
    ) -> Move:  # fmt: skip
        body = request_body(messages, self._tool_params.of(tools), budget, self._settings, model)
        answer = asking.ask(body)
        requests = read_requests(answer)
        if not requests:
            body = _asked_again(body, answer)
            answer = _without_thinking(asking.ask(body))
            requests = read_requests(answer)
        if not requests:
            raise Unusable(
                f"The model gave nothing that can be acted on, twice (it stopped with {answer.stop_reason})."
            )
        return _move(transcript, body, answer, requests, asking.used, folded)


def read_requests(answer: Answer) -> tuple[ToolRequest, ...]:
    """The calls to run; empty where the answer holds none. Raises Unusable where asking again would not help."""
    if answer.stop_reason == "refusal":
        why = answer.stop_details.get("explanation") or answer.stop_details.get("category") or "no reason given"
        raise Unusable(f"The model refused to go on: {str(why)[:300]}.")
    if answer.stop_reason == "model_context_window_exceeded":
        raise OutOfContext("The investigation no longer fits the model's context window.")
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
    transcript: Transcript, body: dict[str, Any], answer: Answer, requests: tuple[ToolRequest, ...], usage: Usage,
    folded: int,
) -> Move:  # fmt: skip
    earlier = next((item.move for item in reversed(transcript.items) if isinstance(item, Planned)), None)
    thought = read_notes(answer.content, earlier.hypotheses if earlier else (), earlier.answer if earlier else "")
    return Move(
        rationale=thought.rationale or f"Calls {', '.join(request.tool for request in requests)}.",
        requests=requests,
        hypotheses=thought.hypotheses,
        answer=thought.answer,
        usage=usage,
        reply=[block for block in answer.content if block["type"] != "text" or block.get("text", "").strip()],
        sent={
            "model": body["model"],
            "bytes": answer.sent_bytes,
            "messages": len(body["messages"]),
            "folded": folded,
            "prompt": version(),
            "tools": [tool["name"] for tool in body["tools"]],
            "new": _new_to_it(body, earlier, folded),
        },
    )


def _new_to_it(body: dict[str, Any], earlier: Move | None, folded: int) -> list[dict[str, str]]:
    """What this request says that the one before did not, as texts with who speaks: for people to read what left."""
    messages, start = body["messages"], 0
    if earlier and earlier.sent.get("folded") == folded and earlier.sent.get("model") == body["model"]:
        start = int(earlier.sent.get("messages", 0))
    opening = [] if start else [{"role": "system", "text": body["system"][0]["text"]}]
    told = [message for message in messages[start:] if message["role"] == "user"]
    return opening + [{"role": "user", "text": text} for message in told for text in texts_of(message)]
