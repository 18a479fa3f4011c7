"""Every test that docs/operations.md names exists, so that no promise there stands alone."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

PAGE = (settings.BASE_DIR / "docs" / "operations.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


def test_failures_are_named_with_their_tests() -> None:
    assert len(NAMED) >= 12


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_test_exists(file: str, name: str) -> None:
    text = (settings.BASE_DIR / file).read_text()
    assert not name or f"def {name}(" in text
