"""`queue`: the approval queue with 500 pending requests, as an approver opens it: the whole page, p95."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from bench.contest import contender
from bench.databases import NoDatabase, database, scratch
from bench.figures import Figure, quantile, target
from bench.speed.session import Session
from bench.stack import OUR_PYTHON, environment, running_redis

FEW = 5  # pending requests beside which the many are counted


def figures(session: Session) -> Iterator[Figure]:
    for kind in session.kinds:
        try:
            yield _on(session, kind)
        except NoDatabase as missing:
            yield Figure("queue", kind, "ms", None, note=str(missing))


def _on(session: Session, kind: str) -> Figure:
    pending = session.pick(smallest=20, usual=500)
    rounds = session.pick(smallest=2, usual=100, full=400)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        url = stack.enter_context(database(kind, folder))
        stack.enter_context(running_redis(folder))
        ours = stack.enter_context(contender(OUR_PYTHON, "bench.ours.queue", **environment(folder, url)))
        ours.ask("prepare", pending=FEW)
        few = ours.ask("look")["queries"]
        ours.ask("prepare", pending=pending - FEW)
        with session.stage(f"queue · {pending} pending on {kind}", rounds) as on:
            looks = []
            for _ in range(rounds):
                looks.append(ours.ask("look"))
                on()
    p95 = quantile([look["ms"] for look in looks], 0.95)
    return Figure(
        "queue", f"{kind}: {pending} pending, the whole page, p95", "ms", p95,
        targets=(*target("ms p95", p95, 300), *target(f"queries − those of {FEW}", looks[-1]["queries"] - few, 0)),
        note=f"{looks[-1]['queries']} queries, {looks[-1]['bytes'] // 1024:,} KB",
    )  # fmt: skip
