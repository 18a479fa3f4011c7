"""Our side of `audit`: one Step after the other on record, and a walk over every chain. Also the floors of both."""

from __future__ import annotations

import resource
import time
from typing import Any

from django.db import connection

from bench.answering import serve
from bench.ours.signed import COLUMNS, fill_signed
from bench.payloads import ROWS
from opspilot_site.database import prepare_database
from runs.audit.chain import canonical
from runs.audit.verification import verify_all
from runs.models import Run
from runs.services.append import append
from runs.services.teams import default_team
from runs.states import StepKind

STEPS_A_RUN = 20
MB = 1_000_000


def prepare(rows: int) -> dict[str, Any]:
    """Migrate, and sign so many rows."""
    prepare_database()
    fill_signed([STEPS_A_RUN] * (rows // STEPS_A_RUN), default_team())
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS bench_floor (id integer, body text)")
        cursor.execute("ANALYZE")
    return {"rows": rows // STEPS_A_RUN * STEPS_A_RUN}


def write(n: int) -> dict[str, Any]:
    """So many Steps of 2 kB onto one run, each a commit; the time of each."""
    run = Run.objects.order_by("pk")[0]
    took = []
    for _ in range(n):
        began = time.perf_counter()
        append(run, StepKind.NOTE, "note", actor="system", payload=ROWS)
        took.append((time.perf_counter() - began) * 1_000)
    return {"ms": took}


def write_floor(n: int) -> dict[str, Any]:
    """So many rows of the same size into a bare table, each a commit, by the driver alone."""
    connection.ensure_connection()
    raw, mark, body = connection.connection, "?" if connection.vendor == "sqlite" else "%s", canonical(ROWS)
    insert = f"INSERT INTO bench_floor (id, body) VALUES ({mark}, {mark})"  # noqa: S608  the driver's own mark
    took = []
    for number in range(n):
        began = time.perf_counter()
        raw.execute("BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN")
        raw.execute(insert, (number, body))
        raw.execute("COMMIT")
        took.append((time.perf_counter() - began) * 1_000)
    return {"ms": took}


def walk() -> dict[str, Any]:
    """Every chain verified. `mb` is what this process has ever taken: ask one that has done nothing else."""
    began, on_cpu = time.perf_counter(), time.process_time()
    findings = verify_all()
    if findings.damages:
        raise RuntimeError(f"a chain does not hold: {findings.damages[0]}")
    us, cpu_us = ((now - then) * 1_000_000 / findings.rows for now, then in (
        (time.perf_counter(), began), (time.process_time(), on_cpu),
    ))  # fmt: skip
    return {"us": us, "cpu_us": cpu_us, "mb": _peak_mb(), "rows": findings.rows}


def walk_floor() -> dict[str, Any]:
    """The same columns in the same order through the driver's cursor, looked at by nobody."""
    names = ", ".join(connection.ops.quote_name(name) for name in COLUMNS)
    began, rows = time.perf_counter(), 0
    with connection.chunked_cursor() as cursor:
        cursor.execute(f"SELECT {names} FROM runs_step ORDER BY run_id, seq")  # noqa: S608  our own columns
        while chunk := cursor.fetchmany(2_000):
            rows += len(chunk)
    return {"us": (time.perf_counter() - began) * 1_000_000 / rows}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024 / MB


if __name__ == "__main__":
    serve(prepare=prepare, write=write, write_floor=write_floor, walk=walk, walk_floor=walk_floor)
