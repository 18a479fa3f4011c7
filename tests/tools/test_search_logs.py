"""search_logs on a small folder: counts, ranges, filters, what is said when nothing matches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tools.conftest import AS_OF, ONSET, Ask, ask_folder, context_for, log_line, minutes, stamp, write
from tools import registry
from tools.base import Status, ToolError
from tools.sources import SourceSet, SourceSpec


def test_matches_are_counted_by_minute_service_level_and_template(ask: Ask) -> None:
    result = ask("search_logs", pattern="timed out")
    assert result.status is Status.SUCCESS
    assert result.data["total"] == 21
    assert result.data["searched"] == 82
    assert result.data["per_minute"] == [[stamp(at), 1] for at in minutes(ONSET)]
    assert result.data["services"] == {"payments": 21}
    assert result.data["levels"] == {"ERROR": 21}
    assert [(row["template"], row["count"]) for row in result.data["templates"]] == [
        ("charge timed out after <n> ms", 21)
    ]
    row = result.data["templates"][0]
    assert (row["first_at"], row["last_at"], row["service"]) == (stamp(ONSET), stamp(AS_OF), "payments")
    assert row["example"] == "charge timed out after 5040 ms"
    assert result.figures["total"] == 21
    assert result.source == "shop:logs"
    assert result.freshness == AS_OF


def test_the_newest_matches_come_first_with_their_place_and_fields(ask: Ask) -> None:
    matches = ask("search_logs", service="orders", limit=2).data["matches"]
    assert [match["message"] for match in matches] == ["order 1060 placed", "order 1059 placed"]
    assert matches[0] == {
        "at": stamp(AS_OF), "service": "orders", "level": "INFO", "message": "order 1060 placed",
        "where": "logs.ndjson:81", "fields": {"customer": "c60"},
    }  # fmt: skip


def test_the_summary_says_count_range_first_newest_and_before(ask: Ask) -> None:
    result = ask("search_logs", pattern="charge", since="last 10 minutes")
    assert result.summary.startswith(
        "11 of 22 lines match “charge” in 09:50–10:00 UTC, first 09:50, newest 0 s before as-of; "
        "10 in the same time before"
    )
    assert result.data["before"] == 10


def test_the_query_says_what_was_asked_with_its_absolute_range(ask: Ask) -> None:
    assert ask("search_logs", pattern="charge", since="30m", limit=1).query == {
        "pattern": "charge", "ignore_case": True, "service": "", "level": "", "limit": 1, "source": "shop:logs",
        "since": "2026-03-01T09:30:00Z", "until": "2026-03-01T10:00:01Z", "as_of": "2026-03-01T10:00:00Z",
    }  # fmt: skip


def test_a_range_is_half_open(ask: Ask) -> None:
    result = ask("search_logs", since="2026-03-01T09:10:00Z", until="2026-03-01T09:12:00Z")
    assert (result.data["first_at"], result.data["last_at"]) == ("2026-03-01T09:10:00Z", "2026-03-01T09:11:00Z")


def test_a_level_means_that_or_worse(ask: Ask) -> None:
    assert ask("search_logs", level="WARN").data["levels"] == {"ERROR": 21}
    assert ask("search_logs", level="FATAL").status is not Status.ERROR
    assert ask("search_logs", level="FATAL").data["total"] == 0


def test_case_counts_only_when_asked(ask: Ask) -> None:
    assert ask("search_logs", pattern="CHARGE").data["total"] == 21
    assert ask("search_logs", pattern="CHARGE", ignore_case=False).status is Status.NO_DATA


def test_counted_signatures_stand_beside_the_lines(ask: Ask) -> None:
    result = ask("search_logs", pattern="timed out", service="payments")
    row = {"signature": "charge timed out after <N> ms", "service": "payments", "count": 4120, "delta": 4100}
    assert result.data["patterns"] == [row]
    assert result.figures["pattern payments charge timed out after <N> ms"] == 4120
    assert ask("search_logs", pattern="placed").data["patterns"] == []


def test_nothing_found_is_no_data_and_says_where_it_looked(ask: Ask) -> None:
    result = ask("search_logs", pattern="disk full")
    assert result.status is Status.NO_DATA
    assert result.data["matches"] == []
    assert result.data["available"] == {"services": ["orders", "payments"]}
    assert "82 searched" in result.summary
    assert "from 2026-03-01T09:00:00Z to 2026-03-01T10:00:00Z" in result.summary


def test_an_unknown_service_is_named_with_the_known_ones(ask: Ask) -> None:
    result = ask("search_logs", service="paiments")
    assert result.status is Status.NO_DATA
    assert "no line of service 'paiments' at all, services: orders, payments" in result.summary


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"since": "2026-03-02"}, "after as-of 2026-03-01T10:00:00Z"),
        ({"since": "2026-03-01T09:30:00Z", "until": "2026-03-01T09:20:00Z"}, "empty or reversed"),
        ({"source": "shoop"}, "There is no source 'shoop'. Sources: shop."),
        ({"pattern": "(unclosed"}, "not a valid RE2 expression"),
        ({"pattern": "timed(?= out)"}, "Look-ahead, look-behind and back-references do not exist in RE2"),
        ({"pattern": r"(a)\1"}, "back-references do not exist in RE2"),
    ],
)
def test_a_wrong_argument_is_answered_in_words(ask: Ask, args: dict[str, str], said: str) -> None:
    with pytest.raises(ToolError) as caught:
        ask("search_logs", **args)
    assert said in str(caught.value)


def test_malformed_lines_are_skipped_counted_and_shown(tmp_path: Path) -> None:
    good = log_line(AS_OF, "orders", "INFO", "order placed")
    bad = ['{"timestamp": "2026-03-01T09', '{"message": "no time"}', "not json at all", '["array"]']
    write(tmp_path / "logs.ndjson", [good, *bad, good])
    result = ask_folder(tmp_path, "search_logs")
    assert (result.data["total"], result.skipped) == (2, 4)
    assert "4 malformed rows skipped" in result.summary


def test_mixed_time_zones_and_disorder_end_in_one_order(tmp_path: Path) -> None:
    times = ["2026-03-01T10:30:00+01:00", "2026-03-01T09:10:00Z", "2026-03-01 09:20:00", "2026-03-01T04:40:00-05:00"]
    write(tmp_path / "a.jsonl", [json.dumps({"ts": at, "msg": f"at {at}"}) for at in times])
    matches = ask_folder(tmp_path, "search_logs").data["matches"]
    assert [match["at"][11:16] for match in matches] == ["09:40", "09:30", "09:20", "09:10"]


def test_wide_ranges_use_wider_buckets(tmp_path: Path) -> None:
    days = [f"2026-02-{day:02d}T12:00:30Z" for day in range(1, 28)]
    write(tmp_path / "a.jsonl", [json.dumps({"ts": at, "msg": "tick"}) for at in days])
    data = ask_folder(tmp_path, "search_logs").data
    assert data["bucket_s"] == 3_600
    assert data["per_minute"][0] == ["2026-02-01T12:00:00Z", 1]


def test_texts_that_no_database_takes_are_made_visible(tmp_path: Path) -> None:
    write(
        tmp_path / "a.jsonl",
        ['{"ts": "2026-03-01T09:00:00Z", "msg": "null \\u0000 lone \\ud800", "n": {"x\\u0000": 1}}'],
    )
    result = ask_folder(tmp_path, "search_logs")
    assert "\x00" not in json.dumps(result.data, ensure_ascii=False)
    json.dumps(result.data, ensure_ascii=False).encode()


def test_several_sources_answer_as_one_and_each_by_its_name(shop: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "edge.log", ["2026-03-01T09:59:00Z ERROR edge is on fire"])
    context = context_for(SourceSet([SourceSpec("shop", shop.as_uri()), SourceSpec("edge", other.as_uri())]))
    tool = registry.get("search_logs")
    both = tool.run(context, tool.params.model_validate({"level": "ERROR"}))
    assert both.source == "shop:logs+edge:logs"
    assert both.data["services"] == {"payments": 21, "edge": 1}
    assert tool.run(context, tool.params.model_validate({"source": "edge"})).data["total"] == 1
