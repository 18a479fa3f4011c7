"""Hostile sources: addresses, paths, patterns, archives and texts that must not get out, hang or grow."""

from __future__ import annotations

import gzip
import json
import os
import resource
import socket
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from django.contrib.auth.models import User
from pytest_httpserver import HTTPServer

from runs.models import Evidence, Run, Team
from tests.agent.scripted import ScriptedPlanner, calls, concludes
from tests.flows.driving import go_on, start
from tests.tools.conftest import AS_OF, ask_folder, context_for, log_line, stamp
from tools import registry
from tools.base import ToolError
from tools.sources import SourceSet, SourceSpec
from tools.sources.confined import MAX_UNPACKED
from tools.web import turns
from tools.web.addresses import Forbidden, Place, read_place, resolve
from tools.web.client import Client, NotAnswered

WALL_S = 4.0  # of a call on a busy machine; alone each takes a fraction of a second
GROWTH = 64 * 2**20


# Addresses -----------------------------------------------------------------------------------------------------------
UNREADABLE = [
    "ftp://example.org/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "//example.org/", "http:///path",
    "http://user:secret@example.org/", "http://example.org@127.0.0.1/", "http://127.0.0.1\\@example.org/",
    "http://2130706433/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://127.1/",
    "http://exam ple.org/", "http://example.org:0/", "http://example.org:99999/", "http://ｌocalhost/",
    "http://127。0。0。1/", "http://[::1/", "http://a..b/", "http://example.org\r\nHost: evil/",
]  # fmt: skip
INSIDE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.9", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",  # noqa: S104
    "224.0.0.1", "::1", "::", "fe80::1", "fd00::5", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1",
    "2002:7f00:1::", "fd00:ec2::254", "255.255.255.255",
]  # fmt: skip
NEVER = [
    "169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "::ffff:a9fe:a9fe", "fd00:ec2::254",  # noqa: S104
    "100.100.100.200",
]  # fmt: skip


