"""What stands in place of turns that no longer fit: hypotheses, the ledger of calls, what was sent back. Pure.

Folding is the last resort, for it changes the prefix that the cache knows. How many turns are folded is kept with each
move, so that the next turn, a restart and a replay all begin with the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.jsonclean import clean, clean_text
from agent.planner import Hypothesis, Item, Planned, Returned, SentBack, Transcript

KEPT_TURNS = 2  # stay as they were: what the model is in the middle of
CHARS_A_TOKEN = 3  # of results that the API has not counted yet; digits and JSON take more tokens than prose
CACHE_LASTS = timedelta(minutes=5)
LEDGER_CHARS = 24_000
ARGS_CHARS, SUMMARY_CHARS = 160, 200


def folded_before(transcript: Transcript) -> int:
    """How many turns the last move was planned without."""
    last = _last_move(transcript)
    return int(last.move.sent.get("folded", 0)) if last else 0


def turns_to_fold(transcript: Transcript, new_chars: int, context_tokens: int, now: datetime) -> int:
    """How many turns the next move is planned without: as many as before, or more when they would not fit any more.

    When the cache has lapsed (an approval took its time), the whole prompt is paid for anew anyway: then folding is
    worth while from a third of the budget on.
    """
    before = folded_before(transcript)
    last = _last_move(transcript)
    if last is None:
        return 0
    usage = last.move.usage
    size = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens + usage.output_tokens
    size += new_chars // CHARS_A_TOKEN
    has_lapsed = last.at is not None and now.astimezone(UTC) - last.at > CACHE_LASTS
    return foldable(transcript) if size > (context_tokens // 3 if has_lapsed else context_tokens) else before


def foldable(transcript: Transcript) -> int:
    """The most that can be folded; never less than what is folded already."""
    turns = sum(isinstance(item, Planned) for item in transcript.items)
    return max(turns - KEPT_TURNS, folded_before(transcript), 0)


def _last_move(transcript: Transcript) -> Planned | None:
    return next((item for item in reversed(transcript.items) if isinstance(item, Planned)), None)


def split(items: Sequence[Item], turns: int) -> int:
    """Where the first item after the first `turns` turns stands."""
    seen = 0
    for place, item in enumerate(items):
        seen += isinstance(item, Planned)
        if seen > turns:
            return place
    return len(items)


def record_of(items: Sequence[Item]) -> str:
    """The folded items in words. All of it comes from outside or from a model: it belongs between marks."""
    moves = [item for item in items if isinstance(item, Planned)]
    parts = [f"The first {len(moves)} turns, in short:"]
    if moves:
        last = moves[-1].move
        parts += [f"best guess: {clean_text(last.answer)}"] if last.answer else []
        parts += [line for one in last.hypotheses for line in _hypothesis(one)]
    parts += _within(list(_ledger(items)))
    return "\n".join(parts)


def _hypothesis(one: Hypothesis) -> Iterator[str]:
    blamed = f" (blames {one.entity})" if one.entity else ""
    why = f"; {one.why}" if one.why else ""
    yield clean_text(f"hypothesis {one.id}, {one.status}: {one.statement}{blamed}{why}")
    for fact in one.facts[:8]:
        cited = fact.quote if fact.value is None else f"{fact.figure} = {fact.value:g}"
        yield clean_text(f"  {fact.role} in {fact.evidence}: {fact.statement} [{cited[:200]}]")


def _ledger(items: Sequence[Item]) -> Iterator[str]:
    for item in items:
        if isinstance(item, Returned):
            arguments = _clip(_asked(item.args), ARGS_CHARS)
            yield clean_text(
                f"{item.evidence or 'no evidence'} · {item.tool} {arguments} · {item.status}: "
                f"{_clip(item.summary, SUMMARY_CHARS)}"
            )
        elif isinstance(item, SentBack):
            yield from (clean_text(f"did not hold: {claim}: {why}") for claim, why in item.problems)


def _within(lines: list[str]) -> list[str]:
    """The newest lines that fit; how many older ones there were is said."""
    kept: list[str] = []
    room = LEDGER_CHARS
    for line in reversed(lines):
        if (room := room - len(line) - 1) < 0:
            kept.append(f"({len(lines) - len(kept)} earlier calls are left out.)")
            break
        kept.append(line)
    return kept[::-1]


def _asked(args: Mapping[str, Any]) -> str:
    chosen = {name: value for name, value in args.items() if value not in ("", None, [], {})}
    return json.dumps(clean(chosen), ensure_ascii=False, sort_keys=True)


def _clip(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
