"""One log file as a source: what logrotate made of it belongs to it, other files beside it do not."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path

import zstandard

from tests.tools.conftest import AS_OF, context_for, log_line
from tools import registry
from tools.sources import SourceSet, SourceSpec


def test_rotated_and_packed_neighbours_are_read_with_it(tmp_path: Path) -> None:
    lines = [(log_line(AS_OF - timedelta(hours=back), "", "INFO", f"hour {back}") + "\n").encode() for back in range(5)]
    (tmp_path / "app.log").write_bytes(lines[0])
    (tmp_path / "app.log.1").write_bytes(lines[1])
    (tmp_path / "app.log.2.gz").write_bytes(gzip.compress(lines[2]))
    (tmp_path / "app.log-20260301.zst").write_bytes(zstandard.compress(lines[3]))
    (tmp_path / "app.log.2026-02-28").write_bytes(lines[3].replace(b"hour 3", b"by day"))
    (tmp_path / "app.2026-02-27.log").write_bytes(lines[3].replace(b"hour 3", b"day within"))
    (tmp_path / "app.log.old").write_bytes(lines[4])
    (tmp_path / "app.login.log").write_bytes(lines[4])
    tool = registry.get("search_logs")
    sources = SourceSet([SourceSpec("app", (tmp_path / "app.log").as_uri())])

    result = tool.run(context_for(sources), tool.params.model_validate({"since": "1d"}))

    assert [one["message"] for one in result.data["matches"]] == [
        "hour 0", "hour 1", "hour 2", "day within", "hour 3", "by day",
    ]  # fmt: skip
    assert result.data["services"] == {"": 6}
