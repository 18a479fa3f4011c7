"""Holds templates and scripts to what keeps hostile text harmless: escaping, no foreign hosts, no inline code."""

from __future__ import annotations

from pathlib import Path

import re2
from django.conf import settings

from tests.house.sources import product_files

INLINE_CODE = re2.compile(r"""(?i)\son[a-z]+\s*=|\bstyle\s*=|href\s*=\s*["']?\s*javascript:""")
FOREIGN = re2.compile(r"""(?i)(?:src|href|action)\s*=\s*["']?(?:https?:)?//|@import|url\(\s*["']?https?:""")
SCRIPT = re2.compile(r"<script\b[^>]*>")
HARMLESS = re2.compile(r"""(\w+\.)?html|(('[^']*'|"[^"]*["]|`[^`$]*`)\s*\+?\s*)+""")
MAY_MARK_SAFE = {
    "runs/presentation/markdown.py",  # a strict renderer, and a cleaner behind it
    "runs/presentation/one_file.py",  # our own styles and icons, put into the page
}


def _files(folder: str, *suffixes: str) -> list[Path]:
    root = settings.BASE_DIR / folder
    return [path for path in sorted(root.rglob("*")) if path.suffix in suffixes and "vendor" not in path.parts]


def _hits(pattern: object, paths: list[Path]) -> list[str]:
    return [
        f"{path.relative_to(settings.BASE_DIR)}:{number} {line.strip()[:100]}"
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re2.search(pattern, line)
    ]


def test_templates_escape_everything() -> None:
    assert _hits(r"\|\s*safe\b|autoescape\s+off|\|\s*safeseq", _files("templates", ".html", ".txt")) == []


def test_only_the_cleaner_of_markdown_marks_text_as_safe() -> None:
    named = [str(file.path) for file in product_files() if any("mark_safe" in name for _, name in file.imports())]

    assert set(named) <= MAY_MARK_SAFE


def test_templates_hold_no_inline_code() -> None:
    assert _hits(INLINE_CODE, _files("templates", ".html")) == []


def test_every_script_is_a_file_or_carries_the_nonce() -> None:
    bare = [
        f"{path.relative_to(settings.BASE_DIR)} {tag}"
        for path in _files("templates", ".html")
        for tag in re2.findall(SCRIPT, path.read_text())
        if not any(word in tag for word in ("src=", "nonce=", 'type="application/json"'))
    ]

    assert bare == []


def test_pages_load_nothing_from_other_hosts() -> None:
    assert _hits(FOREIGN, _files("templates", ".html") + _files("static", ".css", ".js", ".svg")) == []


def test_scripts_never_run_text() -> None:
    assert _hits(r"\beval\(|new Function\(|document\.write", _files("static", ".js")) == []


def test_scripts_put_only_what_the_server_rendered_into_a_page() -> None:
    """Fixed texts with numbers in them, or one named `html` that the server's own partials made; the rest is built."""
    written = [
        f"{path.name}: {value}"
        for path in _files("static", ".js")
        for value in re2.findall(r"(?:innerHTML|outerHTML)\s*\+?=\s*([^;=][^;]*);", path.read_text())
        if not re2.fullmatch(HARMLESS, re2.sub(r"\$\{Number\(\w+\)\}", "0", value.strip()))
    ]

    assert written == []


def test_vendored_files_carry_their_licences() -> None:
    vendor = settings.BASE_DIR / "static" / "vendor"
    folders = {path.parent for path in vendor.rglob("*") if path.suffix in (".js", ".css")}

    unlicensed = [str(folder) for folder in folders if not [*folder.glob("*LICEN[SC]E*"), *folder.glob("*.LICENSE*")]]
    assert unlicensed == []
