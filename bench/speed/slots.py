"""`slots`: many runs whose model takes two seconds a call, beside one that has the stack for itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from bench.contest import contender
from bench.databases import NoDatabase, database, scratch
from bench.figures import Figure, target
from bench.speed.session import Session
from bench.stack import OUR_PYTHON, accepts, environment, free_port, running, running_redis, running_stack
from opspilot_site.processes import manage

MODEL_S, WORKERS, MOST_TIMES = 2, 2, 3.0


def figures(session: Session) -> Iterator[Figure]:
    for kind in session.kinds:
        try:
            yield from _on(session, kind)
        except NoDatabase as missing:
            yield Figure("slots", kind, "s", None, note=str(missing))


def _on(session: Session, kind: str) -> Iterator[Figure]:
    count = session.pick(smallest=4, usual=100)
    with ExitStack() as stack:
        folder, port = stack.enter_context(scratch()), free_port()
        env = _with_model(environment(folder, stack.enter_context(database(kind, folder))), port, count)
        _write_logs(folder / "logs")
        stack.enter_context(running_redis(folder))
        model = manage("fake_claude", "--port", str(port), "--seconds", str(MODEL_S))
        stack.enter_context(running(model, env, folder / "model.log", lambda: accepts(port)))
        stack.enter_context(running_stack(folder, env, workers=WORKERS))
        asker = stack.enter_context(contender(OUR_PYTHON, "bench.ours.slots", **env))
        with session.stage(f"slots · {kind}", 3) as on:
            asker.ask("runs", count=1)  # the first one pays for what is loaded late
            on()
            alone = asker.ask("runs", count=1)
            on()
            many = asker.ask("runs", count=count)
            on()
    yield from _compared(kind, count, alone, many)


def _compared(kind: str, count: int, alone: dict[str, float], many: dict[str, float]) -> Iterator[Figure]:
    times = many["s"] / alone["s"]
    where = f"{kind}: {count} runs, {count} slots in {WORKERS} workers"
    yield Figure(
        "slots", f"{where}, until the last has ended", "s", many["s"], floor=alone["s"],
        floor_name="one run alone", targets=target("× alone", times, MOST_TIMES),
        note="" if many["done"] == count else f"{count - many['done']:.0f} did not end as DONE",
    )  # fmt: skip
    yield Figure("slots", f"{where}: memory of all processes", "MB", many["stack_mb"], floor=alone["stack_mb"])
    a_run = (many["worker_mb"] - alone["worker_mb"]) / count
    yield Figure("slots", f"{where}: memory of the workers per run that waits", "MB", a_run)


def _with_model(env: dict[str, str], port: int, count: int) -> dict[str, str]:
    return {
        **env, "OPSPILOT_PLANNER": "claude", "ANTHROPIC_API_KEY": "bench",
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}", "OPSPILOT_MAX_USD_PER_DAY": "1000000",
        "OPSPILOT_WORKER_SLOTS": str(-(-count // WORKERS)),
    }  # fmt: skip


def _write_logs(folder: Path) -> None:
    """A source with something to find."""
    folder.mkdir()
    at = datetime.now(UTC).isoformat(timespec="seconds")
    lines = [f"{at} ERROR checkout: card service timed out after {n} ms\n" for n in range(5_000, 5_200)]
    (folder / "shop.log").write_text("".join(lines))
