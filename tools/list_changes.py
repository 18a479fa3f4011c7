"""list_changes: what was changed by people or providers: deploys, commits with diffs, flags, status-feed entries.

data = {"changes": [{
   "id": str,               # commit sha, or "deploy:<service>:<version>", "flag:<name>:<iso>", "status:<id>"
   "kind": "deploy" | "commit" | "flag" | "status",
   "at": iso, "service": str | "", "title": str, "author": str | "",
   "version": str | "", "commit": str | "",     # of a deploy: the commit it carried
   "files": [str, …], "diff": str | "",          # of a commit (and of a deploy whose commit is known)
   "text": str                                    # one readable line: what the change says of itself
}, …]}                                            # rising time
figures: total, deploys, commits, flags, statuses.   source = "<name>:changes"
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from pydantic import Field

from tools.base import Params, Risk, Status, Tool, ToolContext, ToolResult
from tools.reach import Reach, ask_each, list_of, reach
from tools.sources.changes.change import Change
from tools.sources.timestamps import iso_us

MAX_CHANGES = 500
FIGURES = {"deploy": "deploys", "commit": "commits", "flag": "flags", "status": "statuses"}


class ListChanges(Params):
    service: str = Field("", description="Service name; empty means every service.")
    kind: Literal["", "deploy", "commit", "flag", "status"] = ""
    source: str = Field("", description="Name of a source; empty asks all of them.")
    since: str = Field("", description="'last 5 hours', '30m', or ISO 8601. Empty: the start of the data.")
    until: str = Field("", description="ISO 8601 or a phrase; empty: the run's as-of time.")


def run(context: ToolContext, params: ListChanges) -> ToolResult:
    sources = context.sources.changes(params.source)
    within = reach(context, "changes", sources, params.since, params.until)
    answers = ask_each(sources, lambda source: source.changes())
    every = sorted((change for found in answers.found for change in found), key=lambda change: change.at_us)
    inside = [change for change in every if within.since_us <= change.at_us < within.until_us]
    found = [change for change in inside if _is_asked(change, params)]
    shown = found[-MAX_CHANGES:]
    status = Status.NO_DATA if not found else Status.TRUNCATED if len(shown) < len(found) else Status.SUCCESS
    return ToolResult(
        status=status,
        summary=_summary(params, within, found, shown, len(inside)) + within.notes(*answers.notes),
        data={"changes": [_row(change) for change in shown]} | ({} if found else {"services": within.services}),
        figures=_figures(found),
        query=within.query(**params.model_dump(include={"service", "kind"})),
        source=within.source,
        freshness=within.newest,
        skipped=within.skipped,
    )


def _is_asked(change: Change, params: ListChanges) -> bool:
    return params.kind in ("", change.kind) and (not params.service or _concerns(change, params.service.lower()))


def _concerns(change: Change, service: str) -> bool:
    """Of that service; or of a provider, or of no service named, and this one stands in its words or files."""
    if change.service.lower() == service:
        return True
    if change.service and change.kind != "status":
        return False
    return any(service in text.lower() for text in (change.service, change.text, *change.files))


def _row(change: Change) -> dict[str, Any]:
    return {
        "id": change.id,
        "kind": change.kind,
        "at": iso_us(change.at_us),
        "service": change.service,
        "title": change.title,
        "author": change.author,
        "version": change.version,
        "commit": change.commit,
        "files": list(change.files),
        "diff": change.diff,
        "text": change.text,
    }


def _figures(found: list[Change]) -> dict[str, float]:
    counts = Counter(change.kind for change in found)
    return {"total": len(found), **{name: counts[kind] for kind, name in FIGURES.items()}}  # type: ignore[index]


def _summary(params: ListChanges, within: Reach, found: list[Change], shown: list[Change], inside: int) -> str:
    of_service = f" for {params.service}" if params.service else ""
    if not found:
        what = f"{params.kind or 'change'}{of_service}"
        others = f"{inside:,} other changes in that time" if inside else within.span()
        return f"No {what} in {within.words()}; {others}; services: {list_of(within.services)}"
    figures = _figures(found)
    counted = ", ".join(f"{figures[name]:.0f} {name}" for name in FIGURES.values() if figures[name])
    most = f"; the newest {len(shown):,} shown" if len(shown) < len(found) else ""
    last = found[-1]
    return f"{counted}{of_service} in {within.words()}{most}; last {within.clock_us(last.at_us)}: {last.title[:120]}"


TOOL = Tool(
    name="list_changes",
    summary="List what people or providers changed before and during the incident: deploys, commits with diffs, "
    "feature flags, status-feed entries.",
    params=ListChanges,
    risk=Risk.READ,
    run=run,
    needs=("changes",),
)
