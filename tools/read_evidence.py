"""read_evidence: lines of an earlier result as it was stored, by range or by search.

data = {
  "evidence": "E3",
  "total": int,                    # lines that the stored result has
  "matching": int | null,          # of them, how many the search matches; null where nothing was searched for
  "lines": [[number, text], …],    # from `start` on, counted from 1; text as stored, long lines cut
  "next": int | null               # the line to go on from
}
No figures, and never no_data: that a kept result lacks something does not show that its source does.
source = that of the earlier result, so that reading it is no second witness.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from tools.base import Params, Risk, Status, Tool, ToolContext, ToolResult
from tools.sources.logs.matching import compile_pattern

LINE_CHARS = 2_000
INLINE_CHARS = 400  # a row of a table is one line up to here, however many columns it has


class ReadEvidence(Params):
    evidence: str = Field(pattern=r"^(S\d{1,3}\.)?E\d{1,6}$", description="Name of an earlier result, such as E3.")
    search: str = Field("", max_length=512, description="RE2 pattern, case ignored. Empty: every line from `start` on.")
    start: int = Field(1, ge=1, description="Line to begin with, counted from 1.")
    lines: int = Field(40, ge=1, le=200, description="How many lines at most.")


def run(context: ToolContext, params: ReadEvidence) -> ToolResult:
    stored = context.evidence(params.evidence)
    every = list(enumerate(lines_of(stored.data), 1))
    pattern = compile_pattern(params.search, ignore_case=True)
    found = every if pattern is None else [(number, text) for number, text in every if pattern.hits(text.encode())]
    ahead = [(number, text) for number, text in found if number >= params.start]
    shown = ahead[: params.lines]
    following = ahead[params.lines][0] if len(ahead) > params.lines else None
    return ToolResult(
        status=Status.SUCCESS,
        summary=_summary(params, len(every), len(found), shown, following),
        data={
            "evidence": params.evidence,
            "total": len(every),
            "matching": None if pattern is None else len(found),
            "lines": [[number, _clip(text)] for number, text in shown],
            "next": following,
        },
        query={"of": stored.query, **params.model_dump()},
        source=stored.source,
        freshness=stored.freshness,
    )


def _summary(
    params: ReadEvidence, total: int, matching: int, shown: list[tuple[int, str]], following: int | None
) -> str:
    asked = f" that match “{params.search}”" if params.search else ""
    if not shown:
        return (
            f"None of the {total:,} lines of {params.evidence}{asked} from line {params.start} on. Only what was kept "
            "is read here: ask the source itself before you call it absence."
        )
    rest = f", more from line {following:,} on" if following else ""
    name = params.evidence
    return f"{len(shown):,} of {matching:,} lines of {name}{asked} ({total:,} in all){rest}. Cite {name}."


def lines_of(data: Mapping[str, Any]) -> Iterator[str]:
    """A stored result as lines: a row of a table each, a text of several lines as those, its words never changed."""
    for key, value in data.items():
        for item in _items(str(key), value):
            yield from item.split("\n")


def _items(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and not _is_row(value):
        for key, item in value.items():
            yield from _items(f"{path}.{key}", item)
    elif isinstance(value, list) and not _is_point(value):
        for place, item in enumerate(value):
            yield from _items(f"{path}[{place}]", item)
    else:
        yield f"{path}: {_inline(value)}"


def _is_row(value: Mapping[str, Any]) -> bool:
    """Whether it reads well as one line: a few values, none of which is a table itself."""
    nested = [item for item in value.values() if isinstance(item, Mapping | list)]
    return all(len(str(item)) <= INLINE_CHARS for item in nested)


def _is_point(value: list[Any]) -> bool:
    return len(value) <= 4 and not any(isinstance(item, Mapping | list) for item in value)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_inline(item)}" for key, item in value.items() if item not in ("", None, [], {}))
    if isinstance(value, list):
        return " ".join(_inline(item) for item in value)
    return str(value)


def _clip(text: str) -> str:
    return text if len(text) <= LINE_CHARS else f"{text[:LINE_CHARS]}… ({len(text) - LINE_CHARS:,} more characters)"


TOOL = Tool(
    name="read_evidence",
    summary="Read an earlier result itself, by lines or by an RE2 search: what its digest left out. Asks no source.",
    params=ReadEvidence,
    risk=Risk.READ,
    run=run,
)
