"""What a call costs, in micro-USD, and that an unknown price is never 0."""

from __future__ import annotations

import pytest

from agent.claude.prices import cost_micro_usd


@pytest.mark.parametrize(
    ("model", "counts", "cost"),
    [
        ("claude-opus-5-5", {"fresh": 1_000_000}, 4_000_000),
        ("claude-sonnet-5-5", {"cache_read": 1_000_000}, 100_000),
        ("claude-sonnet-5-5", {"output": 1}, 10),
        ("claude-haiku-5-5", {"fresh": 1}, 1),  # a tenth of a micro-USD is rounded up
        ("claude-haiku-5-5", {"fresh": 100_000}, 10_000),
        ("claude-haiku-5-5", {"fresh": 100_000, "cache_read": 1}, 50_001),  # the long price holds for every token
        ("claude-haiku-4-5-20251001", {"cache_write": 4}, 5),
        ("claude-of-tomorrow", {"fresh": 1}, None),
    ],
)
def test_prices(model: str, counts: dict[str, int], cost: int | None) -> None:
    zero = {"fresh": 0, "cache_write": 0, "cache_read": 0, "output": 0}
    assert cost_micro_usd(model, **(zero | counts)) == cost
