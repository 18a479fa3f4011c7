"""Runbooks: Markdown files in the folder `runbooks/` of a source, and in folders below it. Ranks none of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from tools.sources.confined import Fingerprint, Refused, Root
from tools.sources.words import clean

FOLDER = "runbooks"
DEPTH = 3  # folders below it that are looked into
MOST = 2_000
MAX_BYTES = 256 * 2**10
_MARKDOWN = re.compile(r".+\.(?:md|markdown)\Z", re.IGNORECASE)
_TITLE = re.compile(r"^(?:title:\s*(.+)|#\s+(.+))$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}\s+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Runbook:
    """`name` is its path below `runbooks/`; `title` its first heading, or the file's stem."""

    name: str
    title: str
    text: str

    @property
    def stem(self) -> str:
        return self.name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def read_runbooks(root: Root) -> list[Runbook]:
    """By name. A file that cannot be read, or is too large, is passed over."""
    found = []
    for file in _files(root, FOLDER, DEPTH)[:MOST]:
        try:
            found.append(_read(str(root.path), file, root.fingerprint(file)))
        except Refused:
            continue
    return found


def _files(root: Root, folder: str, depth: int) -> list[str]:
    if not root.is_folder(folder):
        return []
    try:
        names = [f"{folder}/{name}" for name in root.names(folder)]
    except Refused:
        return []
    below = [file for name in names if depth and root.is_folder(name) for file in _files(root, name, depth - 1)]
    return [name for name in names if _MARKDOWN.match(name)] + below


@lru_cache(maxsize=MOST)
def _read(root: str, file: str, seen: Fingerprint) -> Runbook:
    """Kept by fingerprint: a runbook that was edited is read again."""
    text = clean(Root(root).text(file, MAX_BYTES), MAX_BYTES)
    name = file.removeprefix(f"{FOLDER}/")
    title = _TITLE.search(text)
    said = (title[1] or title[2]).strip().strip("\"'") if title else ""
    return Runbook(name, said or name.rsplit("/", 1)[-1].rsplit(".", 1)[0], text)


def sections(text: str) -> list[tuple[str, str]]:
    """(heading, text under it), in order; what stands before the first heading has none."""
    cuts = [match.start() for match in _HEADING.finditer(text)]
    parts = [text[low:high] for low, high in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    found = []
    for part in (part.strip() for part in parts if part.strip()):
        first, _, rest = part.partition("\n")
        heading = _HEADING.sub("", first).strip() if _HEADING.match(first) else ""
        found.append((heading, rest.strip() if heading else part))
    return found
