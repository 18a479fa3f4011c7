"""Loki and Elasticsearch, each against a stand-in in its own process: the same questions, every fault in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.standins.vendor import running
from tests.tools.conftest import AS_OF, context_for
from tools import registry
from tools.base import Status, ToolError, ToolResult
from tools.sources import SourceSet, SourceSpec
from tools.sources.logs.elasticsearch import needed_words
from tools.sources.spec import SourceOptions
from tools.web import client, turns
from tools.web.access import Access

START = AS_OF - timedelta(hours=2)
ONSET = AS_OF - timedelta(minutes=30)
Url = Callable[[str], str]


def _story() -> list[tuple[datetime, str, str, str]]:
    """6,000 lines of two services over two hours; 90 of them errors, in the last half hour."""
    lines = [
        (START + timedelta(seconds=1.2 * number), "orders", "info", f"order {number} placed in {number % 90} ms")
        for number in range(5_910)
    ]
    lines += [
        (ONSET + timedelta(seconds=20 * number), "payments", "error", f"charge {number} timed out after 5000 ms")
        for number in range(90)
    ]
    return sorted(lines)


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Url]:
    path = tmp_path_factory.mktemp("loki") / "lines.json"
    rows = [
        (
            int(at.timestamp() * 1e6) * 1_000,
            {"service_name": service, "pod": f"{service}-1", "detected_level": level},
            text,
        )
        for at, service, level, text in _story()
    ]
    path.write_text(json.dumps(rows))
    with running("loki_api", str(path)) as url:
        yield lambda mode: f"loki+{url(mode)}"


@pytest.fixture(scope="module")
def elasticsearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Url]:
    path = tmp_path_factory.mktemp("elasticsearch") / "documents.json"
    rows = [
        {"@timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "service.name": service,
         "log.level": level, "message": text, "host": "h1"}
        for at, service, level, text in _story()
    ]  # fmt: skip
    path.write_text(json.dumps(rows))
    with running("elasticsearch_api", str(path)) as url:
        yield lambda mode: f"elasticsearch+{url(mode)}/logs-*"


@pytest.fixture(params=["loki", "elasticsearch"])
def url(request: pytest.FixtureRequest) -> Url:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def own_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns.tempfile, "tempdir", str(tmp_path))


def _ask(url: str, tool: str = "search_logs", access: Access | None = None, **args: Any) -> ToolResult:
    sources = SourceSet([SourceSpec("prod", url, options=SourceOptions(access=access or Access()))])
    found = registry.get(tool)
    return found.run(context_for(sources), found.params.model_validate(args))


def test_it_says_which_services_it_has_and_how_fresh_it_is(url: Url) -> None:
    (state,) = _ask(url("ok"), "list_sources").data["sources"]

    assert state["problem"] == ""
    assert state["services"] == ["orders", "payments"]
    assert datetime.fromisoformat(state["newest"]) > AS_OF - timedelta(minutes=2)


def test_matches_are_counted_and_the_newest_shown(url: Url) -> None:
    result = _ask(url("ok"), pattern="timed out after \\d+", since="2h", limit=2)

    assert result.data["total"] == 90
    assert result.data["services"] == {"payments": 90}
    assert result.data["levels"] == {"ERROR": 90}
    assert result.data["searched"] == 6_000
    assert [match["message"] for match in result.data["matches"]] == [
        "charge 89 timed out after 5000 ms", "charge 88 timed out after 5000 ms",
    ]  # fmt: skip
    assert [(one["template"], one["count"]) for one in result.data["templates"]] == [
        ("charge <n> timed out after <n> ms", 90)
    ]
    assert sum(count for _, count in result.data["per_minute"]) == 90
    assert result.status == Status.SUCCESS


def test_the_time_before_is_counted_for_comparison(url: Url) -> None:
    assert _ask(url("ok"), pattern="timed out", since="15m").data["before"] == 45


def test_level_and_service_narrow(url: Url) -> None:
    assert _ask(url("ok"), level="WARN", since="2h").data["total"] == 90
    assert _ask(url("ok"), service="payments", since="2h").data["total"] == 90
    assert _ask(url("ok"), service="payments", level="FATAL", since="2h").status == Status.NO_DATA


def test_of_more_lines_than_are_read_the_service_counts(url: Url) -> None:
    result = _ask(url("ok"), since="2h")

    assert result.data["total"] == 6_000
    assert result.data["services"] == {"orders": 5_910, "payments": 90}
    assert result.data["levels"] == {"INFO": 5_910, "ERROR": 90}
    assert sum(count for _, count in result.data["per_minute"]) == 6_000
    assert "templates are of 4,976 lines from all parts of the range" in result.summary


def test_a_kind_of_line_that_was_always_there_does_not_begin_with_the_newest_lines(url: Url) -> None:
    """Of 6,000 lines not all are read: what begins is told from what goes on by reading from all of the range."""
    first = {one["template"]: one["first_at"] for one in _ask(url("ok"), since="2h").data["templates"]}

    assert datetime.fromisoformat(first["order <n> placed in <n> ms"]) < START + timedelta(minutes=6)
    assert datetime.fromisoformat(first["charge <n> timed out after <n> ms"]) >= ONSET


def test_a_range_that_begins_within_a_minute_is_counted_exactly(url: Url) -> None:
    since = (AS_OF - timedelta(minutes=110, seconds=17)).isoformat()
    until = (AS_OF - timedelta(minutes=1, seconds=11)).isoformat()
    expected = sum(1 for at, *_ in _story() if datetime.fromisoformat(since) <= at < datetime.fromisoformat(until))

    result = _ask(url("ok"), since=since, until=until)

    assert result.data["total"] == expected
    assert sum(count for _, count in result.data["per_minute"]) == expected


def test_the_query_is_kept_as_the_service_got_it(url: Url) -> None:
    (native,) = _ask(url("ok"), pattern="timed", since="15m").query["native"]

    assert native["source"] == "prod"
    assert "timed" in native["text"]
    if "_search" in native["text"]:
        line, body = native["text"].split("\n")
        assert line == "GET /logs-*/_search"
        assert "2026-03-01T09:45:00Z" in json.dumps(json.loads(body)["query"]["bool"]["filter"][-1]["range"])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("401", "answered 401: it refuses us: no token_file, api_key_file or user is set"),
        ("404", "(404)"),
        ("429", "answered 429, too many requests: nothing more is asked for 7 s"),
        ("500", "answered 500, a fault of its own"),
        ("slow", "did not answer within 0.5 s"),
        ("cut", "broke off or spoke no HTTP"),
        ("malformed", "that are not JSON (text/html)"),
        ("shape", "answered in another shape"),
        ("huge", "sent more than 2 MB; the rest was not read"),
    ],
)
@pytest.mark.parametrize("when", ["", "late-"])
def test_each_fault_is_said(url: Url, when: str, fault: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "DEADLINE_S", 0.5)
    monkeypatch.setattr(client, "MAX_BYTES", 2 * 2**20)
    _ask(url(f"{when}{fault}"), "list_sources")  # a fault at the first look must not be believed to be another one

    with pytest.raises(ToolError) as raised:
        _ask(url(f"{when}{fault}"), pattern="timed", since="15m")

    assert words in str(raised.value) or "it asked for silence (429)" in str(raised.value)


@pytest.mark.parametrize("name", ["loki", "elasticsearch"])
def test_the_right_secret_lets_in_and_a_wrong_one_is_said(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url: Url = request.getfixturevalue(name)
    part = "token_file" if name == "loki" else "api_key_file"
    (tmp_path / "right").write_text("right\n")
    (tmp_path / "wrong").write_text("wrong\n")

    assert _ask(url("secured"), access=Access(**{part: str(tmp_path / "right")}), pattern="timed", since="15m").data
    with pytest.raises(ToolError, match=r"answered 401: it refuses the (token|API key) of .*/wrong"):
        _ask(url("secured"), access=Access(**{part: str(tmp_path / "wrong")}), since="15m")


def test_one_broken_source_does_not_silence_the_other(loki: Url, elasticsearch: Url) -> None:
    sources = SourceSet([SourceSpec("a", loki("ok")), SourceSpec("b", elasticsearch("late-500"))])
    tool = registry.get("search_logs")
    result = tool.run(context_for(sources), tool.params.model_validate({"pattern": "timed out", "since": "15m"}))

    assert result.data["total"] == 45
    assert result.status == Status.TRUNCATED
    assert "b (Elasticsearch at " in result.summary


@pytest.mark.parametrize("tool", ["log_patterns", "compare_windows"])
def test_the_tools_that_compare_read_it_too(url: Url, tool: str) -> None:
    result = _ask(url("ok"), tool, since=ONSET.isoformat())

    assert result.status in (Status.SUCCESS, Status.TRUNCATED), result.summary
    assert "timed out" in json.dumps(result.data) or "payments" in json.dumps(result.data)


def test_services_are_known_by_their_common_name(url: Url) -> None:
    options = SourceOptions(services=(("payments", "billing"),))
    sources = SourceSet([SourceSpec("prod", url("ok"), options=options)])
    tool = registry.get("search_logs")
    result = tool.run(context_for(sources), tool.params.model_validate({"service": "billing", "since": "2h"}))

    assert result.data["services"] == {"billing": 90}
    assert sources.services() == ["billing", "orders"]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("timed out", [["timed", "out"]]),
        (r"timed out after \d+ ms", [["timed", "out", "after", "ms"]]),
        ("refused|reset by peer", [["refused"], ["reset", "by", "peer"]]),
        (r"(?i)conn(ection)? refused", [["conn", "refused"]]),
        (r"colou?r", [["colo"]]),
        (r"go+al", [["go", "al"]]),
        (r"err[oO]r: x{2,3}yz", [["err", "yz"]]),
        (r"a\(b\)cd", [["cd"]]),
        (r"5\d\d", []),
        ("timeout|.", []),
        ("((a)b)cd", []),
    ],
)
def test_only_words_that_a_match_must_hold_narrow_the_search(pattern: str, words: list[list[str]]) -> None:
    assert needed_words(pattern) == words
