"""Harmless commits as every repository has them. What a scenario's own commits say stands in its file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patch:
    message: str
    files: tuple[str, ...]
    diff: str


def _patch(message: str, path: str, *lines: str) -> Patch:
    return Patch(message, (path,), "\n".join((f"@@ {path} @@", *lines)) if lines else "")


ROUTINE = (
    _patch("update CODEOWNERS", "CODEOWNERS", "-/web @storefront", "+/web @storefront @design"),
    _patch("docs: restart order", "docs/runbook.md", "+Restart the workers before the scheduler."),
    _patch(
        "rename local variable",
        "src/render/summary.py",
        "-    res = [line.total for line in lines]",
        "-    return sum(res)",
        "+    totals = [line.total for line in lines]",
        "+    return sum(totals)",
    ),
    _patch(
        "extract method", "src/handlers/page.py",
        "-        title = item.title.strip() or item.sku",
        "+        title = self._title_of(item)",
        "+    def _title_of(self, item):",
        "+        return item.title.strip() or item.sku",
    ),
    _patch(
        "add build label", "src/server/health.py",
        '     return {"status": "ok"}',
        '-    return {"status": "ok"}',
        '+    return {"status": "ok", "build": BUILD}',
    ),
    _patch("bump linter", "pyproject.toml", '-ruff = "0.6.4"', '+ruff = "0.6.9"'),
    _patch(
        "new banner copy",
        "locale/en.json",
        '-  "banner.title": "Spring offers",',
        '+  "banner.title": "Weekend offers",',
    ),
    _patch(
        "count page views", "src/metrics/views.py",
        '+VIEWS = Counter("page_views_total", "Pages shown", ["page"])',
        "+    VIEWS.labels(page.name).inc()",
    ),
    _patch(
        "sort imports", "src/app.py",
        "-import sys", "-import json",
        "+import json", "+import sys",
    ),
    _patch(
        "tidy response type", "src/api/schemas.py",
        "-    items: list",
        "+    items: list[Item]",
    ),
    _patch(
        "test for empty list", "tests/test_listing.py",
        "+def test_an_empty_list_is_a_page(client):",
        "+    assert client.get('/').ok",
    ),
)  # fmt: skip
