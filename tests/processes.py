"""The environment of child processes in tests: the product's own settings, not those of the tests."""

from __future__ import annotations

import os

OURS = ("OPSPILOT_", "ANTHROPIC_", "DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "CI", "NO_COLOR")


def product_environment(**more: str) -> dict[str, str]:
    """This process's environment without what pytest and the developer set for OpsPilot, and with `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "OPSPILOT_IGNORE_DOTENV": "1", **more}
