"""Commits of a real git repository, also of one whose own configuration wants programs to be run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.tools.conftest import AS_OF, context_for
from tools import registry
from tools.base import ToolError, ToolResult
from tools.sources import SourceSet, SourceSpec

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


def _git(folder: Path, *words: str, at: str = "2026-03-01T09:30:00Z") -> None:
    names = {
        "GIT_AUTHOR_NAME": "Ana",
        "GIT_AUTHOR_EMAIL": "a@x",
        "GIT_COMMITTER_NAME": "Ana",
        "GIT_COMMITTER_EMAIL": "a@x",
    }
    env = {**os.environ, **names, "GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at, "GIT_CONFIG_GLOBAL": "/dev/null"}
    subprocess.run(["git", "-C", folder, *words], check=True, env=env, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "shop repo"
    folder.mkdir()
    _git(folder, "init", "-q", "-b", "main")
    (folder / "db.yaml").write_text("pool: 40\n")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "first")
    (folder / "db.yaml").write_text("pool: 10\n")
    _git(folder, "commit", "-q", "-a", "-m", "chore: tune the pool\n\nIt was too wide.", at="2026-03-01T09:41:00Z")
    return folder


def _changes(url: str, **args: Any) -> ToolResult:
    tool = registry.get("list_changes")
    sources = SourceSet([SourceSpec("repo", url)])
    return tool.run(context_for(sources, AS_OF), tool.params.model_validate(args))


def _url(folder: Path) -> str:
    return folder.as_uri().replace("file://", "git://")


def test_commits_come_with_their_diffs(repository: Path) -> None:
    first, second = _changes(f"{_url(repository)}?service=orders").data["changes"]

    assert (first["title"], second["title"]) == ("first", "chore: tune the pool")
    assert second["text"] == "chore: tune the pool\n\nIt was too wide."
    assert second["files"] == ["db.yaml"]
    assert "-pool: 40\n+pool: 10" in second["diff"]
    assert (second["author"], second["service"], second["at"]) == ("Ana", "orders", "2026-03-01T09:41:00Z")


def test_a_new_commit_is_seen(repository: Path) -> None:
    assert len(_changes(_url(repository)).data["changes"]) == 2
    _git(repository, "commit", "-q", "--allow-empty", "-m", "third", at="2026-03-01T09:50:00Z")

    assert len(_changes(_url(repository)).data["changes"]) == 3


def test_a_hostile_repository_runs_nothing(repository: Path, tmp_path: Path) -> None:
    """Its configuration and attributes name programs for everything that `git log` may start."""
    trap = tmp_path / "trap.sh"
    mark = tmp_path / "sprung"
    trap.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    trap.chmod(0o755)
    for name in (
        "core.fsmonitor", "core.pager", "pager.log", "diff.external", "diff.evil.command", "diff.evil.textconv",
        "gpg.program", "gpg.ssh.program", "core.sshCommand", "core.askPass", "credential.helper", "core.editor",
        "sequence.editor", "filter.evil.smudge", "filter.evil.clean", "uploadpack.packObjectsHook", "core.gitProxy",
    ):  # fmt: skip
        _git(repository, "config", name, str(trap))
    _git(repository, "config", "log.showSignature", "true")
    _git(repository, "config", "core.hooksPath", str(tmp_path))
    for hook in ("post-index-change", "reference-transaction", "pre-auto-gc"):
        shutil.copy(trap, tmp_path / hook)
    (repository / ".git" / "info" / "attributes").write_text("* diff=evil filter=evil\n")

    assert len(_changes(_url(repository)).data["changes"]) == 2
    assert not mark.exists()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("{url}?branch=nowhere", "git says"),
        ("{url}?branch=--output=x", "is no name of a branch"),
        ("{url}?branch=a%20b", "is no name of a branch"),
        ("{url}?color=red", "says color"),
        ("git:///nowhere", "there is no such folder"),
        ("git://example.org/shop.git", "only a repository on this machine"),
    ],
)
def test_what_cannot_be_read_is_said(repository: Path, url: str, words: str) -> None:
    with pytest.raises(ToolError, match=words):
        _changes(url.replace("{url}", _url(repository)))


def test_a_folder_that_is_no_repository_is_said(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="not a git repository"):
        _changes(_url(tmp_path))
