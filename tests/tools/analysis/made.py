"""Small made traces for the analysis of spans and lines: a front door that calls a shop, which calls a store."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tools.analysis.requests import Line
from tools.sources.traces.forest import Forest
from tools.sources.traces.span import Span

SERVICES = ("door", "shop", "store", "mail", "stock")


def chain(
    runs: int,
    seed: int,
    own: Callable[[str], float] = lambda service: 1.0,
    gap: Callable[[str], float] = lambda service: 1.0,
) -> Forest:
    """Each trace: door → shop → store and shop → mail, stock; `own` and `gap` stretch a service's times."""
    rng = np.random.default_rng(seed)
    spans: list[Span] = []
    for run in range(runs):
        trace, start = f"t{seed}-{run}", 1_000_000 * run
        spans.append(Span(trace, "door", "", "door", "GET /", start, 400.0))
        _call(spans, trace, "door", "shop", "buy", start + 1_000, 200 * own("shop"), 4 * gap("shop"), rng)
        for place, callee in enumerate(("store", "mail", "stock")):
            at = start + 10_000 + 40_000 * place
            _call(spans, trace, "shop", callee, "use", at, 20 * own(callee), 4 * gap(callee), rng)
    return Forest(spans)


def _call(
    spans: list[Span], trace: str, caller: str, callee: str, name: str, at: int, ms: float, gap: float,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """The client's span in the caller, and the server's span under it."""
    took, between = ms * rng.lognormal(0, 0.1), gap * rng.lognormal(0, 0.2)
    client = f"{caller}>{callee}"
    spans.append(Span(trace, client, caller, caller, f"call {callee}", at, took + between))
    spans.append(Span(trace, callee, client, callee, name, at + int(500 * between), took))


def line(trace: str, service: str, template: str, level: str = "INFO") -> Line:
    return Line(service, trace, service, template, level == "ERROR", level == "INFO")
