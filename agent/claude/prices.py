"""What a model call costs, from the one price table beside this file."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("prices.toml")
DATED = re.compile(r"-\d{8}$")  # claude-haiku-4-5-20251001 costs what claude-haiku-4-5 costs


@cache
def _table() -> dict[str, dict[str, Any]]:
    return tomllib.loads(TABLE.read_text())


def is_known(model: str) -> bool:
    return DATED.sub("", model) in _table()


def ceiling_micro_usd(model: str, prompt_tokens: int, max_tokens: int) -> int:
    """The most one call may cost, all of its prompt written to the cache; 0 where the price is not known."""
    return cost_micro_usd(model, fresh=0, cache_write=prompt_tokens, cache_read=0, output=max_tokens) or 0


def cost_micro_usd(model: str, *, fresh: int, cache_write: int, cache_read: int, output: int) -> int | None:
    """Cost in micro-USD, rounded up; None where the model's price is not known. Counts are tokens."""
    prices = _table().get(DATED.sub("", model))
    if prices is None:
        return None
    if fresh + cache_write + cache_read > prices.get("long_above", float("inf")):
        prices = prices["long"]
    total: int = (
        fresh * prices["input"]
        + cache_write * prices["cache_write"]
        + cache_read * prices["cache_read"]
        + output * prices["output"]
    )
    return -(-total // 1_000_000)
