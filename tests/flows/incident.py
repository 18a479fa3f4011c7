"""A small incident folder: a service whose requests time out after a deploy that cut its pool."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

AS_OF = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ONSET = AS_OF - timedelta(minutes=30)
SHA = "9c1f0a7be2d34c55a1"


def write_incident(folder: Path) -> Path:
    """Two hours of one line a minute, then five errors a minute; one metric; one deploy with its commit."""
    folder.mkdir(parents=True, exist_ok=True)
    start = AS_OF - timedelta(hours=2)
    with (folder / "app.jsonl").open("w") as log:
        for minute in range(120):
            at = start + timedelta(minutes=minute)
            for second in range(5 if at >= ONSET else 1):
                log.write(json.dumps(_line(at + timedelta(seconds=second * 7), at >= ONSET)) + "\n")
    with (folder / "metrics.csv").open("w") as metrics:
        metrics.write("timestamp,service,metric,value\n")
        for minute in range(120):
            at = start + timedelta(minutes=minute)
            metrics.write(f"{at.isoformat()},billing,db_pool_active,{10 if at >= ONSET else 18 + minute % 3}\n")
    _write_changes(folder / "context")
    return folder


def _line(at: datetime, failing: bool) -> dict[str, str]:
    message = "connection not available, timed out after 5000ms" if failing else "invoice rendered"
    return {"timestamp": at.isoformat(), "service": "billing", "level": "ERROR" if failing else "INFO", "msg": message}


def _write_changes(context: Path) -> None:
    context.mkdir()
    at = (ONSET - timedelta(minutes=3)).isoformat()
    (context / "deploys.json").write_text(
        json.dumps([{"timestamp": at, "service": "billing", "commit_sha": SHA, "version": "2.4.0"}])
    )
    diff = "@@ config/db.yaml @@\n-pool_size: 40\n+pool_size: 10"
    (context / "commits.json").write_text(
        json.dumps([{"sha": SHA, "author": "dana", "timestamp": at, "message": "chore: tune database settings",
                     "files_changed": ["config/db.yaml"], "diff": diff}])
    )  # fmt: skip
    (context / "flags.json").write_text("[]")
