"""Log files too large to index answer as indexed ones do; broken and hostile files cost little and break nothing."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.tools.conftest import AS_OF, ask_folder, stamp
from tools.base import Status, ToolResult
from tools.sources.logs.literals import prefilter_for

BEGIN = AS_OF - timedelta(hours=3)
COMPARED = ("total", "before", "first_at", "last_at", "per_minute", "services", "levels", "templates")


def mixed_lines(count: int = 6_000) -> list[str]:
    """Text lines with traces below some of them, and a few JSON lines; rising but for some disorder."""
    draw, lines = random.Random(5), []
    for number in range(count):
        at = BEGIN + timedelta(seconds=number * 10_800 / count + draw.uniform(-5, 5))
        when = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if number % 50 == 7:
            lines.append(f"{when} ERROR orders: charge {number} timed out after {number % 900} ms")
            lines += ["java.net.SocketTimeoutException: Read timed out", "\tat com.shop.Client.call(Client.java:41)"]
        elif number % 97 == 3:
            lines.append(json.dumps({"time": when, "level": "warn", "service": "cart", "msg": f"slow query {number}"}))
        else:
            lines.append(f"{when} INFO web: GET /item/{number} 200 in {draw.randint(1, 90)} ms")
    return lines


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.log").write_text("\n".join(mixed_lines()) + "\n")
    return tmp_path


def both_ways(folder: Path, monkeypatch: pytest.MonkeyPatch, **args: Any) -> tuple[ToolResult, ToolResult]:
    indexed = ask_folder(folder, "search_logs", **args)
    monkeypatch.setattr("tools.sources.logs.index.MAX_INDEXED", 1_000)
    monkeypatch.setattr("tools.sources.logs.largelog.BLOCK", 4_096)
    monkeypatch.setattr("tools.sources.logs.largelog.NEAR", 2_048)
    (folder / "app.log").touch()  # what was read is kept by the file's fingerprint
    return indexed, ask_folder(folder, "search_logs", **args)


@pytest.mark.parametrize(
    "args",
    [
        {"pattern": "timed out"},
        {"pattern": "timed out", "since": "last 30 minutes"},
        {"pattern": "TIMED OUT", "ignore_case": False},
        {"pattern": "slow query|timed out", "since": "1h", "until": stamp(AS_OF - timedelta(minutes=20))},
        {"pattern": r"charge \d+7 timed"},
        {"pattern": "SocketTimeoutException", "since": "2h"},
        {"pattern": "^2026.*slow$|ms$", "since": "10m"},
        {"level": "ERROR"},
        {"level": "WARN", "since": "1h"},
        {"service": "cart"},
        {"service": "web", "since": "3m"},
        {"since": "5m"},
        {"pattern": "no such thing"},
    ],
    ids=str,
)
def test_a_large_file_answers_as_an_indexed_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, args: dict[str, Any]
) -> None:
    indexed, large = both_ways(folder, monkeypatch, **args)

    assert large.status == indexed.status
    assert {key: large.data[key] for key in COMPARED} == {key: indexed.data[key] for key in COMPARED}
    assert [one["message"] for one in large.data["matches"]] == [one["message"] for one in indexed.data["matches"]]
    assert all(one["where"].startswith("app.log@") for one in large.data["matches"])


def test_a_file_in_no_order_is_read_whole_and_answers_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line for line in mixed_lines() if line.startswith(("2026", "{"))]
    random.Random(9).shuffle(lines)
    (tmp_path / "app.log").write_text("\n".join(lines) + "\n")
    indexed, large = both_ways(tmp_path, monkeypatch, pattern="timed out", since="1h")

    assert indexed.data["total"] > 10
    assert {key: large.data[key] for key in COMPARED[:-1]} == {key: indexed.data[key] for key in COMPARED[:-1]}


def test_where_too_much_matches_the_newest_is_read_and_the_answer_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.sources.logs.index.MAX_INDEXED", 1_000)
    monkeypatch.setattr("tools.sources.logs.largelog.MAX_ENTRIES", 500)
    monkeypatch.setattr("tools.sources.logs.largelog.BLOCK", 4_096)
    result = ask_folder(folder, "search_logs", pattern="item", limit=1)

    assert result.status is Status.TRUNCATED
    assert 500 < result.data["total"] < 700
    assert result.data["matches"][0]["message"].startswith("web: GET /item/59")
    assert "only those since" in result.summary


LINE = b"2026-03-01T09:30:00Z ERROR api: disk full\n"
ODD = {
    "empty": b"",
    "only newlines": b"\n" * 5_000,
    "binary": bytes(range(256)) * 200,
    "no newline at the end": LINE * 200 + b"2026-03-01T09:59:00Z ERROR api: disk full",
    "a huge line": LINE * 100 + b"x" * 3_000_000 + b"\n" + LINE * 100,
    "an endless line": b"2026-03-01T09:30:00Z " + b"y" * 3_000_000,
    "cut json": b'{"time": "2026-03-01T09:30:00Z", "msg": "disk f\n' * 300 + LINE * 50,
    "mixed encodings": LINE * 50 + "2026-03-01T09:31:00Z ERROR api: Störung, disk full\n".encode("latin-1") * 50
    + "2026-03-01T09:31:00Z ERROR api: Störung\n".encode("utf-16") + LINE * 50,
    "nul bytes": LINE * 50 + b"\x00" * 100_000 + LINE * 50,
    "windows line ends": LINE.replace(b"\n", b"\r\n") * 200,
    "backwards": b"".join(b"2026-03-01T09:%02d:00Z ERROR api: disk full\n" % (59 - n) for n in range(60)) * 5,
}  # fmt: skip


@pytest.mark.parametrize("kind", list(ODD))
def test_odd_files_are_read_as_far_as_they_go(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.sources.logs.index.MAX_INDEXED", 1_000)
    (tmp_path / "good.log").write_bytes(LINE)
    (tmp_path / "odd.log").write_bytes(ODD[kind])
    result = ask_folder(tmp_path, "search_logs", pattern="disk full")

    assert result.data["total"] == 1 + min(ODD[kind].count(b"disk full"), _entries(kind))
    assert ask_folder(tmp_path, "search_logs", limit=200).data["total"] >= 1


def _entries(kind: str) -> int:
    """Lines of the odd file that hold a time and the words; a cut JSON line is no entry."""
    return sum(b"disk full" in line and line.startswith(b"2026") for line in ODD[kind].split(b"\n"))


def test_a_packed_file_is_searched_as_a_plain_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.sources.logs.index.MAX_INDEXED", 1_000)
    (tmp_path / "app.log.gz").write_bytes(gzip.compress("\n".join(mixed_lines()).encode()))

    assert ask_folder(tmp_path, "search_logs", pattern="timed out").data["total"] == 120


@pytest.mark.parametrize(
    ("pattern", "block", "places"),
    [
        ("timed out", b"it timed out, TIMED OUT", 2),
        ("time[ -]?out|refused", b"Connection Refused: timeout", 2),
        ("(error|failed) .*", b"failed to", 1),
        ("panic:", b"abc", 0),
    ],
)
def test_the_prefilter_finds_every_place_where_a_match_could_be(pattern: str, block: bytes, places: int) -> None:
    found = prefilter_for(pattern, ignore_case=True)
    assert found is not None
    assert len(found.places(block)) == places


@pytest.mark.parametrize("pattern", ["a|bcdef", ".*", "x?y?", "[[:alpha:]]timeout", "foo", r"\d{4}", r"\pL+abc|x", "("])
def test_a_pattern_that_needs_no_text_has_no_prefilter(pattern: str) -> None:
    assert prefilter_for(pattern, ignore_case=False) is None


PEAK = """
import sys
from pathlib import Path
from datetime import UTC, datetime
from tools import registry
from tools.base import ToolContext
from tools.sources import SourceSet, SourceSpec
sources = SourceSet([SourceSpec("big", Path(sys.argv[1]).as_uri())])
def highest():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
before = highest()
tool = registry.get("search_logs")
context = ToolContext("key", sources.newest(), None, sources, lambda name: None)
for since in ("", "1h"):
    result = tool.run(context, tool.params.model_validate({"pattern": "disk full", "since": since}))
    print(result.data["total"], result.data["searched"])
print(highest() - before)
"""


@pytest.mark.slow
def test_two_gigabytes_are_searched_within_a_hundred_megabytes(tmp_path: Path) -> None:
    """Most of it is one hole in the file, which costs no disk, between lines at both ends."""
    begin, lines = datetime(2026, 3, 1, tzinfo=UTC), []
    for number in range(86_400):
        text = "ERROR api: disk full" if number % 1_000 == 0 else "INFO web: GET /item 200 and some more of the line"
        lines.append(f"{(begin + timedelta(seconds=number)).strftime('%Y-%m-%dT%H:%M:%SZ')} {text}\n")
    path = tmp_path / "big.log"
    with path.open("wb") as file:
        half = "".join(lines[:43_200]).encode()
        file.write(half)
        file.seek(2**31, 1)
        file.write(b"\n" + "".join(lines[43_200:]).encode())
    argv = [sys.executable, "-c", PEAK, str(tmp_path)]
    done = subprocess.run(argv, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    whole, hour, peak = done.stdout.splitlines()

    assert whole.split()[0] == "87"
    assert hour.split()[0] == "4"
    assert int(peak) < 100_000  # kB
