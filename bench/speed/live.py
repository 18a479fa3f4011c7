"""`live`: from the commit of a Step to its text in the sockets that look at the run, and how many texts a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.contest import Contender, contender
from bench.databases import SQLITE, database, scratch
from bench.figures import Figure, median_of, quantile, target
from bench.speed.session import Session
from bench.stack import OUR_PYTHON, accepts, environment, free_port, running, running_redis, running_stack

PATIENCE_S = 30.0  # for all texts of one round; what has not come by then counts as missing
EVERY_S = 0.1  # a Step comes ten times a second
BURST = 50  # half of what one socket may lag behind
PEER, FLOOR = "channels_redis pub/sub", "websockets + Redis pub/sub"
BOUNDS = {1: ("p50", 5.0), 100: ("p99", 50.0), 1_000: ("p99", 300.0)}


@dataclass
class Line:
    """One way from a writer to the viewers: how a text is sent, where it is looked at, and what was measured."""

    sender: Contender
    url: str
    way: str = ""  # empty: our own services
    headers: dict[str, str] = field(default_factory=dict)
    seen: int = 0  # our viewers ask for what comes after this Step
    latencies: list[float] = field(default_factory=list)  # ms, every text in every socket
    rates: list[float] = field(default_factory=list)  # deliveries a second, one value a burst
    faults: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("missing", "doubled", "disordered"), 0))

    def send(self, sample: str, first: int, count: int, every_s: float) -> dict[int, float]:
        if self.way:
            answer = self.sender.ask("publish", way=self.way, sample=sample, first=first, count=count, every_s=every_s)
        elif every_s:
            answer = self.sender.ask("publish", first=first, count=count, every_s=every_s)
        else:
            answer = self.sender.ask("burst", first=first, count=count)
        self.seen = answer.get("seq", 0)
        return dict(answer["sent"])


def figures(session: Session) -> Iterator[Figure]:
    if session.peers is None:
        yield Figure("live", "viewers", "ms", None, note=f"its viewers need the peers' packages: {session.no_peers}")
        return
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        env = environment(folder, stack.enter_context(database(SQLITE, folder)))
        redis_url = stack.enter_context(running_redis(folder))
        address = stack.enter_context(running_stack(folder, env, workers=0))
        ours = stack.enter_context(contender(OUR_PYTHON, "bench.ours.live", **env))
        viewers = stack.enter_context(contender(session.peers, "bench.peers.viewers"))
        publisher = stack.enter_context(
            contender(session.peers, "bench.peers.publisher", redis_url, BENCH_REDIS_URL=redis_url)
        )
        door = ours.ask("prepare")
        lines = {
            "ours": Line(
                ours, address.replace("http", "ws", 1) + door["path"],
                headers={"Cookie": door["cookie"], "Origin": address}, seen=1,
            ),
            "peer": Line(publisher, stack.enter_context(_peer_site(session, folder, redis_url)), "peer"),
            "floor": Line(publisher, stack.enter_context(_floor_site(session, folder, redis_url)), "floor"),
        }  # fmt: skip
        for count in _crowds(session):
            yield from _with(session, count, lines, viewers)
        yield _cost(session, ours, publisher)


def _crowds(session: Session) -> list[int]:
    return {"smallest": [2], "usual": [1, 100], "full": [1, 100, 1_000]}[session.scale]


@contextmanager
def _peer_site(session: Session, folder: Any, redis_url: str) -> Iterator[str]:
    port = free_port()
    argv = (
        str(session.peers), "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "--verbosity", "0",
        "bench.peers.channels_site:application",
    )  # fmt: skip
    with running(argv, {"BENCH_REDIS_URL": redis_url}, folder / "peer.log", lambda: accepts(port)):
        yield f"ws://127.0.0.1:{port}/"


@contextmanager
def _floor_site(session: Session, folder: Any, redis_url: str) -> Iterator[str]:
    port = free_port()
    argv = (str(session.peers), "-m", "bench.peers.websockets_site", redis_url, str(port))
    with running(argv, {}, folder / "floor.log", lambda: accepts(port)):
        yield f"ws://127.0.0.1:{port}/"


def _with(session: Session, count: int, lines: dict[str, Line], viewers: Contender) -> Iterator[Figure]:
    rounds = session.pick(smallest=1, usual=6, full=10)
    texts = session.pick(smallest=3, usual=30)
    for line in lines.values():
        line.latencies, line.rates = [], []
        line.faults = dict.fromkeys(line.faults, 0)
    sample = ""
    with session.stage(f"live · {count:,} viewers", (rounds + 1) * len(lines)) as on:
        for number in range(rounds + 1):
            for name, line in lines.items():
                first = (1_000 * number + 1) * 1_000
                sample = _round(line, viewers, count, sample, first, texts, counts=number > 0) or sample
                on()
                if name == "ours" and not sample:
                    yield Figure("live", f"{count:,} viewers", "ms", None, note="no text came to the sockets")
                    return
    yield from _figures_of(count, lines)


def _round(line: Line, viewers: Contender, count: int, sample: str, first: int, texts: int, *, counts: bool) -> str:
    """Open, a calm stretch, a burst, close. Answers one of the texts, for the others to send."""
    viewers.ask("open", count=count, url=f"{line.url}?after={line.seen}", headers=line.headers)
    calm = line.send(sample, first, texts, EVERY_S)
    seen = viewers.ask("collect", marks=list(calm), patience_s=PATIENCE_S)
    burst = line.send(sample, first + texts, BURST, 0.0)
    flood = viewers.ask("collect", marks=list(burst), patience_s=PATIENCE_S)
    viewers.ask("close")
    if counts:
        line.latencies += [(at - calm[mark]) * 1_000 for mark, came in seen["arrivals"] for at in came]
        arrivals = [at for _, came in flood["arrivals"] for at in came]
        if arrivals:
            line.rates.append(len(arrivals) / (max(arrivals) - min(burst.values())))
        for fault in line.faults:
            line.faults[fault] += seen[fault] + flood[fault]
    return str(seen["sample"])


def _figures_of(count: int, lines: dict[str, Line]) -> Iterator[Figure]:
    ours, peer, floor = lines["ours"], lines["peer"], lines["floor"]
    lost = "; ".join(
        f"{name}: {', '.join(f'{many:,} {fault}' for fault, many in line.faults.items() if many)}"
        for name, line in lines.items() if any(line.faults.values())
    )  # fmt: skip
    if not all(line.latencies for line in lines.values()):
        yield Figure("live", f"{count:,} viewers", "ms", None, note=f"not all lines delivered: {lost}")
        return
    crowd = "1 viewer" if count == 1 else f"{count:,} viewers"
    for words, share in (("p50", 0.5), ("p99", 0.99)):
        mine = quantile(ours.latencies, share)
        bound = BOUNDS.get(count, ("", 0.0))
        yield Figure(
            "live", f"{crowd}: commit → socket, {words}", "ms", mine, quantile(peer.latencies, share), PEER,
            quantile(floor.latencies, share), FLOOR, targets=target("ms", mine, bound[1]) if bound[0] == words else (),
        )  # fmt: skip
    mine, theirs = median_of(ours.rates), median_of(peer.rates)
    yield Figure(
        "live", f"{crowd}: a burst of {BURST}", "deliveries/s", mine, theirs, PEER, median_of(floor.rates),
        FLOOR, more_is_better=True, note=lost,
        targets=target("× peer", mine / theirs, 5, at_least=True) if mine and theirs and count >= 1_000 else (),
    )  # fmt: skip


def _cost(session: Session, ours: Contender, publisher: Contender) -> Figure:
    """What publishing takes from the worker."""
    rounds, count, text = session.pick(smallest=1, usual=9), session.pick(smallest=5, usual=200), "x" * 600
    took: dict[str, list[float]] = {"ours": [], "peer": [], "floor": []}
    for _ in range(rounds):
        took["ours"].append(ours.ask("cost", count=count)["ms"])
        for way in ("peer", "floor"):
            took[way].append(publisher.ask("cost", way=way, sample=text, count=count)["ms"])
    mine = median_of(took["ours"])
    return Figure(
        "live", "one notice, of the worker's time", "ms", mine, median_of(took["peer"]), PEER,
        median_of(took["floor"]), "redis.publish", targets=target("ms", mine, 0.3),
    )  # fmt: skip
