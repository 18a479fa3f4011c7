"""Columns over one log file: where each entry lies, when, how bad, from whom. The text stays in the file."""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from tools.sources.logs import levels, lines
from tools.sources.logs.entry import Body, Entry

MAX_INDEXED = 32 * 2**20  # an index of more would cost more memory than it saves time
MAX_LINE = 2**20
BACKSLASH = 0x5C


@dataclass(slots=True)
class LogIndex:
    """Entry i is content[starts[i]:ends[i]]; `numbers` are line numbers from 1, `services` index `names`."""

    file: str
    content: mmap.mmap | bytes
    starts: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))
    numbers: array[int] = field(default_factory=lambda: array("q"))
    times: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    levels: NDArray[np.int8] = field(default_factory=lambda: np.empty(0, np.int8))
    services: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    escaped: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    names: list[str] = field(default_factory=list)
    skipped: int = 0

    def raw(self, row: int) -> bytes:
        return self.content[self.starts[row] : self.ends[row]]

    def body(self, row: int) -> Body:
        return lines.body(self.raw(row))

    def message(self, row: int) -> str:
        return lines.message(self.raw(row))

    def entry(self, row: int) -> Entry:
        body = self.body(row)
        return Entry(
            at_us=int(self.times[row]),
            service=self.names[self.services[row]],
            level=levels.name(int(self.levels[row])),
            message=body.message,
            where=f"{self.file}:{self.numbers[row]}",
            fields=body.fields,
        )


def build(file: str, content: mmap.mmap | bytes, default_service: str, modified: datetime) -> LogIndex:
    """Reads the file once. Lines that carry no time are counted as skipped, or belong to the text entry above."""
    index = LogIndex(file, content)
    times, ranks, services, escaped = array("q"), array("b"), array("i"), array("b")
    codes: dict[str, int] = {}
    only_json = file.split(".")[-1] in ("jsonl", "ndjson") or ".jsonl." in file or ".ndjson." in file
    for number, start, end in _lines(index):
        line = content[start : min(end, start + MAX_LINE)]
        is_json = line[:1] == b"{"
        head = None if is_json and end - start > MAX_LINE else lines.head(line, modified)
        if head is None:
            if not times or (only_json and not is_json) or lines.stands_alone(line):
                index.skipped += 1
            else:
                index.ends[-1] = end
            continue
        index.starts.append(start)
        index.ends.append(end)
        index.numbers.append(number)
        times.append(head.at_us)
        ranks.append(head.level)
        services.append(codes.setdefault(head.service or default_service, len(codes)))
        escaped.append(is_json and BACKSLASH in line)
    index.names = list(codes)
    index.times = np.frombuffer(times, np.int64) if times else index.times
    index.levels = np.frombuffer(ranks, np.int8) if ranks else index.levels
    index.services = np.frombuffer(services, np.int32) if services else index.services
    index.escaped = np.frombuffer(escaped, np.int8).astype(np.bool_) if escaped else index.escaped
    return index


def _lines(index: LogIndex) -> Iterator[tuple[int, int, int]]:
    """(line number, start, end) of each line that is not blank."""
    content, size = index.content, len(index.content)
    start, number = 0, 0
    while start < size:
        end = content.find(b"\n", start)
        end = size if end < 0 else end
        number += 1
        stop = end - 1 if end > start and content[end - 1] == 0x0D else end
        if stop > start:
            yield number, start, stop
        start = end + 1
