"""tools.yaml: what is wrong with it stops the start with a sentence; what is missing is said by doctor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from opspilot_site.tools_file import read_tools_file
from tests.processes import product_environment


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tools: [", "tools.yaml"),
        ("tool: []", "holds the lists tools and servers"),
        ("tools: [x]", "is a mapping, not str"),
        ("servers: [{name: a b, command: [x]}]", "letters, digits and _ only"),
        ("servers: [{name: a, command: npx server}]", "command is a list of words"),
        ("servers: [{name: a, command: [x], tools: {t: safe}}]", "risk of a tool is one of"),
        ("servers: [{name: a, command: [x], shell: true}]", "shell is not known"),
    ],
)
def test_each_mistake_is_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "tools.yaml").write_text(text)

    with pytest.raises(ImproperlyConfigured, match=words):
        read_tools_file(tmp_path / "tools.yaml", tmp_path)


def test_a_server_comes_with_what_was_looked_at(tmp_path: Path) -> None:
    (tmp_path / "tools.yaml").write_text("servers: [{name: shop, command: [srv], tools: {pods: read}}]")
    (tmp_path / "shop.json").write_text(json.dumps([{"name": "pods"}]))
    (server,) = read_tools_file(tmp_path / "tools.yaml", tmp_path).servers

    assert (server["risks"], server["looked_at"]) == ({"pods": "read"}, [{"name": "pods"}])


def _doctor(folder: Path, tools: str, **env: str) -> subprocess.CompletedProcess[str]:
    (folder / "tools.yaml").write_text(tools)
    return subprocess.run(
        [sys.executable, "manage.py", "doctor"], cwd=settings.BASE_DIR, capture_output=True, text=True, check=False,
        env=product_environment(
            OPSPILOT_DATA_DIR=str(folder / "data"), OPSPILOT_TOOLS=str(folder / "tools.yaml"), **env
        ),
    )  # fmt: skip


def test_a_tool_that_is_declared_wrongly_keeps_everything_from_starting(tmp_path: Path) -> None:
    answer = _doctor(tmp_path, "tools: [{name: restart_it, summary: Restart one service., risk: mild, run: [x]}]")

    assert answer.returncode != 0
    assert "tools.yaml, restart_it: risk: Input should be 'read'" in answer.stdout + answer.stderr


def test_doctor_says_what_is_switched_off_and_where_tickets_go(tmp_path: Path) -> None:
    tools = "tools: [{name: restart_it, summary: Restart one service., risk: write, run: [no-such-command]}]"
    answer = _doctor(tmp_path, tools, OPSPILOT_TICKETS="github://acme/shop")

    assert "tool restart_it" in answer.stdout
    assert "switched off: the command no-such-command is not installed" in answer.stdout
    assert "GitHub issues of acme/shop at api.github.com; not asked" in answer.stdout
