"""Turns a transcript into messages: append-only, so that every turn begins with the exact bytes of the one before.

No clock, no run id and no counter stands in them. Text from outside stands only in tool results, between marks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from agent.claude.answer import NOTE_TOOL
from agent.claude.digests import DigestMemory
from agent.claude.fence import Fence
from agent.claude.folding import record_of, split
from agent.claude.hypotheses import CASE_TOOL, note_answer
from agent.jsonclean import clean, clean_text
from agent.planner import Item, Move, Noted, Planned, Returned, SentBack, SourceInfo, Transcript
from tools.registry import CONCLUSION

Block = dict[str, Any]
Message = dict[str, Any]
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")  # of a tool, as the API wants it
NO_NAME = "no_such_tool"
OPENING_ID = "toolu_case"
MOST_SERVICES = 80  # named of one source
MOST_SHOWN = 6_000  # characters of an alert, or of what an earlier run found
OURS = ("text", "tool_use")
THINKING = ("thinking", "redacted_thinking")

ENDINGS = {
    "denied": "A person denied this call. It was not run; do not ask for it again.",
    "expired": "Nobody decided on this call in time. It was not run.",
    "edited": "A person replaced this call by one with other arguments. Go by what that one returned.",
    "refused": "The policy refused this call. It was not run.",
    "void": "The approval of this call no longer held. It was not run.",
    "outcome_unknown": "It is not known whether this call happened. A person decides; do not ask for it again.",
}
NOT_RUN = (
    "Not run. A turn runs at most five calls, generate_report only alone, and each call needs complete arguments. "
    "Call it again if it is still needed."
)
NO_RESULT = "No result was recorded for this call."


class Conversation:
    """The messages of one run for one model. Finished turns are kept as they were built: a turn more costs a turn."""

    def __init__(self, fence: Fence, model: str, digests: DigestMemory):
        self._fence = fence
        self._model = model
        self._digests = digests
        self._folded = -1
        self._messages: list[Message] = []  # up to the last turn, into which notes may still come
        self._upto = 0  # the item with which that last turn begins
        self._last: Item | None = None  # the one before it, by which the transcript is known again

    def messages(self, transcript: Transcript, folded: int) -> list[Message]:
        """user, assistant, user, …: the goal, the case as if it had been read, then each turn and its results.

        In place of the first `folded` turns the case holds a record of what they brought.
        """
        items = transcript.items
        if folded != self._folded or not self._goes_on(items):
            self._begin(transcript, folded)
        *finished, last = _turns(items[self._upto :])
        for turn in finished:
            self._add(self._messages, turn)
            self._upto += len(turn)
            self._last = items[self._upto - 1]
        messages = list(self._messages)
        self._add(messages, last)
        return messages

    def _goes_on(self, items: Sequence[Item]) -> bool:
        return self._upto == 0 or (len(items) >= self._upto and items[self._upto - 1] is self._last)

    def _begin(self, transcript: Transcript, folded: int) -> None:
        self._folded = folded
        self._upto = split(transcript.items, folded) if folded else 0
        before = transcript.items[: self._upto]
        self._last = before[-1] if before else None
        case = [_text(self._case(transcript))]
        case += [_text(self._fence.around(record_of(before)))] if folded else []
        self._messages = [
            {"role": "user", "content": [_text(self._goal(transcript))]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": OPENING_ID, "name": CASE_TOOL, "input": {}}]},
            {"role": "user", "content": [_result_of_blocks(OPENING_ID, case), *_notes(before)]},
        ]

    def _add(self, messages: list[Message], turn: Sequence[Item]) -> None:
        planned = turn[0] if turn else None
        if isinstance(planned, Planned):
            messages.append({"role": "assistant", "content": self._reply(planned.move)})
            messages.append({"role": "user", "content": self._results(planned.move, turn[1:])})
        elif notes := _notes(turn):
            messages[-1] = messages[-1] | {"content": [*messages[-1]["content"], *notes]}

    def _goal(self, transcript: Transcript) -> str:
        lines = [
            f"Goal: {clean_text(transcript.goal)}",
            f"As of (your “now”): {transcript.as_of.isoformat()}",
        ]
        if transcript.focus:
            lines.append(f"The alert fired at: {transcript.focus.isoformat()}")
        lines.append("A ticket is asked for." if transcript.wants_ticket else "No ticket is asked for.")
        lines.append(f"Text from outside stands between <{self._fence.mark}> and </{self._fence.mark}>.")
        return "\n".join(lines)

    def _case(self, transcript: Transcript) -> str:
        sources = _sources(transcript.sources)
        parts = [
            "\n".join(sources) or "No source is configured.",
            f"alert: {_shown(transcript.alert)}" if transcript.alert else "",
            f"an earlier run found: {_shown(transcript.before)}" if transcript.before else "",
        ]
        return self._fence.around(clean_text("\n".join(part for part in parts if part)))

    def _reply(self, move: Move) -> list[Block]:
        """The model's own blocks, verbatim. Thinking goes back only to the model that thought it: the API checks.

        A block of a kind that we do not know is not sent back: nothing says that the address would take it.
        """
        known = (*OURS, *THINKING) if move.sent.get("model") == self._model else OURS
        blocks = [block for block in move.reply if block["type"] in known]
        return [_ordered(_sendable(block)) for block in blocks or _calls_of(move)]

    def _results(self, move: Move, followers: Sequence[Item]) -> list[Block]:
        returned = {item.request_id: item for item in followers if isinstance(item, Returned)}
        sent_back = next((item for item in followers if isinstance(item, SentBack)), None)
        calls = [block for block in self._reply(move) if block["type"] == "tool_use"]
        results = [self._result_of(call, move, returned.pop(call["id"], None), sent_back) for call in calls]
        for other in returned.values():  # made by a person in place of one of the calls
            results[-1]["content"] += [_text(self._digests.of(other, self._fence))]
        return results + _notes(followers)

    def _result_of(self, call: Block, move: Move, returned: Returned | None, sent_back: SentBack | None) -> Block:
        if call["name"] == NOTE_TOOL:
            return _result(call["id"], note_answer(call.get("input")))
        if call["name"] == CASE_TOOL:
            return _result(call["id"], "Already read; it opens the conversation.")
        if call["id"] not in {request.id for request in move.requests}:
            return _result(call["id"], NOT_RUN, is_error=True)
        if call["name"] == CONCLUSION and sent_back is not None:
            return _result(call["id"], _sent_back(sent_back), is_error=True)
        if returned is None:
            return _result(call["id"], NO_RESULT, is_error=True)
        return self._returned(call["id"], returned)

    def _returned(self, call_id: str, returned: Returned) -> Block:
        head = ENDINGS.get(returned.status, "")
        body = self._digests.of(returned, self._fence)
        is_error = returned.status == "error" or (returned.status in ENDINGS and returned.status != "edited")
        return _result(call_id, f"{head}\n{body}".strip(), is_error=is_error)


def _sources(sources: Sequence[SourceInfo]) -> Iterator[str]:
    """A line each. A service is named once, and only so many: a large system would fill the prompt with names."""
    named: set[str] = set()
    for source in sources:
        new = [service for service in source.services if service not in named]
        shown, beyond, known = new[:MOST_SERVICES], len(new[MOST_SERVICES:]), len(source.services) - len(new)
        words = [*shown, *([f"{beyond} more, see list_sources"] if beyond else []), *_known(known)]
        named.update(shown)
        yield (
            f"source {source.name} ({source.kind}): {_span(source.oldest, source.newest)}"
            + (f"; services: {', '.join(words)}" if words else "")
            + (f"; problem: {source.problem}" if source.problem else "")
        )


def _known(count: int) -> list[str]:
    return [f"{count} of those above"] if count else []


def _shown(value: Any) -> str:
    """A value as text; of a very long one its beginning, and how much is not there."""
    text = json.dumps(clean(value), ensure_ascii=False, sort_keys=True, indent=1)
    cut = len(text) - MOST_SHOWN
    return text if cut <= 0 else f"{text[:MOST_SHOWN]}\n({cut:,} characters more are not shown.)"


def _notes(items: Sequence[Item]) -> list[Block]:
    return [
        _text(f"Note from {clean_text(item.author)}, who watches this run: {clean_text(item.text)}")
        for item in items
        if isinstance(item, Noted)
    ]


def _turns(items: Sequence[Item]) -> list[list[Item]]:
    """Each planned move with what followed it; at least one, and the first may hold what came before any move."""
    turns: list[list[Item]] = [[]]
    for item in items:
        if isinstance(item, Planned) and turns[-1]:
            turns.append([])
        turns[-1].append(item)
    return turns


def _sendable(block: Block) -> Block:
    """A call of something whose name no tool can have stands under one that the API takes back."""
    is_named = block["type"] != "tool_use" or NAME.fullmatch(str(block.get("name", "")))
    return block if is_named else block | {"name": NO_NAME}


def _ordered(value: Any) -> Any:
    """Keys in one order: PostgreSQL's jsonb does not keep the one they came in, and the prefix must not change."""
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def _calls_of(move: Move) -> list[Block]:
    """A move that has no reply of this API (planned by another planner) is shown as the calls it made."""
    return [
        {"type": "tool_use", "id": request.id, "name": request.tool, "input": request.args} for request in move.requests
    ]


def _sent_back(sent_back: SentBack) -> str:
    lines = [f"{claim}: {why}" for claim, why in sent_back.problems]
    return "The report was not accepted. These claims do not hold:\n" + "\n".join(lines)


def _span(oldest: Any, newest: Any) -> str:
    return f"{oldest.isoformat()} to {newest.isoformat()}" if oldest and newest else "range unknown"


def texts_of(message: Message) -> list[str]:
    """All text of a message, that inside of results too."""
    blocks = [inner for block in message["content"] for inner in block.get("content", [block])]
    return [block["text"] for block in blocks if block.get("text")]


def chars_of(message: Message) -> int:
    return sum(len(text) for text in texts_of(message))


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _result(call_id: str, text: str, is_error: bool = False) -> Block:
    block = _result_of_blocks(call_id, [_text(text)])
    return block | {"is_error": True} if is_error else block


def _result_of_blocks(call_id: str, blocks: list[Block]) -> Block:
    return {"type": "tool_result", "tool_use_id": call_id, "content": blocks}
