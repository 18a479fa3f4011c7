"""Why a change cannot have broken a running system, where its files or its diff show it. Convicts nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import re2

from tools.analysis.diffs import Patch
from tools.analysis.effects import effects, is_log_line

_PAPER = re2.compile(
    r"(?i)(^|/)(docs?|tests?|testdata|spec|specs|__tests__|\.github|\.gitlab|runbooks?|examples?)/|_test\.\w+$|\.test\.\w+$|(^|/)test_\w+"
    r"|\.(md|rst|txt|adoc)$|codeowners|\.gitignore|\.editorconfig|golangci|eslint|pre-commit|license"
)
_LOOKS = re2.compile(
    r"(?i)\.(css|scss|less|svg|png|jpe?g|ico|woff2?)$|(^|/)(locale|locales|i18n|themes?|styles?)(/|\.)|theme\.\w+$"
)
_IDENTIFIER = re2.compile(r"[A-Za-z_]\w*")
_CALLS = re2.compile(r"([A-Za-z_][\w.]*)\s*\(")
_IMPORT = re2.compile(r"^\s*(import|from|require|use|using|#include)\b")
_DEPENDENCY_FILES = re2.compile(
    r"(?i)(go\.(mod|sum)|package(-lock)?\.json|requirements[\w.\-]*\.txt|pyproject\.toml|poetry\.lock|pom\.xml|cargo\.(toml|lock)|gemfile(\.lock)?|yarn\.lock)$"
)
_KEYWORDS = frozenset(
    "return if else for in while not and or func def class await async new var let const try except".split()  # noqa: SIM905
)


def why_inert(files: Sequence[str], patch: Patch) -> str:
    """The reason in words, or an empty text where the change might do something."""
    if files and all(_PAPER.search(name) for name in files):
        return "it touches only tests, documentation or build settings"
    if files and all(_LOOKS.search(name) or _PAPER.search(name) for name in files):
        return "it touches only what pages look like"
    if patch.is_empty:
        return "its diff changes only comments" if patch.removed_comments or patch.added_comments else ""
    if _squeezed(patch.removed) == _squeezed(patch.added):
        return "its diff only moves or reformats lines"
    strong = [effect for effect in effects(patch) if effect.weight >= 0.5 and effect.kind != "query added"]
    return "" if strong else _why_harmless_code(files, patch)


def _why_harmless_code(files: Sequence[str], patch: Patch) -> str:
    if all(is_log_line(line) or _is_scaffold(line) for line in (*patch.removed, *patch.added)):
        return "its diff only adds or words log lines and metrics"
    if all(_IMPORT.search(line) for line in (*patch.removed, *patch.added)):
        return "its diff only orders imports"
    if files and all(_DEPENDENCY_FILES.search(name) for name in files):
        return "it moves libraries by a patch level only"
    if patch.removed and _shapes(patch.removed) == _shapes(patch.added):
        return "its diff only renames local variables"
    if patch.removed and _is_extraction(patch):
        return "its diff moves code into a function without changing what it does"
    return ""


def _is_scaffold(line: str) -> bool:
    """Braces, closing brackets and the keyword arguments of a call that went before."""
    return not _IDENTIFIER.search(line) or line.strip().startswith(("Name:", "Help:", ")", "}", "name=", "help="))


def _squeezed(lines: Sequence[str]) -> Counter[str]:
    return Counter("".join(line.split()) for line in lines)


def _shapes(lines: Sequence[str]) -> Counter[str]:
    """Lines with plain variables anonymised; what is called, or reached through a dot, keeps its name."""
    return Counter(_shape(line) for line in lines)


def _shape(line: str) -> str:
    kept, position, parts = line, 0, []
    for match in _IDENTIFIER.finditer(kept):
        start, end = match.span()
        follows, leads = kept[end : end + 1], kept[start - 1 : start]
        plain = follows != "(" and leads != "." and match[0] not in _KEYWORDS and not _in_quotes(kept, start)
        parts += [kept[position:start], "·" if plain else match[0]]
        position = end
    return "".join("".join([*parts, kept[position:]]).split())


def _in_quotes(line: str, position: int) -> bool:
    before = line[:position]
    return before.count('"') % 2 == 1 or before.count("'") % 2 == 1 or before.count("`") % 2 == 1


def _is_extraction(patch: Patch) -> bool:
    """Whether what the removed lines call is still called, and most removed code reappears in the added lines."""
    before, after = _called(patch.removed), _called(patch.added)
    kept = set(_squeezed(patch.removed))
    body = "".join("".join(line.split()) for line in patch.added)
    reappearing = sum(line in body or _right_side(line) in body for line in kept)
    return before <= after and reappearing >= 0.6 * len(kept)


def _called(lines: Sequence[str]) -> set[str]:
    return {name.rsplit(".", 1)[-1] for line in lines for name in _CALLS.findall(line)} - _KEYWORDS


def _right_side(line: str) -> str:
    for sign in (":=", "="):
        if sign in line:
            return line.split(sign, 1)[1]
    return line.removeprefix("return")
