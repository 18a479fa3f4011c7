"""What model calls used, from the API's own figures: one call, several together, and one that broke off."""

from __future__ import annotations

from typing import Any

from agent.claude.answer import Answer, count_of
from agent.claude.prices import cost_micro_usd
from agent.planner import Usage

BYTES_A_TOKEN = 4  # about right for English and JSON; used only where the API could not tell us its count


def usage_of(answer: Answer, asked_model: str) -> Usage:
    """What an answer used. What the API did not count has no known cost."""
    return counted(
        answer.usage, answer.model or asked_model, request_id=answer.request_id, stop_reason=answer.stop_reason or ""
    )


def counted(figures: dict[str, Any], model: str, **more: Any) -> Usage:
    """The `usage` of a message, as far as it is there, with what it costs. A count that is none has no known cost."""
    written = count_of(figures.get("cache_creation_input_tokens") or 0)
    read = count_of(figures.get("cache_read_input_tokens") or 0)
    fresh, output = count_of(figures.get("input_tokens")), count_of(figures.get("output_tokens"))
    cost = None
    if None not in (fresh, output, written, read):
        cost = cost_micro_usd(
            model, fresh=fresh or 0, cache_write=written or 0, cache_read=read or 0, output=output or 0
        )
    return Usage(
        input_tokens=fresh or 0,
        output_tokens=output or 0,
        cache_read_tokens=read or 0,
        cache_write_tokens=written or 0,
        cost_micro_usd=cost,
        model=model,
        **more,
    )


def together(first: Usage, second: Usage) -> Usage:
    """Both, under the second one's name: it is the one that was acted on."""
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
        is_estimate=first.is_estimate or second.is_estimate,
    )