def _answering(*addresses: str) -> Any:
    def resolver(host: str, port: int, **more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return resolver


@pytest.fixture(autouse=True)
def own_turns(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns.tempfile, "tempdir", str(tmp_path_factory.mktemp("turns")))


@pytest.mark.parametrize("url", UNREADABLE)
def test_a_url_that_two_readers_could_read_differently_is_refused(url: str) -> None:
    with pytest.raises(Forbidden):
        read_place(url)


@pytest.mark.parametrize("address", INSIDE)
def test_a_public_name_that_leads_inside_is_not_connected_to(address: str) -> None:
    with pytest.raises(Forbidden):
        resolve(Place("http", "rebind.example.org", 80, ""), private=False, resolver=_answering(address))


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_not_asked_even_where_the_host_is_listed(address: str) -> None:
    with pytest.raises(Forbidden):
        resolve(Place("http", "prometheus.example.org", 80, ""), private=True, resolver=_answering(address))


def test_one_bad_address_among_good_ones_spoils_the_name() -> None:
    with pytest.raises(Forbidden):
        resolve(
            Place("http", "two.example.org", 80, ""), private=False, resolver=_answering("93.184.216.34", "10.0.0.1")
        )


def test_a_name_that_changes_its_mind_is_asked_once(httpserver: HTTPServer) -> None:
    """DNS rebinding: judged as the first address, never connected to the second."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"], ["10.0.0.1"]])
    httpserver.expect_request("/x").respond_with_json({})
    client = Client(
        "logs", Place("http", "rebind.example.org", httpserver.port, ""), private=True,
        resolver=lambda host, port, **more: _answering(*next(answers))(host, port),
    )  # fmt: skip
    assert [client.get("/x"), client.get("/x")] == [{}, {}]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_leads_anywhere(httpserver: HTTPServer, status: int) -> None:
    with HTTPServer() as inside:
        httpserver.expect_request("/x").respond_with_data("", status, {"Location": inside.url_for("/secret")})
        client = Client("logs", read_place(httpserver.url_for("").rstrip("/")), private=True)
        with pytest.raises(NotAnswered, match="not followed"):
            client.get("/x")
        assert inside.log == []


# Paths ---------------------------------------------------------------------------------------------------------------
SECRET = "do-not-read-this"


@pytest.fixture
def jail(tmp_path: Path) -> Path:
    """A source's folder with one good log, beside a secret that is laid out like telemetry."""
    (tmp_path / "secret").mkdir()
    for name in ("secret.log", "traces.json", "alert.json", "metrics.csv"):
        (tmp_path / "secret" / name).write_text(log_line(AS_OF, "s", "ERROR", SECRET) + "\n")
    (tmp_path / "jail-evil").mkdir()
    (tmp_path / "jail-evil" / "a.log").write_text(log_line(AS_OF, "s", "ERROR", SECRET) + "\n")
    folder = tmp_path / "jail"
    folder.mkdir()
    (folder / "good.log").write_text(log_line(AS_OF, "orders", "ERROR", "plain line") + "\n")
    return folder


TRAPS = {
    "a link to a file outside": lambda folder: (folder / "a.log").symlink_to("../secret/secret.log"),
    "an absolute link": lambda folder: (folder / "a.log").symlink_to(folder.parent / "secret" / "secret.log"),
    "a link to a folder outside": lambda folder: (folder / "sub").symlink_to("../secret"),
    "a link to a sibling whose name begins alike": lambda folder: (folder / "sub").symlink_to("../jail-evil"),
    "a link to a link": lambda folder: (
        (folder / "b").symlink_to("../secret"),
        (folder / "a.log").symlink_to("b/secret.log"),
    ),
    "a link up and down": lambda folder: (folder / "a.log").symlink_to("../jail/../secret/secret.log"),
    "a link through /proc": lambda folder: (folder / "a.log").symlink_to("/proc/self/cwd"),
    "the environment": lambda folder: (folder / "a.log").symlink_to("/proc/self/environ"),
    "memory": lambda folder: (folder / "a.log").symlink_to("/proc/self/mem"),
    "a device without end": lambda folder: (folder / "a.log").symlink_to("/dev/zero"),
    "a device that blocks": lambda folder: (folder / "a.log").symlink_to("/dev/tty"),
    "standard input": lambda folder: (folder / "a.log").symlink_to("/dev/stdin"),
    "a pipe": lambda folder: os.mkfifo(folder / "a.log"),
    "a pipe packed": lambda folder: os.mkfifo(folder / "a.log.gz"),
    "a socket": lambda folder: socket.socket(socket.AF_UNIX).bind(str(folder / "a.log")),
    "a loop": lambda folder: (folder / "a.log").symlink_to("a.log"),
    "a loop of folders": lambda folder: (folder / "sub").symlink_to("."),
    "a dangling link": lambda folder: (folder / "a.log").symlink_to("nowhere.log"),
    "a folder called like a log": lambda folder: (folder / "a.log").mkdir(),
    "traces outside": lambda folder: (folder / "traces.json").symlink_to("../secret/traces.json"),
    "an alert outside": lambda folder: (folder / "alert.json").symlink_to("../secret/alert.json"),
    "a table outside": lambda folder: (folder / "metrics.csv").symlink_to("../secret/metrics.csv"),
    "patterns outside": lambda folder: (folder / "patterns.json").symlink_to("../secret/alert.json"),
    "a baseline outside": lambda folder: (folder / "baseline").symlink_to("../secret"),
    "a file nobody may read": lambda folder: ((folder / "a.log").write_text("x"), (folder / "a.log").chmod(0)),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_nothing_outside_of_the_folder_is_read_and_nothing_waits(jail: Path, trap: str) -> None:
    TRAPS[trap](jail)
    began = time.monotonic()

    told = [ask_folder(jail, "search_logs", since="5m"), ask_folder(jail, "list_sources")]

    assert SECRET not in json.dumps([[one.data, one.summary] for one in told], default=str)
    assert told[0].data["services"].get("orders") == 1, "the good file is still read"
    assert time.monotonic() - began < WALL_S


@pytest.mark.parametrize("name", ["../secret", "/etc", "shop/../../secret", "secret\x00", "%2e%2e/secret"])
def test_a_planner_names_sources_and_never_a_path(jail: Path, name: str) -> None:
    with pytest.raises(ToolError, match="There is no source"):
        ask_folder(jail, "search_logs", source=name)


# Patterns ------------------------------------------------------------------------------------------------------------
EVIL = [
    "(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*a){25}$", "(a*)*b", "([a-zA-Z]+)*$", "(a?){30}a{30}", "(x+x+)+y",
    "^(a+)+$", "(a|b|ab)*c", "(.+)+\\d$", "(\\w+\\s?)*$", "(\\d+)*x", "((a+)+)+", "(a{1,30}){1,30}$",
    "(.{0,50}){0,20}z", "(a+){2,}b", "([^b]*)*b", "(a.*)*b", "(?:a+)+b", "(?i)(a+)+$", "(?s).*.*.*=.*",
    ".*.*.*.*x", "\\w*\\w*\\w*!", "(a+b?)+c", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)*x", "(a+)+(b+)+c",
    "[a-z]*[a-z]*[a-z]*1", "(aa|aab?)*$", "(ab*)*c", "a*a*a*a*b", "(\\s*a)*b", "(a|a?)+$", "((ab)*)*c",
    "(.*?,){11}P", "^(.*?,){20}$", "(a{10}){10}b", "(foo|foob|fooba)*z", "\\b(\\w+)\\b.*x", "(?:(?:a)*)*b",
    "(?P<n>a+)+b", "[\\s\\S]*[\\s\\S]*q", "(a+?)+b", "(\\w|\\d)*_$", "(.a|.b|.c)*z",
    "a?" * 40 + "a" * 40, "(" * 40 + "a" + ")*" * 40, "|".join("a" * n for n in range(1, 30)),
    "(a|" * 20 + "b" + ")" * 20 + "*c",
]  # fmt: skip


@pytest.fixture(scope="module")
def long_lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A megabyte in lines that every pattern above finds hard, each ending in what none of them expects."""
    folder = tmp_path_factory.mktemp("long")
    lines = [log_line(AS_OF, "s", "INFO", text * (250_000 // len(text)) + "!") for text in ("a", "ab", "aaa,", "a b ")]
    (folder / "app.log").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize("pattern", EVIL)
def test_no_pattern_takes_more_than_linear_time(long_lines: Path, pattern: str) -> None:
    began = time.monotonic()

    assert ask_folder(long_lines, "search_logs", pattern=pattern, since="5m").data["searched"] == 4
    assert time.monotonic() - began < WALL_S


@pytest.mark.parametrize(
    "pattern", ["a(?=b)", "(?<!a)b", "(a)\\1", "a(", "[z-a]", "a{1001}", "a" * 513, "(?P<x", "\\8", "*a"]
)
def test_what_the_engine_does_not_take_is_a_sentence(long_lines: Path, pattern: str) -> None:
    with pytest.raises((ToolError, ValueError)) as raised:
        ask_folder(long_lines, "search_logs", pattern=pattern, since="5m")
    assert len(str(raised.value)) < 2_000


# Archives ------------------------------------------------------------------------------------------------------------
def _line() -> bytes:
    return (log_line(AS_OF, "bomb", "ERROR", "x" * 900) + "\n").encode()


def _gzip_bomb(folder: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    with (folder / "a.log.gz").open("wb") as file:
        for _ in range(300):
            file.write(packer.compress(_line() * 1_100))
        file.write(packer.flush())


def _zstd_bomb(folder: Path) -> None:
    (folder / "a.log.zst").write_bytes(zstandard.compress(b"\n" * 2**28, 19))


def _many_members(folder: Path) -> None:
    (folder / "a.log.gz").write_bytes(gzip.compress(b"\n" * 2**20, 9) * 400)


def _nested(folder: Path) -> None:
    (folder / "a.log.gz").write_bytes(gzip.compress(gzip.compress(b"\n" * 2**24, 9), 9))


def _cut_short(folder: Path) -> None:
    (folder / "a.log.gz").write_bytes(gzip.compress(_line() * 100)[:-20])


def _wide_window(folder: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=30, enable_ldm=True)
    (folder / "a.log.zst").write_bytes(zstandard.ZstdCompressor(compression_params=parameters).compress(b"\n" * 2**20))


@pytest.mark.parametrize("bomb", [_gzip_bomb, _zstd_bomb, _many_members, _nested, _cut_short, _wide_window])
def test_no_archive_fills_memory_or_time(jail: Path, bomb: Any) -> None:
    bomb(jail)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    began = time.monotonic()

    result = ask_folder(jail, "search_logs", since="5m")

    assert result.data["services"]["orders"] == 1, "the good file is still read"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < GROWTH
    assert time.monotonic() - began < 3 * WALL_S
    assert MAX_UNPACKED <= 256 * 2**20


def _holes(folder: Path, name: str, size: int) -> None:
    (folder / name).touch()
    os.truncate(folder / name, size)


@pytest.mark.parametrize("name", ["a.log", "a.jsonl", "metrics.csv", "metrics.parquet", "traces.json", "topology.csv"])
def test_a_file_of_holes_costs_nobody_an_answer(jail: Path, name: str) -> None:
    """A terabyte that takes no room on the disk: it was read to its end, and with it every other source was lost."""
    _holes(jail, name, 2**40)
    began = time.monotonic()

    looked = ask_folder(jail, "list_sources")
    found = ask_folder(jail, "search_logs", since="5m")

    assert found.data["services"]["orders"] == 1, "the good file is still read"
    problems = [one["problem"] for one in looked.data["sources"]] + [found.summary]
    assert any("nearly all holes" in problem for problem in problems)
    assert time.monotonic() - began < WALL_S


@pytest.mark.parametrize(
    ("row", "is_read"),
    [
        ('{"timestamp": %s, "msg": "a time of 400 digits"}' % ("9" * 400), False),
        ('{"timestamp": 1e400, "msg": "an endless time"}', False),
        ('{"timestamp": NaN, "msg": "no time"}', False),
        ('{"timestamp": -1e18, "msg": "a time before all times"}', False),
        ('{"timestamp": "AT", "n": %s}' % ("9" * 5_000), False),
        ('{"timestamp": "AT", "msg": "deep", "n": %s}' % ("[" * 5_000 + "]" * 5_000), False),
        ('{"timestamp": "AT", "msg": "twice", "msg": "told twice"}', True),
        ('\ufeff{"timestamp": "AT", "msg": "marked"}', True),
        ('{"log": "{\\"log\\":", "stream": "x", "time": "AT"}', True),
        ('{"log": 5, "stream": [], "time": "AT"}', True),
        ("web-1 | web-1 | web-1 | AT web-1 | x", False),
        ("\x1b[31mAT\x1b[0m \x1b]0;title\x07 ERROR x", True),
    ],
)
def test_a_hostile_line_is_read_or_counted_as_skipped(jail: Path, row: str, is_read: bool) -> None:
    (jail / "a.jsonl" if "{" in row else jail / "a.log").write_text(row.replace("AT", stamp(AS_OF)) + "\n")

    result = ask_folder(jail, "search_logs", since="5m")

    assert result.data["services"]["orders"] == 1, "the good file is still read"
    assert (result.data["total"], result.skipped) == ((2, 0) if is_read else (1, 1))
    json.dumps(result.data, allow_nan=False)


# Answers ---------------------------------------------------------------------------------------------------------
NOW_NS = 1_772_359_200_000_000_000
STREAMS = {"resultType": "streams", "result": [{"stream": {"service_name": "a"}, "values": [[str(NOW_NS), "x"]]}]}
MATRIX = {"resultType": "matrix", "result": [{"metric": {"__name__": "up", "job": "a"}, "values": [[1e300, "1"]]}]}
ENDLESS = [[str(NOW_NS - 1_000_000_000), f"line {number}"] for number in range(1_000)]


def _vendor(server: HTTPServer, answers: dict[str, Any]) -> None:
    for path, data in answers.items():
        server.expect_request(path).respond_with_json({"status": "success", "data": data})


def _ask(server: HTTPServer, product: str, tool: str) -> Any:
    sources = SourceSet([SourceSpec("prod", f"{product}+{server.url_for('').rstrip('/')}")])
    found = registry.get(tool)
    return found.run(context_for(sources, datetime(2026, 3, 1, 10, 0, 30, tzinfo=UTC)), found.params(since="1h"))


def test_a_page_for_people_in_place_of_an_answer_is_called_one(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v1/query").respond_with_data("<html>Sign in</html>", content_type="text/html")
    with pytest.raises(ToolError, match="A page for people: a log-in or a proxy stands before it"):
        _ask(httpserver, "prometheus", "query_metrics")


@pytest.mark.parametrize("moment", ["1" + "0" * 30, "-1" + "0" * 30, "soon", ""])
def test_a_moment_that_is_none_is_a_sentence(httpserver: HTTPServer, moment: str) -> None:
    stream = {"stream": {"service_name": "a"}, "values": [[moment, "x"]]}
    _vendor(httpserver, {
        "/loki/api/v1/labels": ["service_name"], "/loki/api/v1/label/service_name/values": ["a"],
        "/loki/api/v1/query_range": {"resultType": "streams", "result": [stream]},
        "/loki/api/v1/query": {"resultType": "vector", "result": []},
    })  # fmt: skip
    with pytest.raises(ToolError, match="in another shape than Loki does"):
        _ask(httpserver, "loki", "search_logs")


@pytest.mark.parametrize("value", [1e300, "1e999", None, [], "NaN"])
def test_a_figure_that_is_none_is_a_sentence(httpserver: HTTPServer, value: Any) -> None:
    scalar = {"resultType": "scalar", "result": [0, value]}
    _vendor(httpserver, {
        "/api/v1/query": scalar, "/api/v1/labels": ["job"], "/api/v1/label/job/values": ["a"],
        "/api/v1/label/__name__/values": ["up"], "/api/v1/metadata": {}, "/api/v1/targets": {"activeTargets": []},
        "/api/v1/query_range": MATRIX,
    })  # fmt: skip
    with pytest.raises(ToolError):
        _ask(httpserver, "prometheus", "query_metrics")


def test_pages_without_end_are_left(httpserver: HTTPServer) -> None:
    """A full page each time, whatever is asked for: an end comes by the number of requests, not by the deadline."""
    counts = {"resultType": "vector", "result": [{"metric": {}, "value": [0, "4000"]}]}
    streams = {"resultType": "streams", "result": [{"stream": {"service_name": "a"}, "values": ENDLESS}]}
    _vendor(httpserver, {
        "/loki/api/v1/labels": ["service_name"], "/loki/api/v1/label/service_name/values": ["a"],
        "/loki/api/v1/query_range": streams, "/loki/api/v1/query": counts,
    })  # fmt: skip
    began = time.monotonic()
    with pytest.raises(ToolError):  # its counts are streams too
        _ask(httpserver, "loki", "search_logs")

    assert len(httpserver.log) < 40
    assert time.monotonic() - began < 2 * WALL_S


# Texts ---------------------------------------------------------------------------------------------------------------
HOSTILE = {
    "NUL": "before\x00after", "a lone surrogate": "before\ud800after", "a pair the wrong way round": "\udc00\ud800",
    "direction marks": "a\u202eb\u2066c", "a byte that is no text": "b\udcff", "the end of text": "\x04\x1a\x1b[2J",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    source = tmp_path / "shop"
    source.mkdir()
    yield source


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_is_kept_by_the_database(kind: str, team: Team, alice: User, folder: Path) -> None:
    text = HOSTILE[kind]
    at = datetime(2026, 3, 4, 11, 59, tzinfo=UTC)
    row = {"timestamp": stamp(at), "service": f"s{text}", "level": "ERROR", "msg": text, f"k{text}": {"deep": [text]}}
    (folder / "app.jsonl").write_text(json.dumps(row) + "\n")
    (folder / "metrics.csv").write_text(
        f"timestamp,service,metric,value\n{stamp(at)},s{text.encode('utf-8', 'replace').decode()},m,1\n"
    )
    look = calls(("search_logs", {}), ("query_metrics", {}), ("list_sources", {}))

    run = go_on(
        start(team, alice, folder), ScriptedPlanner(look, concludes({"verdict": "no_fault", "summary": "none"}))
    )

    assert run.state == "DONE", run.failure
    stored = Evidence.objects.filter(run=run)
    assert next(one.status for one in stored) == "success"
    assert "\x00" not in json.dumps([one.data for one in stored])
    assert Run.objects.get(pk=run.pk).n_steps == run.n_steps


def test_an_answer_full_of_hostile_text_is_clean_json(httpserver: HTTPServer) -> None:
    stream = {
        "stream": {"service_name": "a\u0000b", "pod\ud800": "\u202e"},
        "values": [["1772359200000000000", "x\u0000\ud800"]],
    }
    answers = {
        "/loki/api/v1/labels": ["service_name"], "/loki/api/v1/label/service_name/values": ["a\u0000b"],
        "/loki/api/v1/query_range": {"resultType": "streams", "result": [stream]},
        "/loki/api/v1/query": {"resultType": "vector", "result": []},
    }  # fmt: skip
    for path, data in answers.items():
        httpserver.expect_request(path).respond_with_json({"status": "success", "data": data})
    sources = SourceSet([SourceSpec("loki", f"loki+{httpserver.url_for('').rstrip('/')}")])
    tool = registry.get("search_logs")

    result = tool.run(context_for(sources, datetime(2026, 3, 1, 10, 0, 30, tzinfo=UTC)), tool.params(since="5m"))

    text = json.dumps([result.data, result.summary])
    assert "\\u0000" not in text
    assert "\\ud800" not in text
