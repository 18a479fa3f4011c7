"""docs/adding-a-tool.md followed literally: its code in a package of one's own, its YAML in a file, both asked."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from tests.flows.incident import write_incident
from tests.processes import product_environment

PAGE = (settings.BASE_DIR / "docs" / "adding-a-tool.md").read_text()


def _block(language: str) -> str:
    """The first block of that language; without one, the block that tries the tools."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return next(text for name, text in blocks if name == language and (language or "opspilot tool" in text))


def _install(site: Path) -> None:
    """What pip leaves behind: the package, and a dist-info folder that names its entry point."""
    package, about = site / "acme_opspilot", site / "acme_opspilot-1.0.dist-info"
    package.mkdir(parents=True)
    about.mkdir()
    (package / "__init__.py").touch()
    (package / "silent_sources.py").write_text(_block("python"))
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-opspilot\nVersion: 1.0\n")
    group, line = re.findall(r'entry-points\."([^"]+)"\]\n(.+)', _block("toml"))[0]
    (about / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n")


def _follow(tmp_path: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Runs the page's line that begins like this, with its package installed and its tools.yaml in place."""
    _install(tmp_path / "site")
    (tmp_path / "tools.yaml").write_text(_block("yaml"))
    write_incident(tmp_path / "incident")
    (command,) = [one for one in _block("").splitlines() if one.startswith(f"./opspilot tool {line}")]
    environment = product_environment(
        PYTHONPATH=str(tmp_path / "site"), OPSPILOT_DATA_DIR=str(tmp_path / "data"),
        OPSPILOT_TOOLS=str(tmp_path / "tools.yaml"),
    )  # fmt: skip
    return subprocess.run(
        [sys.executable, settings.BASE_DIR / "manage.py", *shlex.split(command)[1:]], cwd=tmp_path, capture_output=True,
        text=True, check=False, env=environment,
    )  # fmt: skip


def test_a_tool_of_ones_own_is_found_and_answers(tmp_path: Path) -> None:
    answer = _follow(tmp_path, "silent_sources")
    assert answer.returncode == 0, answer.stderr
    assert "sources have been silent for more than 5 min" in answer.stdout


def test_a_declared_tool_is_found_and_answers(tmp_path: Path) -> None:
    answer = _follow(tmp_path, "disk_usage")
    assert answer.returncode == 0, answer.stderr
    assert "df ended with 0: Filesystem" in answer.stdout
