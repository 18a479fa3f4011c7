"""Log texts by the thousand: fills the `<…>` marks of a template with values drawn for every line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from tools.simulator.scenario import ScenarioError

MARK = re.compile(r"<([a-z]+)(?::([^<>]*))?>")
Draw = Callable[[np.random.Generator, int, str], Sequence[object]]


def fill(template: str, stamps: Sequence[str], stream: np.random.Generator, routes: Sequence[str]) -> list[str]:
    """One text for each time stamp. Unknown marks raise ScenarioError."""
    marks = [(m.group(1), m.group(2) or "") for m in MARK.finditer(template)]
    pattern = "%s".join(part.replace("%", "%%") for part in _between(template))
    columns = [_column(kind, given, stream, stamps, routes) for kind, given in marks]
    return [pattern % row for row in zip(*columns, strict=True)] if columns else [pattern % ()] * len(stamps)


def _between(template: str) -> list[str]:
    ends = [0, *(m.end() for m in MARK.finditer(template))]
    starts = [*(m.start() for m in MARK.finditer(template)), len(template)]
    return [template[end:start] for end, start in zip(ends, starts, strict=True)]


def _column(
    kind: str, given: str, stream: np.random.Generator, stamps: Sequence[str], routes: Sequence[str]
) -> Sequence[object]:
    if kind == "now":
        return [f"{stamp[:19]}Z" for stamp in stamps]
    if kind == "route":
        return _picks(stream, len(stamps), "|".join(routes))
    if kind not in DRAWS:
        raise ScenarioError(f"unknown mark <{kind}> in a log text; known: now, route, {', '.join(sorted(DRAWS))}")
    try:
        return DRAWS[kind](stream, len(stamps), given)
    except ValueError as error:
        raise ScenarioError(f"<{kind}:{given}> in a log text cannot be drawn: {error}") from error


def _picks(stream: np.random.Generator, count: int, given: str) -> Sequence[object]:
    options = given.split("|")
    return [options[i] for i in stream.integers(0, len(options), count).tolist()]


def _ints(stream: np.random.Generator, count: int, given: str) -> Sequence[object]:
    low, high = (int(bound) for bound in given.split(":"))
    return list(stream.integers(low, high + 1, count).tolist())


def _milliseconds(stream: np.random.Generator, count: int, given: str) -> Sequence[object]:
    times = float(given) * np.exp(0.5 * np.clip(stream.standard_t(4, count), -4, 7))
    return list(np.maximum(times, 1).astype(np.int64).tolist())


def hexes(stream: np.random.Generator, count: int, digits: int) -> list[str]:
    text = stream.bytes((count * digits + 1) // 2).hex()
    return [text[i * digits : (i + 1) * digits] for i in range(count)]


def _uuids(stream: np.random.Generator, count: int, _: str) -> Sequence[object]:
    return [f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}" for h in hexes(stream, count, 32)]


def _addresses(stream: np.random.Generator, count: int, _: str) -> Sequence[object]:
    return [f"10.{a}.{b}.{c}" for a, b, c in stream.integers(1, 250, (count, 3)).tolist()]


DRAWS: dict[str, Draw] = {
    "int": _ints,
    "ms": _milliseconds,
    "pick": _picks,
    "hex": lambda stream, count, given: hexes(stream, count, int(given)),
    "method": lambda stream, count, _: _picks(stream, count, "GET|GET|GET|POST|PUT"),
    "uuid": _uuids,
    "ip": _addresses,
}
