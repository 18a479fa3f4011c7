"""The peers' environment: made in var/bench-venv at the first use, again when bench/requirements.txt changes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from django.conf import settings

ROOM = Path(__file__).resolve().parent
REQUIREMENTS = ROOM / "requirements.txt"
VENV: Path = settings.BASE_DIR / "var" / "bench-venv"
PYTHON = VENV / "bin" / "python"
INSTALLED = VENV / "requirements.installed"
LOG = VENV.with_suffix(".log")


class NoPeers(Exception):
    """The peers' packages could not be installed; the text says why. Ours and the floors can still be measured."""


def is_ready() -> bool:
    return INSTALLED.exists() and INSTALLED.read_text() == _wanted()


def make_ready() -> Path:
    """The interpreter that has the peers' packages. Takes a minute the first time. Raises NoPeers."""
    if not is_ready():
        _run(sys.executable, "-m", "venv", str(VENV))
        _run(str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(REQUIREMENTS))
        INSTALLED.write_text(_wanted())
    return PYTHON


def _wanted() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()


def _run(*argv: str) -> None:
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open("ab") as log:
        status = subprocess.run(argv, stdout=log, stderr=log, check=False).returncode
    if status:
        last = [line for line in LOG.read_text(errors="replace").splitlines() if line.startswith("ERROR")]
        raise NoPeers(f"the peers' packages could not be installed ({last[-1][:200] if last else LOG})")
