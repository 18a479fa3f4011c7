"""doctor, tool and source: what a person at a shell learns about what OpsPilot can read."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from agent.jobs import tool_host
from opspilot_site import diagnosis
from opspilot_site.dotenv import add_to_list
from opspilot_site.management.commands.tool import arguments
from runs.models import Team
from runs.services.actors import Actor
from runs.services.halt import halt_all
from tests.flows.incident import write_incident
from tests.runs.commands.conftest import Shell, shell
from tests.standins.messages_api import messages_api
from tools import registry

__all__ = ["shell"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield write_incident(tmp_path / "shop")
    tool_host().stop()


@pytest.fixture
def shop(folder: Path, settings: Any) -> Path:
    """A configured source `shop`."""
    settings.SOURCE_URLS = {"data": [("shop", folder.as_uri())]}
    return folder


def _findings(out: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(out)["findings"]:
        found.setdefault(finding["name"], []).append(finding)
    return found


_build_graph = MigrationLoader.build_graph


def _as_if_nothing_was_applied(loader: MigrationLoader) -> None:
    _build_graph(loader)
    loader.applied_migrations = {}


def test_doctor_says_what_answers_and_what_is_missing(alice: User, bob: User, team: Team, shell: Shell) -> None:
    ended = shell("doctor", "--json")
    found = _findings(ended.out)

    assert ended.code == 0, ended.out
    assert found["database"][0]["verdict"] == "ok"
    assert found["redis"][0]["verdict"] == "warning"
    assert "./opspilot up" in found["redis"][0]["hint"]
    assert "source add" in found["sources"][0]["hint"]
    assert found["people"][0]["words"] == "1 person can vote on requests"


def test_doctor_tells_rows_services_and_age_of_each_source(shop: Path, team: Team, shell: Shell) -> None:
    rows = _findings(shell("doctor", "--json").out)["source shop"]

    assert [row["words"].split(",")[0] for row in rows] == ["logs", "metrics", "changes"]
    assert "240 rows, 1 service, newest row" in rows[0]["words"]
    assert rows[0]["verdict"] == "warning"  # the incident is months old


def test_doctor_ends_with_1_where_a_source_cannot_be_read(
    team: Team, settings: Any, tmp_path: Path, shell: Shell
) -> None:
    settings.SOURCE_URLS = {"logs": [("gone", (tmp_path / "gone").as_uri())]}

    ended = shell("doctor")

    assert ended.code == 1
    assert ended.error == "Broken: source gone."
    assert "✗ source gone" in ended.out


AWAY = {"fault": "status", "status": 500}
NO_KEY = {"fault": "status", "status": 401, "type": "authentication_error"}
PAGE = {"fault": "html"}
LOOK = "Look at ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL, OPSPILOT_MODEL."
WAIT = "Runs wait and try again by themselves. Is that the address, and does this machine reach it?"


@pytest.mark.parametrize(
    ("turns", "verdict", "words", "hint"),
    [
        (None, "ok", "claude-sonnet-5-5 answers at {url}", ""),
        ([AWAY], "broken", "{url}: The model's address answered 500 api_error: a fault of the script", WAIT),
        ([NO_KEY] * 8, "broken",
         "{url}: The model's address answered 401 authentication_error: a fault of the script", LOOK),
        ([PAGE], "broken", "{url}: The model's address answered text/html instead of text/event-stream. Is the base "
         "URL that of a Messages API?", LOOK),
    ],
)  # fmt: skip
def test_doctor_says_what_the_model_said(
    team: Team, shell: Shell, settings: Any, tmp_path: Path, turns: Any, verdict: str, words: str, hint: str
) -> None:
    with messages_api(tmp_path, turns) as api:
        settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL, settings.PLANNER = "key-1", api.url, "claude"
        ended = shell("doctor", "--ask-model", "--json")
    (model,) = _findings(ended.out)["model"]

    assert (model["verdict"], model["words"], model["hint"]) == (verdict, words.format(url=api.url), hint)
    assert ended.code == (verdict == "broken")
    assert "not called" not in _findings(ended.out)["planner"][0]["words"]


def test_doctor_says_that_a_price_is_not_known_and_that_there_is_no_model(
    team: Team, shell: Shell, settings: Any, tmp_path: Path
) -> None:
    none = shell("doctor", "--ask-model", "--json")
    with messages_api(tmp_path) as api:
        settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL, settings.PLANNER = "key-1", api.url, "claude"
        settings.MODEL = "my-own-model"
        unpriced = shell("doctor", "--ask-model", "--json")

    assert (none.code, _findings(none.out)["model"][0]["words"]) == (0, "there is none to ask: no key is set")
    assert _findings(unpriced.out)["price"][0]["words"] == "that of my-own-model is not known"
    assert unpriced.code == 0


def test_doctor_ends_with_1_where_the_database_is_away(db: None, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(connection: Any) -> Any:
        raise OperationalError("no route to host")

    monkeypatch.setattr(diagnosis, "MigrationExecutor", away)
    ended = shell("doctor")

    assert (ended.code, ended.error) == (1, "Broken: database.")


def test_doctor_in_a_fresh_clone_says_who_makes_the_database(
    db: None, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MigrationLoader, "build_graph", _as_if_nothing_was_applied)
    ended = shell("doctor", "--json")
    database = _findings(ended.out)["database"][0]

    assert ended.code == 0, ended.out
    assert (database["verdict"], database["words"]) == ("warning", "not made yet")
    assert database["hint"] == "./opspilot up (or investigate) makes it."


def test_doctor_calls_a_database_that_was_left_behind_broken(
    db: None, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda executor, targets: [("one", False)])
    ended = shell("doctor")

    assert (ended.code, ended.error) == (1, "Broken: database.")
    assert "1 migration not applied" in ended.out


def test_doctor_warns_where_a_key_is_missing_for_claude(team: Team, settings: Any, shell: Shell) -> None:
    settings.PLANNER, settings.ANTHROPIC_API_KEY = "claude", ""

    assert shell("doctor").error == "Broken: planner."


def test_doctor_says_that_the_stop_switch_is_on(team: Team, shell: Shell) -> None:
    assert "stop switch" not in _findings(shell("doctor", "--json").out)
    halt_all(Actor.shell("root"), "a bad deploy")
    found = _findings(shell("doctor", "--json").out)["stop switch"][0]

    assert found["words"] == "everything is stopped by root (command line): a bad deploy"
    assert "--release" in found["hint"]


@pytest.mark.parametrize(
    ("newest", "kind", "verdict", "words"),
    [
        (timedelta(seconds=8), "logs", "ok", "8 s old"), (timedelta(hours=2), "logs", "warning", "2 h old"),
        (timedelta(days=3), "changes", "ok", "3 d old"),
        (timedelta(minutes=-5), "metrics", "warning", "5 min ahead of now"),
        (timedelta(seconds=-5), "metrics", "ok", "0 ms old"),
    ],
)  # fmt: skip
def test_how_fresh_a_source_is_decides_its_finding(newest: timedelta, kind: str, verdict: str, words: str) -> None:
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    state = {"name": "s", "kind": kind, "rows": 3, "services": [], "skipped": 0, "problem": "",
             "newest": (now - newest).isoformat()}  # fmt: skip

    finding = diagnosis.finding_of(state, now)

    assert (finding.verdict, finding.words.rpartition("newest row ")[2]) == (verdict, words)


def test_an_empty_source_is_said_to_be_empty() -> None:
    state = {"name": "s", "kind": "logs", "rows": 0, "services": [], "skipped": 2, "problem": "", "newest": None}

    finding = diagnosis.finding_of(state, datetime.now(UTC))

    assert (finding.verdict, finding.words) == ("warning", "logs, 0 rows, 2 malformed rows skipped, nothing in it")


def test_tool_asks_a_folder(folder: Path, team: Team, shell: Shell) -> None:
    ended = shell("tool", "search_logs", "--data", folder, "pattern=timed out", "limit=1")

    assert ended.code == 0, ended.error
    assert ended.out.startswith("success: 150 of 240 lines match")
    assert "connection not available, timed out after 5000ms" in ended.out


def test_tool_prints_one_object_on_request(shop: Path, team: Team, shell: Shell) -> None:
    body = json.loads(shell("tool", "query_metrics", "name=db_pool_*", "--json").out)

    assert body["status"] == "success"
    assert body["data"]["series"][0]["id"] == "billing db_pool_active"


def test_tool_that_finds_nothing_has_answered(shop: Path, team: Team, shell: Shell) -> None:
    ended = shell("tool", "search_logs", "pattern=no such words")

    assert ended.code == 0
    assert ended.out.startswith("no_data: ")


def test_tool_that_fails_says_why_and_ends_with_1(shop: Path, team: Team, shell: Shell) -> None:
    ended = shell("tool", "search_logs", "pattern=(")

    assert ended.code == 1
    assert "not a valid RE2 expression" in ended.out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["create_ticket"], "not a tool to read with"), (["generate_report"], "not a tool to read with"),
        (["nope"], "There is no tool 'nope'"), (["search_logs", "limt=3"], "limt"),
        (["search_logs", "timeout"], "key=value"),
        (["search_logs", "--source", "till"], "No source is called till"),
        (["search_logs", "--data", "/nowhere"], "There is no folder /nowhere"),
    ],
)  # fmt: skip
def test_tool_refuses_what_it_may_not_or_cannot_do(
    shop: Path, team: Team, shell: Shell, words: list[str], error: str
) -> None:
    ended = shell("tool", *words)

    assert (ended.code, ended.out) == (2, "")
    assert error in ended.error


def test_tool_alone_lists_the_tools_to_read_with(shell: Shell) -> None:
    ended = shell("tool")

    assert ended.code == 2
    assert registry.describe("search_logs")["summary"] in ended.error
    assert "create_ticket" not in ended.error


def test_what_the_schema_calls_text_stays_text() -> None:
    schema = {"properties": {"pattern": {"type": "string"}, "limit": {"type": "integer"}}}

    assert arguments(schema, ["pattern=5", "limit=5", "pattern2=[1]"]) == {"pattern": "5", "limit": 5, "pattern2": [1]}


def test_source_check_shows_rows_as_parsed(shop: Path, team: Team, shell: Shell) -> None:
    out = shell("source", "check", "shop").out

    assert "logs: billing" in out
    assert out.count("message=connection not available") == 3
    assert "times that name no zone are read as UTC" in out
    assert "billing db_pool_active = 10 at 2026-03-04T11:59:00Z" in out


def test_source_check_of_a_name_that_is_none_lists_the_names(shop: Path, team: Team, shell: Shell) -> None:
    ended = shell("source", "check", "till")

    assert (ended.code, ended.error) == (2, "No source is called till. Sources: shop.")


def test_source_list_is_for_people_and_for_scripts(shop: Path, team: Team, shell: Shell) -> None:
    assert "⚠ shop: logs, 240 rows" in shell("source", "list").out
    assert {state["kind"] for state in json.loads(shell("source", "list", "--json").out)} == {
        "logs",
        "metrics",
        "changes",
    }


def test_source_add_looks_first_and_writes_one_line(
    folder: Path, team: Team, settings: Any, tmp_path: Path, shell: Shell
) -> None:
    settings.BASE_DIR = tmp_path

    ended = shell("source", "add", folder, "--name", "billing")

    assert ended.code == 0, ended.error
    assert (tmp_path / ".env").read_text() == f"OPSPILOT_DATA=billing={folder.as_uri()}\n"
    assert "logs, 240 rows" in ended.out


def test_source_add_takes_a_zone_for_a_folder(
    folder: Path, team: Team, settings: Any, tmp_path: Path, shell: Shell
) -> None:
    settings.BASE_DIR = tmp_path

    ended = shell("source", "add", folder, "--name", "billing", "--timezone", "Europe/Berlin")

    assert "times that name no zone are read as Europe/Berlin" in ended.out
    assert (tmp_path / ".env").read_text().endswith(f"{folder.as_uri()}?timezone=Europe%2FBerlin\n")


def test_source_add_writes_nothing_where_nothing_can_be_read(
    team: Team, settings: Any, tmp_path: Path, shell: Shell
) -> None:
    settings.BASE_DIR = tmp_path

    assert shell("source", "add", tmp_path / "gone").code == 1
    assert not (tmp_path / ".env").exists()


def test_source_add_refuses_a_name_that_is_taken(
    shop: Path, team: Team, settings: Any, tmp_path: Path, shell: Shell
) -> None:
    settings.BASE_DIR = tmp_path

    assert shell("source", "add", shop).code == 2
    assert not (tmp_path / ".env").exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "OPSPILOT_LOGS=b\n"),
        ("A=1", "A=1\nOPSPILOT_LOGS=b\n"), ("OPSPILOT_LOGS=a\nZ=2\n", "OPSPILOT_LOGS=a,b\nZ=2\n"),
        ("OPSPILOT_LOGS=\n", "OPSPILOT_LOGS=b\n"), ('export OPSPILOT_LOGS="a"\n', 'export OPSPILOT_LOGS="a,b"\n'),
        ("#OPSPILOT_LOGS=a\n", "#OPSPILOT_LOGS=a\nOPSPILOT_LOGS=b\n"),
        ("MY_OPSPILOT_LOGS=a\n", "MY_OPSPILOT_LOGS=a\nOPSPILOT_LOGS=b\n"),
    ],
)  # fmt: skip
def test_a_line_of_dotenv_grows_and_the_rest_stays(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / ".env"
    path.write_text(before)

    add_to_list(path, "OPSPILOT_LOGS", "b")

    assert path.read_text() == after
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
