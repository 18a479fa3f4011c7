"""Telemetry folders and single files as sources: what is found, how it is packed, what is said of an empty one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import zstandard

from tests.tools.conftest import AS_OF, ONSET, ask_folder, log_line, open_sources, stamp, write
from tools.base import ToolError
from tools.sources import SourceSet, SourceSpec, parse_spec
from tools.sources.logs.files import default_service

LINE = log_line(ONSET, "orders", "ERROR", "out of stock")


def test_a_folder_is_a_source_for_everything_it_holds(shop: Path) -> None:
    sources = open_sources(shop)
    states = {state.kind: state for state in sources.states()}
    assert {kind: (state.name, state.rows, state.problem) for kind, state in states.items()} == {
        "logs": ("shop", 82, ""), "metrics": ("shop", 122, ""), "traces": ("shop", 6, ""), "changes": ("shop", 5, ""),
    }  # fmt: skip
    assert sources.kinds() == {"logs", "metrics", "traces", "changes"}
    assert sources.services() == ["gateway", "orders", "payments", "stock"]
    assert sources.newest() == AS_OF
    assert sources.alert()["service"] == "orders"
    assert stamp(sources.alert_at() or AS_OF) == "2026-03-01T09:43:00Z"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("app.log", LINE.encode()),
        ("app.jsonl", LINE.encode() + b"\r\n"),
        ("logs/app.ndjson", b"\n" + LINE.encode()),
        ("app.log.gz", gzip.compress(LINE.encode())),
        ("app.jsonl.zst", zstandard.compress(LINE.encode())),
        ("app.log.1", LINE.encode()),
        ("app.log-20260301.gz", gzip.compress(LINE.encode()[:40]) + gzip.compress(LINE.encode()[40:])),
    ],
)
def test_logs_are_read_under_any_usual_name_plain_or_packed(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    (match,) = ask_folder(tmp_path, "search_logs").data["matches"]
    assert (match["message"], match["service"], match["where"].rsplit(":", 1)[0]) == ("out of stock", "orders", name)


def test_rotated_neighbours_are_searched_together_in_the_order_of_time(tmp_path: Path) -> None:
    write(tmp_path / "app.log", ["2026-03-01 09:50:00 INFO new"])
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(b"2026-03-01 09:40:00 INFO old\n"))
    result = ask_folder(tmp_path, "search_logs")
    assert [match["where"] for match in result.data["matches"]] == ["app.log:1", "app.log.1.gz:1"]
    assert result.data["services"] == {"": 2}


def test_only_an_app_log_and_one_metrics_csv_are_enough(tmp_path: Path) -> None:
    write(
        tmp_path / "app.log",
        ["2026-03-01 09:59:00,250 ERROR pool exhausted", "  at Pool.take", "2026-03-01 10:00:00,000 INFO ok"],
    )
    write(tmp_path / "metrics.csv", ["timestamp,metric,value", "2026-03-01 10:00:00,pool_used,30"])
    assert ask_folder(tmp_path, "search_logs", level="ERROR").data["matches"][0]["message"].endswith("  at Pool.take")
    assert ask_folder(tmp_path, "query_metrics").data["series"][0]["id"] == "pool_used"
    assert open_sources(tmp_path).kinds() == {"logs", "metrics"}


def test_a_file_that_grew_is_read_again(tmp_path: Path) -> None:
    write(tmp_path / "app.jsonl", [LINE])
    sources = open_sources(tmp_path)
    assert sources.states()[0].rows == 1
    write(tmp_path / "app.jsonl", [LINE, LINE])
    write(tmp_path / "new.jsonl", [LINE])
    assert sources.states()[0].rows == 3


def test_a_single_file_is_a_source_whatever_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "console", ["2026-03-01 09:59:00 ERROR boom"])
    write(tmp_path / "other.log", ["2026-03-01 09:59:00 ERROR not asked for"])
    assert ask_folder(path, "search_logs").data["total"] == 1


def test_a_spec_may_take_one_kind_of_a_folder(shop: Path) -> None:
    sources = SourceSet([SourceSpec("m", shop.as_uri(), kind="metrics")])
    assert sources.kinds() == {"metrics"}
    with pytest.raises(ToolError, match=r"The sources hold no logs\. Sources with logs: none"):
        sources.logs()


def test_a_baseline_answers_only_by_its_own_name(shop: Path) -> None:
    write(shop / "baseline" / "logs.ndjson", [log_line(AS_OF.replace(hour=3), "orders", "INFO", "a quiet night")])
    sources = open_sources(shop)
    assert sources.names() == ["shop", "shop-baseline"]
    assert ask_folder(shop, "search_logs", pattern="quiet").data["total"] == 0
    assert ask_folder(shop, "search_logs", pattern="quiet", source="shop-baseline").data["total"] == 1
    assert sources.newest() == AS_OF


def test_newest_is_that_of_the_telemetry_and_not_of_a_later_commit(shop: Path) -> None:
    late = {"sha": "fff", "timestamp": "2026-03-01T15:00:00Z", "message": "unrelated"}
    write(shop / "context" / "commits.json", [json.dumps([late])])
    assert open_sources(shop).newest() == AS_OF


def test_a_folder_that_does_not_exist_says_so(tmp_path: Path) -> None:
    sources = open_sources(tmp_path / "gone")
    assert sources.problems() == [f"shop: {tmp_path}/gone: No such file or directory"]
    with pytest.raises(ToolError, match=r"No logs can be read: shop: .*No such file"):
        sources.logs()


def test_a_folder_without_telemetry_says_what_was_looked_for(tmp_path: Path) -> None:
    write(tmp_path / "notes.txt", ["hello"])
    (problem,) = open_sources(tmp_path).problems()
    assert "holds no telemetry. Looked for *.log, *.out, *.jsonl or *.ndjson" in problem


def test_one_broken_source_does_not_silence_the_others(shop: Path) -> None:
    sources = SourceSet([SourceSpec("gone", "file:///nowhere/at/all"), SourceSpec("shop", shop.as_uri())])
    assert [source.name for source in sources.logs()] == ["shop"]
    assert {(state.name, bool(state.problem)) for state in sources.states()} == {("gone", True), ("shop", False)}
    with pytest.raises(ToolError, match="No such file"):
        sources.logs("gone")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("tempo+https://traces.example.org", "cannot open tempo+https://; known: file://"),
        ("file://var/log/shop", "a local path needs three slashes, file:///var/log/shop"),
    ],
)
def test_a_url_that_cannot_be_opened_is_explained(url: str, said: str) -> None:
    assert said in SourceSet([SourceSpec("x", url)]).problems()[0]


@pytest.mark.parametrize(
    ("text", "name", "url", "env"),
    [
        ("file:///var/log/shop?env=prod", "shop", "file:///var/log/shop?env=prod", "prod"),
        ("payments=file:///var/log/pay", "payments", "file:///var/log/pay", ""),
        ("/var/log/my shop", "my-shop", "file:///var/log/my%20shop", ""),
        ("a=/srv/x=y", "a", "file:///srv/x%3Dy", ""),
    ],
)
def test_a_source_is_written_as_a_url_or_a_path_with_or_without_a_name(
    text: str, name: str, url: str, env: str
) -> None:
    assert parse_spec(text) == SourceSpec(name, url, env)


def test_a_path_with_a_blank_is_found_by_its_url(tmp_path: Path) -> None:
    write(tmp_path / "my shop" / "app.jsonl", [LINE])
    assert SourceSet([parse_spec(str(tmp_path / "my shop"))]).states()[0].rows == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', '[{"no": "signature"}]'])
def test_an_alert_or_patterns_file_that_makes_no_sense_is_as_if_it_were_not_there(shop: Path, content: str) -> None:
    write(shop / "alert.json", [content])
    write(shop / "patterns.json", [content])
    sources = open_sources(shop)
    assert sources.alert_at() is None
    assert sources.patterns() == []


@pytest.mark.parametrize(
    ("file", "service"), [("app.log", ""), ("errors.ndjson.gz", ""), ("orders-api.log.1", "orders-api")]
)
def test_a_file_names_the_service_of_its_lines_only_where_its_name_says_something(file: str, service: str) -> None:
    assert default_service(file) == service
