"""Commits of a local git repository, with their diffs. The repository is read by git itself, as a stranger's.

What its own configuration could make git run is switched off: pagers, hooks, signature checks, external diffs, file
system monitors, and fetching of what is missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from tools.base import ToolError
from tools.processes import run_words
from tools.sources.changes.change import Change
from tools.sources.changes.files import MAX_DIFF
from tools.sources.confined import Refused
from tools.sources.spec import SourceSpec, SourceState
from tools.sources.timestamps import from_us
from tools.sources.words import clean

MAX_COMMITS = 500
MAX_OUTPUT = 24 * 2**20
TIMEOUT_S = 20.0
REVISION = re.compile(r"[\w][\w./-]{0,200}\Z")
# Between commits and between the parts of one: characters that git does not let into a commit's head.
START, PART = "\x01", "\x02"
FORMAT = "%x01%H%x02%an%x02%ct%x02%B%x02"
HARMLESS = {
    "core.fsmonitor": "false", "core.pager": "cat", "core.hooksPath": "/dev/null", "log.showSignature": "false",
    "gpg.program": "/bin/false", "diff.external": "", "log.mailmap": "false", "uploadpack.packObjectsHook": "",
}  # fmt: skip
ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_ATTR_NOSYSTEM": "1", "HOME": "/nonexistent",
    "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none",
    "LC_ALL": "C.UTF-8",
}  # fmt: skip


@dataclass(slots=True)
class GitChanges:
    name: str
    path: Path
    branch: str
    service: str = ""
    notes: list[str] = field(default_factory=list)

    def changes(self) -> list[Change]:
        """The newest commits of the branch, rising in time. Raises ToolError in words."""
        self.notes.clear()
        head = _git(self.path, "rev-parse", "--verify", "--end-of-options", f"{self.branch}^{{commit}}").strip()
        changes, is_cut = _log(self.path, head, self.service)
        if is_cut:
            self.notes.append(f"{self.name}: the newest {len(changes):,} commits were read")
        return changes

    def state(self) -> SourceState:
        try:
            changes = self.changes()
        except ToolError as error:
            return SourceState(self.name, "changes", None, None, None, (), str(error))
        services = [self.service] if self.service else []
        oldest, newest = (changes[0].at_us, changes[-1].at_us) if changes else (None, None)
        return SourceState(
            name=self.name,
            kind="changes",
            rows=len(changes),
            oldest=None if oldest is None else from_us(oldest),
            newest=None if newest is None else from_us(newest),
            services=services,
            notes=tuple(self.notes),
        )


def open_repository(spec: SourceSpec) -> GitChanges:
    """`git:///srv/shop?branch=main&service=orders`. Raises Refused in words."""
    parts = urlsplit(spec.url)
    given = dict(parse_qsl(parts.query))
    if parts.netloc not in ("", "localhost"):
        raise Refused(
            f"only a repository on this machine is read: clone it and write git:///srv/{parts.path.strip('/')}"
        )
    if unknown := set(given) - {"branch", "service", "env"}:
        raise Refused(f"its URL says {', '.join(sorted(unknown))}; it may say branch, service, env")
    branch = given.get("branch", "HEAD")
    if not REVISION.match(branch):
        raise Refused(f"{branch!r} is no name of a branch")
    path = Path(unquote(parts.path)).resolve()
    if not path.is_dir():
        raise Refused(f"{path}: there is no such folder")
    return GitChanges(spec.name, path, branch, given.get("service", ""))


@lru_cache(maxsize=8)
def _log(path: Path, head: str, service: str) -> tuple[list[Change], bool]:
    """Kept by commit: the same head has the same history."""
    words = [
        "log", f"--max-count={MAX_COMMITS}", f"--format={FORMAT}", "--patch", "--unified=3", "--no-color",
        "--no-ext-diff", "--no-textconv", "--no-show-signature", "--diff-merges=off", "--end-of-options", head, "--",
    ]  # fmt: skip
    text = _git(path, *words)
    found = [change for part in text.split(START)[1:] if (change := _change(part, service))]
    return sorted(found, key=lambda change: change.at_us), len(found) >= MAX_COMMITS or len(text) >= MAX_OUTPUT


def _change(text: str, service: str) -> Change | None:
    parts = text.split(PART, 4)
    if len(parts) < 5 or not parts[2].isdigit():
        return None  # the last one, where the output was cut
    sha, author, at, message, diff = parts
    files = tuple(dict.fromkeys(re.findall(r"(?m)^diff --git a/.+? b/(.+)$", diff)))[:200]
    title = message.strip().split("\n", 1)[0]
    return Change(
        id=sha, kind="commit", at_us=int(at) * 1_000_000, service=service, title=clean(title, 300),
        author=clean(author, 200), commit=sha, files=tuple(clean(name, 300) for name in files),
        diff=clean(diff.strip("\n"), MAX_DIFF), text=clean(message.strip(), 2_000),
    )  # fmt: skip


def _git(path: Path, *words: str) -> str:
    settings = [word for name, value in {**HARMLESS, "safe.directory": str(path)}.items()
                for word in ("-c", f"{name}={value}")]  # fmt: skip
    command = ["git", "--no-pager", *settings, "-C", str(path), *words]
    try:
        ended = run_words(command, TIMEOUT_S, MAX_OUTPUT, ENVIRONMENT, errors=words[0] != "log")
    except TimeoutError as error:
        raise ToolError(f"{path}: {error}") from None
    text = ended.output.decode("utf-8", "replace")
    if ended.code:
        raise ToolError(f"{path}: git says {clean(' '.join(text.split()), 300) or f'exit {ended.code}'}")
    return text
