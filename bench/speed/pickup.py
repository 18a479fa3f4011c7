"""`pickup`: from the API's answer to the first Step of the run on the stack that `up` starts, with an idle worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.contest import alternate, contender
from bench.databases import NoDatabase, database, scratch
from bench.figures import Figure, quantile, target
from bench.speed.session import Session
from bench.stack import OUR_PYTHON, environment, running, running_redis, running_stack

PEERS = {"simple": "RQ SimpleWorker", "fork": "RQ forking"}


def figures(session: Session) -> Iterator[Figure]:
    for kind in session.kinds:
        try:
            yield from _on(session, kind)
        except NoDatabase as missing:
            yield Figure("pickup", kind, "ms", None, note=str(missing))


def _on(session: Session, kind: str) -> Iterator[Figure]:
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        env = environment(folder, stack.enter_context(database(kind, folder)))
        _write_logs(folder / "logs")
        redis_url = stack.enter_context(running_redis(folder))
        address = stack.enter_context(running_stack(folder, env, workers=1))
        for name, words in {"blmove": (), "rq_bare": ("simple",), "rq_bare ": ("fork",)}.items():
            argv = (str(OUR_PYTHON), "-m", f"bench.peers.{name.strip()}", redis_url, *words)
            stack.enter_context(running(argv, {}, folder / f"{''.join((name, *words))}.log", lambda: True))
        asker = stack.enter_context(contender(OUR_PYTHON, "bench.ours.pickup", address, **env))
        yield from _measured(session, kind, asker)


def _measured(session: Session, kind: str, asker: Any) -> Iterator[Figure]:
    rounds = session.pick(smallest=2, usual=40, full=200)
    asked: list[float] = []

    def ours() -> float:
        answer = asker.ask("run")
        asked.append(answer["asked_ms"])
        return float(answer["ms"])

    turns = {
        "ours": ours,
        "simple": lambda: asker.ask("job", kind="simple")["ms"],
        "fork": lambda: asker.ask("job", kind="fork")["ms"],
        "floor": lambda: asker.ask("element")["ms"],
    }
    with session.stage(f"pickup · {kind}", rounds + 1) as on:
        took = alternate(turns, rounds, on)
    for share, words, bound in ((0.5, "p50", 30.0), (0.99, "p99", 150.0)):
        mine, floor = quantile(took["ours"], share), quantile(took["floor"], share)
        for peer, name in PEERS.items():
            yield Figure(
                "pickup", f"{kind}: answer → first Step, {words}; peer {name}", "ms", mine,
                quantile(took[peer], share), name, floor, "raw BLMOVE",
                targets=target("ms", mine, bound) if peer == "simple" else (),
            )  # fmt: skip
    yield Figure("pickup", f"{kind}: request sent → first Step, p50", "ms", quantile(asked[1:], 0.5))


def _write_logs(folder: Path) -> None:
    """A source to look at: a few quiet lines, so that each run ends soon."""
    folder.mkdir()
    at = datetime.now(UTC).isoformat(timespec="seconds")
    (folder / "shop.log").write_text(f"{at} INFO checkout started\n" * 10)
