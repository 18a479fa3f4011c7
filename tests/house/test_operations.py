"""Every test that docs/operations.md and docs/threat-model.md name exists, so that no promise there stands alone."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

PAGES = {name: (settings.BASE_DIR / "docs" / name).read_text() for name in ("operations.md", "threat-model.md")}
NAMED = sorted(
    {found for page in PAGES.values() for found in re.findall(r"`(tests/[\w/.]+?(?:\.py|\.yaml|/))(?:::(\w+))?`", page)}
)


def test_failures_are_named_with_their_tests() -> None:
    assert len(NAMED) >= 40


def test_every_rule_of_the_threat_model_is_held_by_a_test() -> None:
    rules = PAGES["threat-model.md"].split("| held by |")[1].split("## ")[0].splitlines()[2:]
    assert [rule for rule in rules if rule.startswith("|") and "`tests/" not in rule] == []


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_test_exists(file: str, name: str) -> None:
    path = settings.BASE_DIR / file
    assert path.exists()
    assert not name or f"def {name}(" in path.read_text()
