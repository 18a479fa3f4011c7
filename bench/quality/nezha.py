"""Nezha (Yu et al., FSE 2023): injected faults in TrainTicket and OnlineBoutique; which service is at fault?

Pods are named by their service: they restart, and a pod's series would end where the fault begins. The front door's own
success rate and the authors' means are left out.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.quality.case import Answer, Incident, Suite, Verdict, at_rank, share, suspects_of
from bench.quality.telemetry import (
    iso,
    iso_ns,
    write_alert,
    write_logs,
    write_metrics,
    write_topology,
    write_traces,
)

GOAL = "Find out which service is at fault, and why"
RANKS = (1, 3, 5)
_POD = re.compile(r"-[0-9a-f]{6,10}-[a-z0-9]{5}\Z")
_LINE = re.compile(r"(?:\d\d:\d\d:\d\d\.\d+\s+)?(TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\s+(.*)", re.DOTALL)
_IDENTIFIERS = ("Time", "TimeStamp", "PodName")


def load(root: Path, seeds: int) -> list[Incident]:
    return [_case(root, folder) for folder in sorted(root.iterdir()) if (folder / "label.json").exists()]


def _case(root: Path, folder: Path) -> Incident:
    label = json.loads((folder / "label.json").read_text())
    truth = {"service": label["root_cause_service"], "kind": label["fault_type"], "inner": label["root_cause_inner"]}
    return Incident(folder.name, GOAL, truth, partial(_write, root, folder), partial(_judge, truth["service"]))


def _judge(service: str, answer: Answer) -> Verdict:
    return at_rank(suspects_of(answer.report), service, RANKS)


def _write(root: Path, case: Path, folder: Path) -> None:
    quiet = root / "_fault_free" / f"{case.name[:4]}-{case.name[4:6]}-{case.name[6:8]}"
    write_metrics(folder, _metrics(case), ("timestamp", "service", "metric", "value", "peer"))
    if (case / "logs").is_dir():
        _write_calls(folder, sorted((case / "logs").iterdir()), sorted((case / "traces").iterdir()))
        _write_calls(folder / "baseline", sorted(quiet.glob("*_log.csv.gz")), sorted(quiet.glob("*_trace.csv.gz")))
        write_alert(folder, summary="Users report failing or slow requests", fired_at=_last(case))
    else:
        edges = _rows(quiet / "dependency.csv")
        write_topology(folder, ((row["Source"], row["Target"]) for row in edges))


def _last(case: Path) -> str:
    """When the last of the lines was written: somebody looks at what the window holds, once it is over."""
    return max(row["Timestamp"] for file in (case / "logs").iterdir() for row in _rows(file))


def _write_calls(folder: Path, logs: Sequence[Path], traces: Sequence[Path]) -> None:
    lines = (_line(row) for file in logs for row in _rows(file))
    write_logs(folder, sorted(lines, key=lambda line: str(line["timestamp"])))
    write_traces(folder, [_span(row) for file in traces for row in _rows(file)])


def _line(row: dict[str, str]) -> dict[str, Any]:
    """The container's line without the head that the logging library wrote: its time is in another zone."""
    text = _unwrapped(row["Log"])
    head = _LINE.match(text)
    return {
        "timestamp": iso_ns(int(row["TimeUnixNano"])), "service": service_of(row["PodName"]),
        "level": head[1] if head else "", "msg": (head[2] if head else text).rstrip("\n"),
        "trace_id": row["TraceID"], "span_id": row["SpanID"], "pod": row["PodName"],
    }  # fmt: skip


def _unwrapped(text: str) -> str:
    try:
        return str(json.loads(text)["log"])
    except (ValueError, KeyError, TypeError):
        return text


def _span(row: dict[str, str]) -> dict[str, Any]:
    start, end = int(row["StartTimeUnixNano"]), int(row["EndTimeUnixNano"])
    return {
        "trace_id": row["TraceID"], "span_id": row["SpanID"],
        "parent_id": None if row["ParentID"] == "root" else row["ParentID"], "service": service_of(row["PodName"]),
        "name": row["OperationName"], "start": iso_ns(start), "duration_ms": (end - start) / 1e6,
    }  # fmt: skip


def _metrics(case: Path) -> Iterator[tuple[str, str, str, str, str]]:
    """What each service uses and serves, and the median latency of its calls, seen from both ends."""
    for row in _rows(case / "metrics.csv.gz"):
        if row["TimeStamp"].isdigit():  # several exports were put together: their headers stand among the rows
            at, service = iso(int(row["TimeStamp"])), service_of(row["PodName"])
            yield from ((at, service, name, value, "") for name, value in row.items() if name not in _IDENTIFIERS)
    for end, name in (("source", "CallLatencyP50(s)"), ("destination", "ServeLatencyP50(s)")):
        file = case / f"{end}_50.csv"
        for row in _rows(file) if file.exists() else ():
            yield from _edges(row, name, is_source=end == "source")


def _edges(row: dict[str, str], name: str, *, is_source: bool) -> Iterator[tuple[str, str, str, str, str]]:
    for edge, value in row.items():
        if edge not in ("time", "timestamp") and value:
            caller, _, callee = edge.partition("_")
            service, peer = (caller, callee) if is_source else (callee, caller)
            yield iso(int(row["timestamp"])), service, name, value, peer


def service_of(pod: str) -> str:
    return _POD.sub("", pod)


def _rows(file: Path) -> Iterator[dict[str, str]]:
    text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    yield from csv.DictReader(io.StringIO(text.decode(), newline=""))


TT = Suite(
    "nezha-tt", load,
    (share("top 1", "AS@1", 19 / 23), share("top 3", "AS@3", 22 / 23), share("top 5", "AS@5")),
)  # fmt: skip
OB = Suite("nezha-ob", load, (share("top 1", "AS@1", 13 / 28), share("top 3", "AS@3", 20 / 28), share("top 5", "AS@5")))
