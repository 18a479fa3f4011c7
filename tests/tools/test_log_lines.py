"""Lines of the usual formats: their time, level, service and text."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.conftest import AS_OF, ask_folder, context_for, write
from tools import registry
from tools.sources import SourceSet, SourceSpec
from tools.sources.logs import files, json_lines, levels, lines, text_lines
from tools.sources.logs.masking import template_of
from tools.sources.timestamps import iso_us

NEWEST = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NINE = "2026-03-01T09:00:00Z"


@pytest.mark.parametrize(
    ("line", "at", "level", "service"),
    [
        ("2026-03-01T09:00:00Z ERROR pool exhausted", NINE, "ERROR", ""),
        ("2026-03-01 09:00:00,123 WARNING disk at 91 %", "2026-03-01T09:00:00.123000Z", "WARN", ""),
        ("[2026-03-01T10:00:00+01:00] [info] started", NINE, "INFO", ""),
        ("2026/03/01 09:00:00 [error] 12#12: *7 upstream timed out", NINE, "ERROR", ""),
        ("2026-03-01 09:00:00 orders-api ERROR pool exhausted", NINE, "ERROR", "orders-api"),
        ("2026-03-01 09:00:00 [orders] FATAL gone", NINE, "FATAL", "orders"),
        ("2026-03-01 09:00:00 ERROR [orders-api] pool exhausted", NINE, "ERROR", "orders-api"),
        ("2026-03-01 09:00:00 ERROR orders-api: pool exhausted", NINE, "ERROR", "orders-api"),
        ("2026-03-01 09:00:00 INFO [http-nio-8080-exec-3] request done", NINE, "INFO", ""),
        ("2026-03-01 09:00:00 INFO [main] c.e.Pool : filled", NINE, "INFO", ""),
        ("2026-03-01 09:00:00 DEBUG service=cart took 5 ms", NINE, "DEBUG", "cart"),
        ("2026-03-01 09:00:00 plain words without a level", NINE, "", ""),
        ("2026-03-01 09:00:00 no error-prone word is a level", NINE, "", ""),
        ('ts=2026-03-01T09:00:00Z level=warn app=cart msg="slow call" ms=900', NINE, "WARN", "cart"),
        ("level=error time=1772355600 msg=down", NINE, "ERROR", ""),
        ("Mar  1 09:00:00 host7 sshd[311]: error: maximum attempts", NINE, "", "sshd"),
        ("<11>Mar  1 09:00:00 host7 cron: failed", NINE, "ERROR", "cron"),
        ("<165>1 2026-03-01T09:00:00Z host7 cart 8710 ID47 - out of stock", NINE, "INFO", "cart"),
        ("Dec 31 23:00:00 host7 cron: last year", "2025-12-31T23:00:00Z", "", "cron"),
        ('10.0.0.7 - bob [01/Mar/2026:10:00:00 +0100] "GET /cart HTTP/1.1" 503 12', NINE, "ERROR", ""),
        ('10.0.0.7 - bob [01/Mar/2026:10:00:00 +0100] "GET /cart HTTP/1.1" 200 12', NINE, "INFO", ""),
        ("[Sun Mar 01 09:00:00.000 2026] [core:error] [pid 3] child died", NINE, "ERROR", ""),
        ("E0301 09:00:00.000000       1 reflector.go:12] failed to list", NINE, "ERROR", ""),
        ("1772355600.5 INFO up", "2026-03-01T09:00:00.500000Z", "INFO", ""),
        ("1772355600000000 WARN up", NINE, "WARN", ""),
        ("1772355600000000000 WARN up", NINE, "WARN", ""),
        ("2026-03-01 09:00:00.000 +00:00 [WRN] slow", NINE, "WARN", ""),
        ("2026-03-01 10:00:00 +0100 ERROR slow", NINE, "ERROR", ""),
        ("2026-03-01 10:00:00.000 CET [123] user@db ERROR:  deadlock detected", NINE, "ERROR", ""),
        ("2026-03-01 04:00:00 EST ERROR slow", NINE, "ERROR", ""),
        ("01.03.2026 09:00:00,000 ERROR slow", NINE, "ERROR", ""),
    ],
)
def test_a_text_line_gives_its_time_level_and_service(line: str, at: str, level: str, service: str) -> None:
    head = text_lines.head(line.encode(), NEWEST)
    assert head is not None
    assert (iso_us(head.at_us), levels.name(head.level), head.service) == (at, level, service)


@pytest.mark.parametrize(
    "line",
    ["", "    at Pool.take(Pool.java:12)", "Traceback (most recent call last):", "Caused by: x", "key=value", "12"],
)
def test_a_line_without_a_time_belongs_to_the_one_above(line: str) -> None:
    assert text_lines.head(line.encode(), NEWEST) is None


@pytest.mark.parametrize(
    ("line", "level", "service", "message"),
    [
        (
            '{"timestamp": "2026-03-01T09:00:00Z", "severity_text": "WARN", "service": "a", "msg": "m"}',
            "WARN",
            "a",
            "m",
        ),
        (
            '{"@timestamp": "2026-03-01T09:00:00Z", "log.level": "error", "service.name": "a", "message": "m"}',
            "ERROR",
            "a",
            "m",
        ),
        ('{"time": 1772355600000, "level": 50, "app": "a", "msg": "m"}', "ERROR", "a", "m"),
        ('{"ts": 1772355600.0, "level": "INFO", "service": {"name": "a"}, "event": "m"}', "INFO", "a", "m"),
        ('{"time": "2026-03-01T09:00:00Z", "stream": "stderr", "log": "m"}', "", "", "m"),
        (
            '{"@timestamp": "2026-03-01T09:00:00Z", "log": {"level": "warn"}, "service": {"name": "a"}, "msg": "m"}',
            "WARN",
            "a",
            "m",
        ),
        ('{"time": 1772355600000, "level": 40, "pid": 7, "hostname": "h", "name": "a", "msg": "m"}', "WARN", "a", "m"),
        ('{"time": 1772355600000, "level": 40, "name": "a.logger", "msg": "m"}', "WARN", "", "m"),
        ('{"version": "1.1", "short_message": "m", "timestamp": 1772355600.0, "level": 3}', "ERROR", "", "m"),
        (
            '{"__REALTIME_TIMESTAMP": "1772355600000000", "PRIORITY": "4", "SYSLOG_IDENTIFIER": "a", "MESSAGE": "m"}',
            "WARN",
            "a",
            "m",
        ),
        (
            '{"timestamp": "2026-03-01T09:00:00Z", "severity": "ERROR", "jsonPayload": {"message": "m"},'
            ' "resource": {"labels": {"container_name": "a"}}}',
            "ERROR",
            "a",
            "m",
        ),
        (
            '{"timeUnixNano": "1772355600000000000", "severityText": "WARN", "body": {"stringValue": "m"}}',
            "WARN",
            "",
            "m",
        ),
        ('{"time": "2026-03-01T09:00:00Z", "msg": {"nested": 1}}', "", "", '{"nested": 1}'),
    ],
)
def test_a_json_line_is_read_under_the_names_in_use(line: str, level: str, service: str, message: str) -> None:
    head = json_lines.head(line.encode())
    assert head is not None
    assert (iso_us(head.at_us), levels.name(head.level), head.service) == (NINE, level, service)
    assert json_lines.body(line.encode()).message == message


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"time": "soon"}', '{"time": null, "msg": "m"}', "{" * 5_000])
def test_a_json_line_without_a_time_is_none(line: str) -> None:
    assert json_lines.head(line.encode()) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2026-11-20 10:10:00 ERROR shop connection refused", "shop connection refused"),
        ("2026-11-20T10:10:00Z [error] 12#12: *7 timed out", "12#12: *7 timed out"),
        ("2026-11-20 10:10:00,123 - WARN: disk at 91 %", "disk at 91 %"),
        ("2026-11-20 10:10:00 INFO - -5 degrees", "-5 degrees"),
        ("2026-11-20 10:10:00 plain words", "plain words"),
        ("2026-11-20 10:10:00 orders ERROR boom", "orders ERROR boom"),
        ("2026-11-20 10:10:00 ERROR", "2026-11-20 10:10:00 ERROR"),
        ("    at Pool.take(Pool.java:12)", "    at Pool.take(Pool.java:12)"),
    ],
)
def test_the_message_is_what_follows_time_and_level(line: str, message: str) -> None:
    assert text_lines.body(line.encode()).message == message


@given(st.binary(max_size=300))
def test_no_bytes_whatever_make_the_parsers_fail(line: bytes) -> None:
    for one in (line, b"{" + line, b'{"log":' + line, b"2026-03-01T09:00:00Z stdout F " + line, b"web-1 | " + line):
        lines.head(one, NEWEST)
        lines.body(one)
    text_lines.head(line, NEWEST)
    text_lines.body(line)
    json_lines.head(b"{" + line)
    json_lines.body(b"{" + line)


@pytest.mark.parametrize(
    ("line", "level", "service", "message"),
    [
        ('2026-03-01T09:00:00.000000000Z stderr F {"level":"error","msg":"m","service":"a"}', "ERROR", "a", "m"),
        ("2026-03-01T10:00:00.000000000+01:00 stdout F 2026-03-01 08:59:59,9 WARN m", "WARN", "", "m"),
        ("2026-03-01T09:00:00Z stdout F no words on its level", "", "", "no words on its level"),
        ('2026-03-01T09:00:00.0Z {"level":"error","msg":"m"}', "ERROR", "", "m"),
        ('{"log":"2026-03-01 08:59:59 ERROR m\\n","stream":"x","time":"2026-03-01T09:00:00.0Z"}', "ERROR", "", "m"),
        ('{"log":"{\\"level\\":\\"warn\\",\\"msg\\":\\"m\\"}\\n","stream":"stdout","time":"2026-03-01T09:00:00Z"}',
         "WARN", "", "m"),
        ("orders-api-1  | 2026-03-01T09:00:00Z ERROR m", "ERROR", "orders-api", "m"),
        ('web  | 2026-03-01T09:00:00.1Z {"level":"error","msg":"m","service":"a"}', "ERROR", "web", "m"),
        ("\x1b[2m2026-03-01T09:00:00Z\x1b[0m \x1b[31mERROR\x1b[0m m", "ERROR", "", "m"),
        ("\ufeff2026-03-01T09:00:00Z ERROR m", "ERROR", "", "m"),
    ],
)  # fmt: skip
def test_what_a_container_runtime_or_a_terminal_put_around_a_line_is_taken_off(
    line: str, level: str, service: str, message: str
) -> None:
    head = lines.head(line.encode(), NEWEST)
    assert head is not None
    assert iso_us(head.at_us)[:19] == NINE[:19]
    assert (levels.name(head.level), head.service) == (level, service)
    assert lines.body(line.encode()).message == lines.message(line.encode()) == message


@pytest.mark.parametrize("form", ["{at} stderr F {text}", '{{"log":"{text}\\n","stream":"stderr","time":"{at}"}}'])
def test_a_stack_trace_of_a_container_is_kept_whole(tmp_path: Path, form: str) -> None:
    """The runtime stamps each of its lines."""
    trace = ["ERROR boom", "    at Pool.take(Pool.java:12)", "Caused by: java.net.SocketTimeoutException", "INFO on"]
    write(
        tmp_path / "app.log", [form.format(at=f"2026-03-01T09:59:0{n}.0Z", text=text) for n, text in enumerate(trace)]
    )

    found = ask_folder(tmp_path, "search_logs", AS_OF, level="ERROR").data["matches"]

    assert [one["message"] for one in found] == ["\n".join(trace[:3])]
    assert found[0]["where"] == "app.log:1"


def test_times_without_a_zone_are_those_of_the_source(tmp_path: Path) -> None:
    local = ["2026-03-01 10:59:00 ERROR plain", "Mar  1 10:59:01 host cron: syslog", "ts=2026-03-01T10:59:02 msg=pairs"]
    write(tmp_path / "app.log", [*local, "2026-03-01 09:59:03Z ERROR with a zone"])
    write(tmp_path / "app.jsonl", ['{"time": "2026-03-01 10:59:04", "msg": "json"}'])
    write(tmp_path / "metrics.csv", ["timestamp,service,metric,value", "2026-03-01 10:59:00,a,m,1"])
    write(
        tmp_path / "context" / "deploys.json",
        ['[{"service": "a", "version": "1", "timestamp": "2026-03-01 10:59:00"}]'],
    )
    os.utime(tmp_path / "app.log", (AS_OF.timestamp(), AS_OF.timestamp()))
    sources = SourceSet([SourceSpec("shop", f"{tmp_path.as_uri()}?timezone=Europe/Berlin")])

    found = registry.get("search_logs").run(context_for(sources), registry.get("search_logs").params())

    assert [one["at"] for one in found.data["matches"]] == [f"2026-03-01T09:59:0{n}Z" for n in (4, 3, 2, 1, 0)]
    assert {state.newest.minute for state in sources.states() if state.newest} == {59}
    assert {state.newest.hour for state in sources.states() if state.newest} == {9}


@pytest.mark.parametrize(
    ("query", "words"), [("timezone=Berlin", "'Berlin' is no time zone"), ("zone=UTC", "says zone")]
)
def test_a_zone_that_is_none_is_said(tmp_path: Path, query: str, words: str) -> None:
    write(tmp_path / "app.log", ["2026-03-01 10:59:00 ERROR plain"])
    (problem,) = SourceSet([SourceSpec("shop", f"{tmp_path.as_uri()}?{query}")]).problems()
    assert words in problem


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_what_windows_writes_is_read(tmp_path: Path, encoding: str) -> None:
    text = "2026-03-01T09:59:00Z ERROR grün\r\n2026-03-01T09:59:01Z INFO on\r\n"
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / "app.log").write_bytes((mark + text).encode(encoding))

    assert [one["message"] for one in ask_folder(tmp_path, "search_logs").data["matches"]] == ["on", "grün"]


@pytest.mark.parametrize(
    ("file", "service"),
    [
        ("orders.log", "orders"), ("orders.log.1", "orders"), ("orders.log.2026-03-01", "orders"),
        ("orders-2026-03-01.0.log.gz", "orders"), ("orders.2026-03-01.log", "orders"),
        ("orders-20260301.log", "orders"), ("catalina.out", "catalina"), ("orders-2.log", "orders-2"),
        ("orders-7d9f-x2_shop_cart-" + "0a" * 32 + ".log", "cart"), ("messages", ""), ("syslog.1", ""),
    ],
)  # fmt: skip
def test_a_files_name_says_whose_log_it_is(file: str, service: str) -> None:
    assert files.NAME.match(file)
    assert files.default_service(file) == service


def test_a_stack_trace_joins_the_entry_above_it(tmp_path: Path) -> None:
    lines = [
        "2026-03-01 09:59:00 ERROR orders-api boom",
        "java.lang.Boom: no",
        "\tat A.b(A.java:1)",
        "2026-03-01 09:59:01 INFO on",
    ]
    write(tmp_path / "app.log", ["a line before any time", *lines])
    result = ask_folder(tmp_path, "search_logs", AS_OF)
    assert [match["message"] for match in result.data["matches"]] == ["on", "\n".join(["orders-api boom", *lines[1:3]])]
    assert result.data["matches"][1]["where"] == "app.log:2"
    assert result.skipped == 1
    assert ask_folder(tmp_path, "search_logs", AS_OF, pattern=r"A\.java").data["total"] == 1


def test_the_files_stem_is_the_service_of_lines_that_name_none(tmp_path: Path) -> None:
    write(tmp_path / "checkout.log", ["2026-03-01 09:59:00 ERROR boom", "2026-03-01 09:59:00 ERROR [edge-proxy] boom"])
    write(tmp_path / "logs.ndjson", ['{"ts": "2026-03-01T09:59:00Z", "msg": "from nobody"}'])
    assert ask_folder(tmp_path, "search_logs").data["services"] == {"checkout": 1, "edge-proxy": 1, "": 1}


@pytest.mark.parametrize(
    ("message", "template"),
    [
        ("took 5 ms, 3.2 MB", "took <n> ms, <n> MB"),
        ("from 10.0.0.7:443 to 10.0.0.8", "from <ip> to <ip>"),
        ("user 123e4567-e89b-12d3-a456-426614174000 left", "user <uuid> left"),
        ("at 2026-03-01T09:00:00Z ptr 0x7ffe and 9f86d081884c7d65", "at <time> ptr <hex> and <hex>"),
        ("retry -1 of s3 and http2", "retry <n> of s<n> and http<n>"),
        ("port FF:F2:9F:16:EB:27 up", "port <mac> up"),
        ("first line 1\nsecond line", "first line <n>"),
    ],
)
def test_what_varies_in_a_message_is_masked(message: str, template: str) -> None:
    assert template_of(message) == template


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("ERROR 2026-03-01 10:00:00,123 orders timed out", "ERROR"),
        ("WARN  [2026-03-01 10:00:00,123] com.acme.Shop: slow", "WARN"),
        ("INFO:     2026-03-01 10:00:00 - GET /", "INFO"),
        ("E, [2026-03-01T10:00:00.123456 #123] ERROR -- : boom", "ERROR"),
        ("1:M 01 Mar 2026 10:00:00.123 * Ready to accept connections", ""),
        ("01-Mar-2026 10:00:00.123 SEVERE [main] org.apache.catalina.core failed", "ERROR"),
        ("Mar 1, 2026 10:00:00 AM com.acme.Shop run", ""),
        ('[01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 500', ""),
        ("http 2026-03-01T10:00:00.123456Z app/lb 192.0.2.1:1 502 -", ""),
        ("Sun Mar  1 10:00:00 2026 [error] boom", "ERROR"),
        ("20260301 10:00:00.123 ERROR boom", "ERROR"),
    ],
)
def test_formats_of_single_programs_are_known(line: str, level: str) -> None:
    head = text_lines.head(line.encode(), datetime(2026, 3, 2, tzinfo=UTC))

    assert head is not None
    assert iso_us(head.at_us)[:19] == "2026-03-01T10:00:00"
    assert levels.name(head.level) == level


@pytest.mark.parametrize(
    "line",
    [
        "    at com.acme.Shop.charge(Shop.java:42)", "Caused by: java.lang.IllegalStateException: 2026",
        "Traceback (most recent call last):", '  File "/srv/app.py", line 12, in charge', "E assert 1 == 2",
        "java.sql.SQLTransientConnectionException: x", "NOTE 2026-13-45 99:99:99 not a time",
        "99 Foo 2026 10:00:00.123 x", "goroutine 12 [running]:", "12345678 99:99:99 x",
    ],
)  # fmt: skip
def test_the_rest_of_an_entry_is_not_taken_for_a_new_one(line: str) -> None:
    assert text_lines.head(line.encode(), datetime(2026, 3, 2, tzinfo=UTC)) is None
