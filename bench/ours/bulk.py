"""Fills a database with runs and their Steps by SQL, a million in seconds. Their chains are not signed.

Columns that are not given take the model's default, so that a new column needs no change here.
"""

from __future__ import annotations

from django.db import connection
from django.db.models import Model

from runs.models import Run, Step
from runs.states import StepKind

STEPS_A_RUN = 10
CHUNK = 50_000  # runs in one INSERT
OPEN = 20  # the newest so many wait for people, as many before them are driven: history is what has ended
VOTES = 100  # at least: a page of them is full in a small record too, or its query would seem dearer in a large one
MINUTES_APART = 30


def fill(steps: int, team: int) -> int:
    """Write so many Steps, ten a run, the newest run last. Returns the number of runs."""
    runs = max(1, steps // STEPS_A_RUN)
    for first in range(1, runs + 1, CHUNK):
        last = min(first + CHUNK - 1, runs)
        _insert(Run, first, last, _run(runs, team))
        _insert(Step, first * STEPS_A_RUN, (last + 1) * STEPS_A_RUN - 1, _step(min(1_000, max(1, steps // VOTES))))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return runs


def _run(runs: int, team: int) -> dict[str, str]:
    ago = f"({runs} - n) * {MINUTES_APART}"
    return {
        "id": "n", "team_id": str(team), "goal": "'Investigate incident ' || n", "started_by": "'user:alice'",
        "state": f"CASE WHEN n > {runs - OPEN} THEN 'NEEDS_APPROVAL' WHEN n > {runs - 2 * OPEN} THEN 'PLAN' "
        "ELSE 'DONE' END",
        "planner": "'analyst'", "service": "'service-' || (n % 40)", "n_steps": str(STEPS_A_RUN),
        "answer": "'checkout times out on its database'", "as_of": _minutes_ago(ago),
        "created_at": _minutes_ago(ago), "finished_at": _minutes_ago(ago),
    }  # fmt: skip


def _step(vote_every: int) -> dict[str, str]:
    kinds = " ".join(f"WHEN {place} THEN '{kind}'" for place, kind in enumerate(k for k in StepKind if k != "vote"))
    vote = f"n % {vote_every} = 0"
    return {
        "id": "n", "run_id": f"n / {STEPS_A_RUN}", "seq": f"n % {STEPS_A_RUN} + 1",
        "kind": f"CASE WHEN {vote} THEN 'vote' ELSE CASE n % {len(StepKind) - 1} {kinds} END END",
        "name": f"CASE WHEN {vote} THEN 'approve' ELSE 'search_logs' END", "before": "'PLAN'", "after": "'PLAN'",
        "actor": f"CASE WHEN {vote} THEN 'user:bob' ELSE 'driver' END", "epoch": "1",
        "at": _minutes_ago("0"), "recorded_at": _minutes_ago("0"), "body": """'{"call":' || n || '}'""",
        "payload_sha256": "'not signed'", "key_id": "'k1'", "mac": "'not signed'",
    }  # fmt: skip


def _minutes_ago(minutes: str) -> str:
    if connection.vendor == "sqlite":
        return f"datetime('now', '-' || ({minutes}) || ' minutes')"
    return f"clock_timestamp() - ({minutes}) * interval '1 minute'"


def _insert(model: type[Model], first: int, last: int, given: dict[str, str]) -> None:
    names, values, params = [], [], []
    for field in model._meta.concrete_fields:
        names.append(connection.ops.quote_name(field.column))
        values.append(given.get(field.column, "%s").replace("%", "%%") if field.column in given else "%s")
        if field.column not in given:
            params.append(field.get_db_prep_save(field.get_default(), connection))
    numbers = f"generate_series({first}, {last}) AS numbers(n)"
    if connection.vendor == "sqlite":
        count = f"SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last}"  # noqa: S608  our own numbers
        numbers = f"(WITH RECURSIVE numbers(n) AS ({count}) SELECT n FROM numbers)"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {model._meta.db_table} ({', '.join(names)}) "  # noqa: S608  our own columns
            f"SELECT {', '.join(values)} FROM {numbers}",
            params,
        )
