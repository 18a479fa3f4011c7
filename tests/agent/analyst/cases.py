"""Hand-made results and folders for the analyst's tests: small systems with a known fault, under any names."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

BEGIN = datetime(2026, 7, 3, 8, 0, tzinfo=UTC)
MINUTES = 180
ONSET = 120  # minutes after BEGIN


def at(minute: float) -> str:
    return (BEGIN + timedelta(minutes=float(minute))).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class System:
    """A folder in the making: services with metrics, lines, changes."""

    metrics: list[tuple[str, str, list[float]]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    deploys: list[dict[str, Any]] = field(default_factory=list)
    commits: list[dict[str, Any]] = field(default_factory=list)
    status: list[dict[str, Any]] = field(default_factory=list)
    edges: list[tuple[str, str]] = field(default_factory=list)
    alert: dict[str, Any] = field(default_factory=dict)

    def gauge(self, service: str, metric: str, normal: float, later: float | None = None, onset: int = ONSET) -> None:
        noise = np.random.default_rng(len(self.metrics)).normal(1, 0.03, MINUTES)
        level = [later if later is not None and minute >= onset else normal for minute in range(MINUTES)]
        self.metrics.append((service, metric, [round(float(v), 5) for v in noise * np.array(level)]))

    def log(self, service: str, level: str, text: str, minutes: Iterable[float]) -> None:
        self.lines += [
            {"timestamp": at(minute), "service": service, "severity_text": level, "msg": text.replace("#", str(number))}
            for number, minute in enumerate(minutes)
        ]

    def release(self, service: str, minute: float, sha: str, title: str, file: str, diff: str) -> None:
        self.commits.append(
            {
                "sha": sha,
                "author": "a",
                "timestamp": at(minute - 15),
                "message": title,
                "files_changed": [file],
                "diff": diff,
            }
        )
        self.deploys.append(
            {"timestamp": at(minute), "service": service, "commit_sha": sha, "version": f"1.0.{int(minute)}"}
        )

    def write(self, folder: Path) -> Path:
        (folder / "context").mkdir(parents=True)
        rows = ["timestamp,service,metric,value"]
        for service, metric, values in self.metrics:
            rows += [f"{at(minute)},{service},{metric},{value}" for minute, value in enumerate(values)]
        if self.metrics:
            (folder / "metrics.csv").write_text("\n".join(rows) + "\n")
        if self.lines:
            ordered = sorted(self.lines, key=lambda line: line["timestamp"])
            (folder / "app.jsonl").write_text("".join(json.dumps(line) + "\n" for line in ordered))
        for name, found in (("deploys", self.deploys), ("commits", self.commits)):
            if found:
                (folder / "context" / f"{name}.json").write_text(json.dumps(found))
        if self.status:
            (folder / "status_feed.json").write_text(json.dumps({"events": self.status}))
        if self.edges:
            (folder / "topology.csv").write_text("caller,callee\n" + "".join(f"{a},{b}\n" for a, b in self.edges))
        if self.alert:
            (folder / "alert.json").write_text(json.dumps(self.alert))
        return folder


def pool_exhausted(front: str = "kiosk", middle: str = "till", store: str = "vault") -> System:
    """`middle` runs out of connections after its release lowered the pool; a later release of `front` is innocent."""
    system = System(edges=[(front, middle), (middle, store)])
    system.gauge(front, "error_rate", 0.002, 0.3, ONSET + 2)
    system.gauge(middle, "error_rate", 0.002, 0.5)
    system.gauge(middle, "db_pool_pending", 0.1, 60)
    system.gauge(middle, "request_rate", 40)
    system.gauge(store, "query_p95", 4.0)
    system.gauge(store, "cpu", 30)
    system.log(middle, "INFO", "request # done", range(0, MINUTES))
    system.log(middle, "ERROR", "no connection in the pool after 500#ms", np.arange(ONSET, MINUTES, 0.5))
    system.log(front, "ERROR", f"call to {middle} failed: 503", np.arange(ONSET + 2, MINUTES, 1))
    system.log("sweeper", "ERROR", "row # could not be swept", np.arange(0, MINUTES, 2))
    system.release(
        middle, ONSET - 4, "c0ffee1", "chore: settings", f"{middle}/values.yaml", "-  POOL_MAX: 40\n+  POOL_MAX: 8"
    )
    system.release(front, ONSET - 1, "beef002", "docs: words", f"{front}/README.md", "+More words.")
    system.alert = {
        "service": front, "metric": "error_rate", "threshold": 0.05, "observed": 0.3, "fired_at": at(ONSET + 5),
        "severity": "critical", "monitor": "errors", "summary": "errors above 5 %",
    }  # fmt: skip
    return system


def healthy() -> System:
    system = System(edges=[("kiosk", "till")])
    for service in ("kiosk", "till"):
        system.gauge(service, "error_rate", 0.004)
        system.gauge(service, "latency_p99", 80)
        system.log(service, "ERROR", "client # went away", np.arange(0, MINUTES, 3))
    system.release("till", ONSET - 3, "c0ffee1", "tidy", "till/a.py", "-    x = f(1)\n+    x = g(1)")
    system.alert = {
        "service": "kiosk",
        "metric": "latency_p99",
        "threshold": 82,
        "fired_at": at(ONSET),
        "severity": "warning",
    }
    return system
