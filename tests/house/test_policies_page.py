"""Keeps docs/policies.md true: its rules can be read, and its explanation is what the program says of them."""

from __future__ import annotations

import re2
from django.conf import settings

from runs.policy.document import read_document
from runs.policy.explanation import explain, problems
from runs.policy.rules import version_of
from tools import registry

PAGE = (settings.BASE_DIR / "docs" / "policies.md").read_text()
BLOCKS = re2.findall(r"(?s)```yaml\n(.*?)```", PAGE)


def test_every_rule_of_the_page_is_one() -> None:
    assert [len(read_document(block)) for block in BLOCKS] == [1, 4]


def test_the_explanation_is_what_check_says() -> None:
    rules = read_document(BLOCKS[1])
    tools = {name: tool.risk.value for name, tool in registry.all_tools().items()}

    assert f"4 rules, version {version_of(rules)}. The first that matches decides." in PAGE
    for verdict in explain(rules, tools):
        assert "\n".join(f"  {line}" for line in verdict.lines()) + "\n" in PAGE  # the tools are those of that day
    for words in problems(rules, tools):
        assert words in PAGE
