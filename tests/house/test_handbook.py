"""What docs/ says of states, tools, commands and settings is what the code has."""

from __future__ import annotations

import pytest
from django.conf import settings

from opspilot_site.handbook import pages


@pytest.mark.parametrize("name", ["states.md", "reference.md"])
def test_the_page_is_as_the_code_would_write_it(name: str) -> None:
    written = (settings.BASE_DIR / "docs" / name).read_text()
    assert written == pages()[name], "run ./opspilot handbook"
