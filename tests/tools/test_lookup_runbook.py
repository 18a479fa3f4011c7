"""lookup_runbook: by alert name, by words, and what is said where there is nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tools.conftest import ask_folder, open_sources, write
from tools.sources.runbooks import sections

POOL = """# Connection pool exhausted

Requests wait for a database connection.

## Check
Look at db_pool_active beside db_pool_max.

## Relieve
Raise DB_POOL_MAX, or restart the service that leaks connections.
"""
DISK = "---\ntitle: Disk almost full\n---\n\nThe volume fills.\n\n## Relieve\nDelete rotated logs of the service.\n"


@pytest.fixture
def ops(tmp_path: Path) -> Path:
    write(tmp_path / "runbooks" / "PoolExhausted.md", [POOL])
    write(tmp_path / "runbooks" / "storage" / "NodeFilesystemAlmostOutOfSpace.md", [DISK])
    write(tmp_path / "runbooks" / "notes.txt", ["no runbook"])
    return tmp_path


def test_the_runbook_of_the_alert_comes_first_whatever_the_words(ops: Path) -> None:
    result = ask_folder(ops, "lookup_runbook", alert="pool-exhausted", words="volume full rotated logs")
    first, second = result.data["runbooks"]
    assert (first["name"], first["is_for_alert"]) == ("PoolExhausted.md", True)
    assert (second["title"], second["is_for_alert"]) == ("Disk almost full", False)
    assert "written for this alert" in result.summary


def test_words_find_the_runbook_and_its_fitting_section(ops: Path) -> None:
    (first,) = ask_folder(ops, "lookup_runbook", words="leaking connections").data["runbooks"]
    assert first["name"] == "PoolExhausted.md"
    assert "restart the service that leaks connections" in json.dumps(first["sections"])


def test_the_runs_alert_is_looked_up_where_none_is_named(ops: Path) -> None:
    write(ops / "alert.json", [json.dumps({"alertname": "NodeFilesystemAlmostOutOfSpace"})])
    first = ask_folder(ops, "lookup_runbook").data["runbooks"][0]
    assert (first["title"], first["is_for_alert"]) == ("Disk almost full", True)


def test_where_nothing_fits_the_titles_are_told(ops: Path) -> None:
    result = ask_folder(ops, "lookup_runbook", words="certificate expiry")
    assert result.status == "no_data"
    assert result.data["titles"] == ["Connection pool exhausted", "Disk almost full"]
    assert result.summary.startswith("None of 2 runbooks speaks of")


def test_without_runbooks_it_says_where_they_belong(tmp_path: Path) -> None:
    write(tmp_path / "app.log", ["2026-03-01T09:00:00Z INFO up"])
    result = ask_folder(tmp_path, "lookup_runbook", words="pool")
    assert (result.status, result.figures["known"]) == ("no_data", 0)
    assert "runbooks/" in result.summary


def test_a_folder_with_runbooks_alone_is_no_broken_source(ops: Path) -> None:
    assert open_sources(ops).problems() == []


def test_a_link_out_of_the_folder_is_not_followed(ops: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = write(tmp_path_factory.mktemp("outside") / "Secret.md", ["# Secret pool"])
    (ops / "runbooks" / "Secret.md").symlink_to(outside)
    names = [row["name"] for row in ask_folder(ops, "lookup_runbook", words="secret pool").data["runbooks"]]
    assert "Secret.md" not in names


def test_sections_are_told_apart_by_their_headings() -> None:
    assert [heading for heading, _ in sections(POOL)] == ["Connection pool exhausted", "Check", "Relieve"]
    assert sections("no heading") == [("", "no heading")]
