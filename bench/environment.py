"""The peers' environments: made in var/ at the first use, again when their list of packages changes.

One for all that go together, bench/requirements.txt; one each for a peer that wants other versions than the rest,
bench/requirements-<name>.txt.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from django.conf import settings

ROOM = Path(__file__).resolve().parent


class NoPeers(Exception):
    """The peers' packages could not be installed; the text says why. Ours and the floors can still be measured."""


def is_ready(name: str = "") -> bool:
    installed = _venv(name) / "requirements.installed"
    return installed.exists() and installed.read_text() == _wanted(name)


def make_ready(name: str = "") -> Path:
    """The interpreter that has the peers' packages. Takes a minute the first time. Raises NoPeers."""
    venv = _venv(name)
    python = venv / "bin" / "python"
    if not is_ready(name):
        _run(venv, sys.executable, "-m", "venv", str(venv))
        _run(
            venv, str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(_list(name))
        )
        (venv / "requirements.installed").write_text(_wanted(name))
    return python


def _list(name: str) -> Path:
    return ROOM / (f"requirements-{name}.txt" if name else "requirements.txt")


def _venv(name: str) -> Path:
    venv: Path = settings.BASE_DIR / "var" / (f"bench-venv-{name}" if name else "bench-venv")
    return venv


def _wanted(name: str) -> str:
    return hashlib.sha256(_list(name).read_bytes()).hexdigest()


def _run(venv: Path, *argv: str) -> None:
    log_file = venv.with_suffix(".log")
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as log:
        status = subprocess.run(argv, stdout=log, stderr=log, check=False).returncode
    if status:
        last = [line for line in log_file.read_text(errors="replace").splitlines() if line.startswith("ERROR")]
        raise NoPeers(f"the peers' packages could not be installed ({last[-1][:200] if last else log_file})")
