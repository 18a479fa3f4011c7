"""docs/adding-a-tool.md followed literally: its code in a package of one's own, found by its entry point, asked."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from tests.flows.incident import write_incident

PAGE = (settings.BASE_DIR / "docs" / "adding-a-tool.md").read_text()


def _block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


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


def test_a_tool_of_ones_own_is_found_and_answers(tmp_path: Path) -> None:
    _install(tmp_path / "site")
    write_incident(tmp_path / "incident")
    words = shlex.split(re.findall(r"```\n\./opspilot (.+)\n```", PAGE)[0])
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "OPSPILOT_DATA_DIR": str(tmp_path / "data")}
    answer = subprocess.run(
        [sys.executable, settings.BASE_DIR / "manage.py", *words], cwd=tmp_path, capture_output=True, text=True,
        check=False, env=environment,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert "sources have been silent for more than 5 min" in answer.stdout
