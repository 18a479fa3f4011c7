"""Plants each fault of this folder in a copy of the tree; the test that the patch names must turn red.

A patch that no longer applies, or a fault that its test does not notice, fails here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATCHES = sorted(Path(__file__).parent.glob("*.patch"))
NEEDED = (
    "opspilot_site",
    "runs",
    "agent",
    "tools",
    "tests",
    "fixtures",
    "templates",
    "static",
    "manage.py",
    "pyproject.toml",
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code, without data and environment."""
    copy = tmp_path_factory.mktemp("tree")
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "vendor"))
        else:
            shutil.copy(source, copy / name)
    return copy


def _run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPSPILOT_", "PYTEST_"))}
    environment = {**kept, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_there_are_enough_of_them() -> None:
    assert len(PATCHES) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_the_fault_is_noticed(patch: Path, tree: Path) -> None:
    named = re.search(r"^Test: (\S+)$", patch.read_text(), re.MULTILINE)
    assert named is not None, "a patch names the test that must notice it"
    applied = _run(tree, "patch", "-p1", "--no-backup-if-mismatch", "-i", str(patch))
    assert applied.returncode == 0, applied.stdout
    try:
        outcome = _run(tree, sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", named[1])
        assert outcome.returncode == 1, f"{named[1]} did not turn red:\n{outcome.stdout[-2000:]}"
    finally:
        assert _run(tree, "patch", "-p1", "-R", "--no-backup-if-mismatch", "-i", str(patch)).returncode == 0
