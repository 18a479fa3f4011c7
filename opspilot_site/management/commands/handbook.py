"""`handbook`: writes the parts of docs/ that are drawn from the code."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from opspilot_site.handbook import write_pages


class Command(BaseCommand):
    help = "Write docs/states.md and docs/reference.md from the code."

    def handle(self, *args: Any, **options: Any) -> None:
        for name in write_pages(settings.BASE_DIR / "docs"):
            self.stdout.write(f"docs/{name}")
