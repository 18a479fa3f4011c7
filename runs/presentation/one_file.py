"""A page as one file that is read anywhere: styles and icons inside it, links back to the installation whole."""

from __future__ import annotations

from pathlib import Path

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from runs.models import Run
from runs.presentation.run_page import RunPage

STYLES = ("tokens", "layout", "parts", "run", "findings", "evidence")
SPRITE = "icons/sprite.svg"


def report_file(run: Run, page: RunPage, address: str) -> str:
    """What the run's page shows of its answer, its picture, its claims and its evidence; `address` ends in a slash."""
    shown = {
        "run": run, "page": page, "address": address, "taken_at": timezone.now(),
        "styles": _own(*(f"css/{name}.css" for name in STYLES)), "print_styles": _own("css/print.css"),
        "sprite": _own(SPRITE),
    }  # fmt: skip
    return render_to_string("runs/report.html", shown).replace(f'href="{static(SPRITE)}#', 'href="#')


def _own(*names: str) -> SafeString:
    """Our own static files as they are. Raises FileNotFoundError for one that is not there."""
    return mark_safe("\n".join(_text(name) for name in names))  # noqa: S308  nothing in them is from outside


def _text(name: str) -> str:
    found = finders.find(name)
    if not isinstance(found, str):
        raise FileNotFoundError(f"static/{name} is not there")
    return Path(found).read_text(encoding="utf-8")
