"""A small telemetry folder with a known incident, and the way to ask a tool about a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tools import registry
from tools.base import Stored, ToolContext, ToolResult
from tools.sources import SourceSet, SourceSpec

AS_OF = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
ONSET = datetime(2026, 3, 1, 9, 40, tzinfo=UTC)
START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

Ask = Callable[..., ToolResult]


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def minutes(first: datetime = START, last: datetime = AS_OF) -> list[datetime]:
    return [first + timedelta(minutes=n) for n in range(int((last - first).total_seconds() // 60) + 1)]


def log_line(at: datetime, service: str, level: str, message: str, **fields: Any) -> str:
    return json.dumps({"timestamp": stamp(at), "service": service, "level": level, "message": message, **fields})


def write(path: Path, lines: Iterable[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def open_sources(path: Path, name: str = "shop") -> SourceSet:
    return SourceSet([SourceSpec(name, path.as_uri())])


def context_for(sources: SourceSet, as_of: datetime | None = AS_OF) -> ToolContext:
    return ToolContext(
        "key-1", as_of or sources.newest() or AS_OF, sources.alert_at(), sources, lambda name: Stored({})
    )


def ask_folder(path: Path, tool: str, as_of: datetime | None = AS_OF, **args: Any) -> ToolResult:
    """Runs the tool on this folder, its arguments checked as a planner's are."""
    found = registry.get(tool)
    return found.run(context_for(open_sources(path), as_of), found.params.model_validate(args))


def span(
    trace: str, own: str, parent: str | None, service: str, name: str, at: datetime, ms: float, **more: Any
) -> dict[str, Any]:
    return {
        "trace_id": trace, "span_id": own, "parent_id": parent, "service": service, "name": name,
        "start": at.isoformat(), "duration_ms": ms, "status": "OK", **more,
    }  # fmt: skip


def _logs() -> list[str]:
    lines = []
    for number, at in enumerate(minutes()):
        lines.append(log_line(at, "orders", "INFO", f"order {1000 + number} placed", customer=f"c{number}"))
        if at >= ONSET:
            lines.append(log_line(at, "payments", "ERROR", f"charge timed out after {5000 + number} ms"))
    return lines


def _metrics() -> list[str]:
    rows = ["timestamp,service,metric,value"]
    for at in minutes():
        rows.append(f"{stamp(at)},orders,latency_ms,{500 if at >= ONSET else 20}")
        rows.append(f"{stamp(at)},payments,error_rate,{0.5 if at >= ONSET else 0}")
    return rows


def _spans() -> list[dict[str, Any]]:
    early, late = START + timedelta(minutes=5), ONSET + timedelta(minutes=5)
    failed = {"status": "ERROR"}
    return [
        span("t1", "a", None, "gateway", "POST /orders", early, 40),
        span("t1", "b", "a", "orders", "place", early, 30),
        span("t1", "c", "b", "payments", "charge", early, 10),
        span("t2", "a", None, "gateway", "POST /orders", late, 5200, **failed),
        span("t2", "b", "a", "orders", "place", late, 5100, **failed),
        span("t2", "c", "b", "payments", "charge", late, 5000, error="upstream timed out", **failed),
    ]


def _context() -> dict[str, Any]:
    return {
        "deploys": [
            {"timestamp": "2026-03-01T09:38:00Z", "service": "payments", "commit_sha": "abc123", "version": "v7"},
        ],
        "commits": [
            {
                "sha": "abc123", "author": "ana", "timestamp": "2026-03-01T09:30:00Z",
                "message": "lower the client timeout",
                "files_changed": ["payments/client.go"], "diff": "-timeout: 10s\n+timeout: 5s",
            },
            {
                "sha": "def456", "author": "ben", "timestamp": "2026-03-01T09:10:00Z", "message": "docs: fix a typo",
                "files_changed": ["README.md"], "diff": None,
            },
        ],
        "flags": [
            {
                "timestamp": "2026-03-01T09:20:00Z", "flag": "fast_cart", "service": "orders",
                "change": "off->on", "actor": "cy",
            },
        ],
    }  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """60 minutes up to AS_OF; from ONSET on the charges of `payments` time out."""
    folder = tmp_path / "shop"
    write(folder / "logs.ndjson", _logs())
    write(folder / "metrics.csv", _metrics())
    write(folder / "topology.csv", ["caller,callee", "gateway,orders", "orders,stock"])
    for name, rows in _context().items():
        write(folder / "context" / f"{name}.json", [json.dumps(rows)])
    write(folder / "traces.json", [json.dumps(_spans())])
    write(folder / "alert.json", [json.dumps({"service": "orders", "fired_at": stamp(ONSET + timedelta(minutes=3))})])
    pattern = {
        "signature": "charge timed out after <N> ms",
        "service": "payments",
        "count": 4120,
        "delta_vs_baseline": "+4,100",
    }
    write(folder / "patterns.json", [json.dumps([pattern])])
    event = {"id": "S3-1", "status": "degraded", "title": "Slow object storage", "started_at": "2026-03-01T09:50:00Z"}
    write(folder / "status_feed.json", [json.dumps({"source": "cloud", "region": "eu-1", "events": [event]})])
    return folder


@pytest.fixture
def ask(shop: Path) -> Ask:
    def ask_shop(tool: str, **args: Any) -> ToolResult:
        return ask_folder(shop, tool, **args)

    return ask_shop
