"""A backup brings back what belongs together: database, keys, heads file; what stood there is moved aside."""

from __future__ import annotations

import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from opspilot_site.backups import CannotBackUp, back_up, restore


@pytest.fixture
def folder(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a small SQLite database of its own; this process' stays open and untouched."""
    with closing(sqlite3.connect(tmp_path / "opspilot.sqlite3")) as database:
        database.execute("CREATE TABLE kept (id)")
    monkeypatch.setitem(connection.settings_dict, "NAME", str(tmp_path / "opspilot.sqlite3"))
    monkeypatch.setattr(connections["default"], "vendor", "sqlite")
    settings.DATA_DIR, settings.AUDIT_HEADS = tmp_path, tmp_path / "audit-heads.jsonl"
    (tmp_path / "opspilot_audit_key.key").write_text("a key")
    return tmp_path


def test_the_heads_go_with_the_database_and_its_keys(folder: Path) -> None:
    (folder / "audit-heads.jsonl").write_text("a line")
    back_up(folder / "backup.tar.gz")
    with tarfile.open(folder / "backup.tar.gz") as archive:
        assert set(archive.getnames()) == {"opspilot.sqlite3", "audit-heads.jsonl", "opspilot_audit_key.key"}

    (folder / "audit-heads.jsonl").write_text("of later")
    aside = restore(folder / "backup.tar.gz")
    assert aside is not None
    assert (aside / "audit-heads.jsonl").read_text() == "of later"
    assert (folder / "audit-heads.jsonl").read_text() == "a line"


def test_a_heads_file_elsewhere_is_left_alone(folder: Path, settings: Any) -> None:
    settings.AUDIT_HEADS = folder / "elsewhere" / "audit-heads.jsonl"
    settings.AUDIT_HEADS.parent.mkdir()
    settings.AUDIT_HEADS.write_text("a line")
    back_up(folder / "backup.tar.gz")
    restore(folder / "backup.tar.gz")
    assert settings.AUDIT_HEADS.exists()


def test_another_archive_is_refused(folder: Path) -> None:
    with tarfile.open(folder / "other.tar.gz", "w:gz") as archive:
        archive.add(folder / "opspilot_audit_key.key", "notes.txt")
    with pytest.raises(CannotBackUp, match="not a backup"):
        restore(folder / "other.tar.gz")
