"""Our side of `durable`: cycles of plan → tool → evaluate through the driver's services, with nothing thought or done.

Answers in milliseconds a cycle.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from bench.answering import serve
from bench.payloads import ANSWER, ARGS, HYPOTHESES, MODEL_REPLY, RATIONALE, ROWS
from opspilot_site.database import prepare_database
from runs.models import Run, ToolCall
from runs.services import calls as ledger
from runs.services import drive, model_calls
from runs.services.actors import Actor
from runs.services.append import advance
from runs.services.leases import Lease, claim_run
from runs.services.policies import Ruling
from runs.services.runs import create_run
from runs.services.teams import default_team
from runs.sources import Source
from runs.states import CallStatus, Effect, Role

Cycle = Callable[[Run, Lease], None]
ALLOWED = Ruling(Effect.RUN, 1, Role.APPROVER, "reading is free")
PARTIAL = {"summary": ANSWER, "partial": True, "outcome": "", "severity": "", "suspects": [], "claims": []}
_driven: dict[str, tuple[Run, Lease]] = {}


def prepare() -> dict[str, Any]:
    prepare_database()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS bench_floor (id integer, body text)")
        cursor.execute("DELETE FROM bench_floor")
    return {}


def services(run: str, cycles: int) -> dict[str, Any]:
    """The whole of what a cycle records: model call, plan, ledger row, intent, result with evidence, evaluation."""
    return {"ms": _timed(_through_services, run, cycles)}


def bare(run: str, cycles: int) -> dict[str, Any]:
    """The three transitions alone."""
    return {"ms": _timed(_bare_transitions, run, cycles)}


def floor(cycles: int) -> dict[str, Any]:
    """Three commits of one small row through the same driver, Django left out."""
    connection.ensure_connection()
    raw, mark = connection.connection, "?" if connection.vendor == "sqlite" else "%s"
    insert = f"INSERT INTO bench_floor (id, body) VALUES ({mark}, {mark})"  # noqa: S608  the driver's own mark
    started = time.perf_counter()
    for number in range(3 * cycles):
        raw.execute("BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN")
        raw.execute(insert, (number, ANSWER))
        raw.execute("COMMIT")
    return {"ms": (time.perf_counter() - started) * 1_000 / cycles}


def _timed(cycle: Cycle, name: str, cycles: int) -> float:
    if name not in _driven:
        _driven[name] = _begun()
    run, lease = _driven[name]
    started = time.perf_counter()
    for _ in range(cycles):
        cycle(run, lease)
    return (time.perf_counter() - started) * 1_000 / cycles


def _begun() -> tuple[Run, Lease]:
    run = create_run(
        goal="Investigate database timeouts", team=default_team(), actor=Actor.system(), origin="cli",
        sources=[Source(name="logs", url="file:///bench", env="")],
    ).run  # fmt: skip
    lease = claim_run(run.pk, "bench")
    if lease is None:
        raise RuntimeError(f"run {run.pk} could not be claimed: somebody else works on this database")
    run.refresh_from_db()
    drive.begin(run, lease, [], {})
    return run, lease


def _through_services(run: Run, lease: Lease) -> None:
    planned = ledger.PlannedCall("r1", "search_logs", ARGS, "read", ALLOWED)
    with transaction.atomic():
        model_calls.record_model_call(run, lease, MODEL_REPLY, model_calls.Spent(1_200, 300, 900, 4_000))
        drive.choose_tools(run, lease, [planned], rationale=RATIONALE, answer=ANSWER, hypotheses=HYPOTHESES)
    call = ToolCall.objects.get(run=run, plan_seq=run.plan_seq)
    ledger.start_call(run, lease, call)
    result = ledger.CallResult(CallStatus.SUCCESS, "37 lines of 5,120 match", ROWS, {"lines": 37.0}, ARGS, "logs")
    ledger.record_results(run, lease, [(call, result)], of_move=1)
    drive.replan(run, lease, words="Go on with what was found.", partial=PARTIAL)


def _bare_transitions(run: Run, lease: Lease) -> None:
    plan = {"rationale": RATIONALE, "answer": ANSWER, "hypotheses": HYPOTHESES, "requests": [{"id": "r1", **ARGS}]}
    advance(run, "choose_tools", actor="driver", epoch=lease.epoch, payload=plan, plan_seq=run.n_steps + 1)
    advance(run, "tools_returned", actor="driver", epoch=lease.epoch, payload=ROWS)
    advance(run, "replan", actor="driver", epoch=lease.epoch, payload={"words": "Go on."}, cycle=run.cycle + 1)


if __name__ == "__main__":
    serve(prepare=prepare, services=services, bare=bare, floor=floor)
