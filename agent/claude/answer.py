"""One answer of the Messages API as plain values, from a whole message or from stream events. No network here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jiter

from agent.errors import Temporary, Unusable
from agent.jsonclean import clean

NOTE_TOOL = "update_hypotheses"  # its `rationale` is streamed to the page while it is written
CHARS_A_TOKEN = 3  # rather too many tokens than too few
MAX_CONTENT_CHARS = 400_000  # more than max_tokens could ever hold; what is kept is stored on a Step
MOST_TOKENS = 1_000_000_000
TOO_LONG = f"The model's answer is longer than {MAX_CONTENT_CHARS:,} characters."


@dataclass(frozen=True, slots=True)
class Answer:
    """Content blocks as they came. `broken` holds the ids of tool calls whose arguments are not a JSON object."""

    content: list[dict[str, Any]]
    stop_reason: str | None
    stop_details: dict[str, Any]
    usage: dict[str, Any]
    model: str
    request_id: str
    broken: frozenset[str] = frozenset()
    sent_bytes: int = 0  # of the request's body


def from_message(message: Any, request_id: str) -> Answer:
    """A whole JSON message. The SDK does not check shapes, so that of the parts we use is checked here."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list) or not all(_is_block(block) for block in content):
        raise Unusable("The model's address answered JSON that is not a message.")
    if len(json.dumps(content)) > MAX_CONTENT_CHARS:
        raise Unusable(TOO_LONG)
    calls = [block for block in content if block["type"] == "tool_use"]
    return Answer(
        content=clean(content),
        stop_reason=message.get("stop_reason"),
        stop_details=_fields(message.get("stop_details")),
        usage=_fields(message.get("usage")),
        model=str(message.get("model", "")),
        request_id=request_id,
        broken=frozenset(str(call.get("id")) for call in calls if not isinstance(call.get("input"), dict)),
    )


def _is_block(block: Any) -> bool:
    """Whether it is a block whose parts that we read are what they should be; kinds of tomorrow are."""
    if not isinstance(block, dict):
        return False
    read = {"text": "text", "thinking": "thinking", "tool_use": "name"}.get(str(block.get("type")))
    return isinstance(block.get("type"), str) and (read is None or isinstance(block.get(read), str))


def _fields(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def count_of(value: Any) -> int | None:
    """A number of tokens as it was told; None where it is none: negative, a fraction, text, absurd."""
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None


class AnswerBuilder:
    """Puts stream events together. Tool arguments are parsed strictly and only once their block is complete."""

    def __init__(self, on_text: Callable[[str], None]):
        self._on_text = on_text
        self._message: dict[str, Any] | None = None
        self._blocks: dict[int, dict[str, Any]] = {}
        self._json: dict[int, str] = {}
        self._spoken: dict[int, int] = {}  # characters of a rationale that were already passed on
        self._chars = 0
        self._is_complete = False

    def add(self, event: dict[str, Any]) -> None:
        """Takes one event; kinds that this version does not know are passed over.

        Raises AttributeError, LookupError or TypeError for one that is not what its kind should be.
        """
        kind = event.get("type")
        if kind == "message_start":
            self._message, self._is_complete = dict(event["message"]), False
        elif kind == "content_block_start":
            self._blocks[event["index"]] = dict(event["content_block"])
        elif kind == "content_block_delta":
            self._add_delta(event["index"], event["delta"])
        elif kind == "message_delta" and self._message is not None:
            self._message |= {name: value for name, value in event["delta"].items() if value is not None}
            counted = {name: value for name, value in _fields(event.get("usage")).items() if value is not None}
            self._message["usage"] = _fields(self._message.get("usage")) | counted  # totals so far, not increments
        elif kind == "message_stop":
            self._is_complete = True

    def _add_delta(self, index: int, delta: dict[str, Any]) -> None:
        block = self._blocks.get(index)
        if block is None:
            raise Unusable("The model's stream holds a piece of a block that never began.")
        self._chars += sum(len(piece) for piece in delta.values() if isinstance(piece, str))
        if self._chars > MAX_CONTENT_CHARS:
            raise Unusable(TOO_LONG)
        match delta.get("type"):
            case "text_delta":
                block["text"] = block.get("text", "") + delta["text"]
                self._on_text(delta["text"])
            case "input_json_delta":
                self._json[index] = self._json.get(index, "") + delta["partial_json"]
                if block.get("name") == NOTE_TOOL:
                    self._speak(index)
            case "thinking_delta":
                block["thinking"] = block.get("thinking", "") + delta["thinking"]
            case "signature_delta":
                block["signature"] = delta["signature"]

    def _speak(self, index: int) -> None:
        """Passes on what is new of a rationale inside unfinished JSON."""
        try:
            partial = jiter.from_json(self._json[index].encode(), partial_mode="trailing-strings")
        except ValueError:
            return
        rationale = partial.get("rationale") if isinstance(partial, dict) else None
        if isinstance(rationale, str):
            if new := rationale[self._spoken.get(index, 0) :]:
                self._on_text(new)
            self._spoken[index] = len(rationale)

    def counted(self) -> dict[str, Any]:
        """The API's usage so far; the answer's tokens by its characters, for the API counts them only at its end."""
        if self._message is None:
            return {}
        usage = _fields(self._message.get("usage"))
        if self._is_complete:
            return usage
        return usage | {
            "output_tokens": max(count_of(usage.get("output_tokens")) or 0, -(-self._chars // CHARS_A_TOKEN))
        }

    def finish(self, request_id: str) -> Answer:
        """The answer. Raises Temporary when the stream ended before it was complete."""
        if self._message is None or not self._is_complete or self._message.get("stop_reason") is None:
            raise Temporary("The model's stream ended early.")
        content, broken = [], set()
        for index in sorted(self._blocks):
            block = self._blocks[index]
            if index in self._json and not _put_input(block, self._json[index]):
                broken.add(str(block.get("id")))
            content.append(block)
        answer = from_message(self._message | {"content": content}, request_id)
        return replace(answer, broken=answer.broken | broken)


def _put_input(block: dict[str, Any], text: str) -> bool:
    """Sets the block's arguments; False where they are not a complete JSON object."""
    try:
        block["input"] = json.loads(text or "{}")
    except (ValueError, RecursionError):
        block["input"] = {}
        return False
    return isinstance(block["input"], dict)
