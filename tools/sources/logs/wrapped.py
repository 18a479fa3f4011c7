"""Lines that a container runtime wrote around those of the program: Kubernetes (CRI), Docker's json-file, compose.

CRI: https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md. The program's own
line is taken out; what it says is read next door.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic_core import from_json

from tools.sources.timestamps import read_us

ANSI = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]")  # colours and what else a terminal would act on
HEAD_BYTES = 400
BOM = b"\xef\xbb\xbf"
_CRI = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (?:(?:stdout|stderr) [FP](?: |\Z)|(?=\{))"
)
_COMPOSE = re.compile(rb"([A-Za-z0-9][\w.-]{0,80}?)(?:-\d{1,4})?\s{1,80}\| ")
# A runtime stamps each line of a stack trace. These cannot be the first of an entry.
_REST = re.compile(rb"[ \t]|Caused by: |\.\.\. \d+ more")


@dataclass(frozen=True, slots=True)
class Wrapped:
    """`at_us` is the runtime's own time, None where it wrote none."""

    inner: bytes
    at_us: int | None = None
    service: str = ""

    @property
    def is_rest(self) -> bool:
        """Belongs to the entry above it."""
        return self.at_us is not None and _REST.match(self.inner) is not None


def plain(line: bytes) -> bytes:
    """Without a byte order mark and colours."""
    if line[:3] == BOM:
        line = line[3:]
    return ANSI.sub(b"", line) if line.find(b"\x1b", 0, HEAD_BYTES) >= 0 else line


def unwrap(line: bytes) -> Wrapped | None:
    """None for a line that no runtime wrapped: nearly all of them, so that is seen first."""
    if line[:1] == b"{":
        return _docker(line) if line.startswith(b'{"log":') else None
    if line[:1].isdigit():
        match = _CRI.match(line)
        return Wrapped(line[match.end() :], read_us(match[1].decode())) if match else None
    if line.find(b" | ", 0, 90) < 0 or (prefix := _COMPOSE.match(line)) is None:
        return None
    inner, service = line[prefix.end() :], prefix[1].decode()
    found = unwrap(inner) if inner[:1].isdigit() else None
    return Wrapped(found.inner, found.at_us, service) if found else Wrapped(inner, None, service)


def _docker(line: bytes) -> Wrapped | None:
    try:
        row = from_json(line)
    except ValueError:
        return None
    if not isinstance(row, dict) or not isinstance(row.get("log"), str) or "stream" not in row:
        return None
    at_us = read_us(row.get("time"))
    return None if at_us is None else Wrapped(plain(row["log"].rstrip("\r\n").encode("utf-8", "replace")), at_us)
