"""Hostile folders: nothing outside the root is read, nothing hangs, nothing unpacks without end."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
import zstandard

from tests.tools.conftest import ONSET, ask_folder, log_line, open_sources, write
from tools.base import ToolError
from tools.sources.confined import MAX_RATIO, RATIO_FROM, Refused, Root

LINE = log_line(ONSET, "orders", "ERROR", "inside")
SECRET = log_line(ONSET, "vault", "ERROR", "outside")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "outside" / "secret.log", [SECRET])
    write(tmp_path / "root" / "app.log", [LINE])
    return tmp_path / "root"


def assert_only_the_inside_is_read(root: Path) -> str:
    result = ask_folder(root, "search_logs")
    assert [match["message"] for match in result.data["matches"]] == ["inside"]
    return result.summary


def test_a_link_that_leads_out_is_refused_and_named(root: Path) -> None:
    (root / "link.log").symlink_to(root.parent / "outside" / "secret.log")
    assert "link.log: leads out of" in assert_only_the_inside_is_read(root)


def test_a_linked_folder_that_leads_out_is_not_entered(root: Path) -> None:
    (root / "logs").symlink_to(root.parent / "outside")
    assert_only_the_inside_is_read(root)


def test_a_link_that_stays_inside_is_followed(root: Path) -> None:
    (root / "current.log").symlink_to("app.log")
    assert ask_folder(root, "search_logs").data["total"] == 2


def test_a_pipe_is_refused_without_waiting_for_a_writer(root: Path) -> None:
    os.mkfifo(root / "pipe.log")
    assert "pipe.log: not a regular file" in assert_only_the_inside_is_read(root)


def test_a_link_to_a_device_is_refused(root: Path) -> None:
    (root / "zero.log").symlink_to("/dev/zero")
    assert "zero.log: leads out of" in assert_only_the_inside_is_read(root)


def test_a_device_named_as_a_source_is_refused() -> None:
    (problem,) = open_sources(Path("/dev/zero")).problems()
    assert "not a regular file or folder" in problem


@pytest.mark.parametrize("name", ["../outside/secret.log", "/etc/hostname", "a\x00b", "logs/../../outside/secret.log"])
def test_a_name_that_points_elsewhere_is_refused(root: Path, name: str) -> None:
    with pytest.raises(Refused):
        Root(root).content(name)


@pytest.mark.parametrize(
    ("swapped", "target"), [("logs", "outside"), ("logs/secret.log", "outside/secret.log")], ids=["folder", "file"]
)
def test_a_link_put_in_the_way_after_the_check_is_not_followed(
    root: Path, monkeypatch: pytest.MonkeyPatch, swapped: str, target: str
) -> None:
    write(root / "logs" / "secret.log", [LINE])
    resolve, victim = os.path.realpath, root / swapped

    def swap(path: str) -> str:
        found = resolve(path)
        if str(path).endswith("secret.log") and not victim.is_symlink():
            victim.rename(root / "moved")
            victim.symlink_to(root.parent / target)
        return found

    opened = Root(root)
    monkeypatch.setattr("tools.sources.confined.os.path.realpath", swap)
    with pytest.raises(Refused):
        opened.content("logs/secret.log")


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_an_archive_bomb_is_given_up_and_said(root: Path, pack: object) -> None:
    assert callable(pack)
    packed = pack(b"0" * (2 * RATIO_FROM))
    assert len(packed) * MAX_RATIO < 2 * RATIO_FROM
    (root / ("bomb.log.gz" if pack is gzip.compress else "bomb.log.zst")).write_bytes(packed)
    assert "times its size; not read" in assert_only_the_inside_is_read(root)


@pytest.mark.parametrize("name", ["cut.log.gz", "cut.log.zst"])
def test_a_damaged_archive_is_a_note_beside_the_rest(root: Path, name: str) -> None:
    (root / name).write_bytes(b"this is no archive at all")
    assert f"{name}: damaged archive" in assert_only_the_inside_is_read(root)


def test_a_folder_of_nothing_but_refused_files_is_an_error_and_not_an_absence(root: Path) -> None:
    (root / "app.log").unlink()
    os.mkfifo(root / "app.log")
    with pytest.raises(ToolError, match=r"nothing was searched.*app.log: not a regular file"):
        ask_folder(root, "search_logs")


def test_binary_rubbish_costs_no_more_than_its_own_lines(root: Path) -> None:
    (root / "rubbish.log").write_bytes(bytes(range(256)) * 400 + b"\n{" + b"[" * 100_000 + b"\n" + LINE.encode())
    assert ask_folder(root, "search_logs").data["total"] == 2


def test_a_line_longer_than_any_log_line_is_skipped(root: Path) -> None:
    (root / "long.jsonl").write_bytes(
        b'{"ts": "2026-03-01T09:00:00Z", "msg": "' + b"x" * 2_000_000 + b'"}\n' + LINE.encode()
    )
    result = ask_folder(root, "search_logs")
    assert (result.data["total"], result.skipped) == (2, 1)
