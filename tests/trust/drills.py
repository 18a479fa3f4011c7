"""Drills: many runs in flight under a whole installation, something is struck, and all of them must end in order.

`python -m tests.trust.drills worker --runs 20` in the environment that `surroundings.environment` makes. Prints one
JSON line a round: how many runs were hit, how long until each of them took a further step, how long until all ended.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import django

django.setup()

import redis  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.db import DatabaseError, close_old_connections, connection  # noqa: E402
from django.db.models import Min  # noqa: E402
from django.utils import timezone  # noqa: E402

from opspilot_site.database import prepare_database  # noqa: E402
from runs.invariants import check_all  # noqa: E402
from runs.models import PolicyRule, Run, Step  # noqa: E402
from runs.services.actors import Actor  # noqa: E402
from runs.services.runs import create_run  # noqa: E402
from runs.states import TERMINAL, Effect, RunState  # noqa: E402
from tests.trust.cases import Case, seed_people  # noqa: E402
from tests.trust.stack import Stack, running  # noqa: E402
from tests.trust.surroundings import outside_world, write_source  # noqa: E402

UNDER_WAY = 4  # steps: it has begun, thought and started to look
PATIENCE_S = 150


@dataclass(slots=True)
class Told:
    """What one round showed."""

    kind: str
    database: str
    lease_s: int
    runs: int
    hit: int = 0  # runs whose driver was struck
    resumed_s: list[float] = field(default_factory=list)  # until each of them took a step under a new lease
    all_ended_s: float = 0.0
    alone: int = 0
    wrong: list[str] = field(default_factory=list)


class Drill:
    """The runs of one round."""

    def __init__(self, stack: Stack, outside: str, folder: Path, think_s: float, strike_s: float):
        self.stack, self._outside, self._think_s, self.strike_s = stack, outside, think_s, strike_s
        self._sources = write_source(folder)
        self._team = seed_people()
        self._alice = User.objects.get(username="alice")
        # Effects without waiting for people: what a drill looks for is a second one.
        PolicyRule.objects.update_or_create(order=1, tool="order", team=self._team,
                                            defaults={"name": "orders run", "effect": Effect.RUN})  # fmt: skip
        self.cases: list[Case] = []

    def start(self, count: int) -> None:
        for _ in range(count):
            case = Case("long", f"case-{uuid.uuid4().hex}", self._outside, self._sources)
            create_run(
                goal=f"long {self._outside} {self._think_s} {case.name}", team=self._team, origin="api",
                actor=Actor.person(self._alice), sources=self._sources, planner="trust", idempotency_key=case.name,
            )  # fmt: skip
            self.cases.append(case)

    def runs(self) -> list[Run]:
        """The runs of this round, read again; a database that is away is waited for."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                close_old_connections()
                return list(Run.objects.filter(idempotency_key__in=[case.name for case in self.cases]))
            except DatabaseError:
                connection.close()
                time.sleep(0.1)
        raise AssertionError("the database did not come back")

    def wait_until(self, is_so: Callable[[Run], bool]) -> bool:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if all(map(is_so, self.runs())):
                return True
            time.sleep(0.1)
        return False

    def told(self, kind: str, struck: datetime, before: dict[int, int]) -> Told:
        """Wait for the end and look at everything. `before`: the lease under which each struck run was driven."""
        told = Told(kind, connection.vendor, settings.LEASE_S, len(self.cases), hit=len(before))
        if not self.wait_until(lambda run: run.state in TERMINAL):
            told.wrong += [f"run {run.pk} is still {run.state}" for run in self.runs() if run.state not in TERMINAL]
        told.all_ended_s = round((timezone.now() - struck).total_seconds(), 1)
        told.resumed_s = sorted(self._resumed(struck, before))
        told.wrong += map(str, check_all())
        told.wrong += [f"run {run.pk} {run.failure}" for run in self.runs() if run.state == RunState.FAILED]
        told.wrong += [f"{case.name}: {found}" for case in self.cases if (found := case.effects()) != ["bulbs"]]
        return told

    def _resumed(self, struck: datetime, before: dict[int, int]) -> list[float]:
        first = Step.objects.filter(run__in=before, recorded_at__gte=struck).exclude(epoch=0)
        found = [
            first.filter(run=run, epoch__gt=epoch).aggregate(at=Min("recorded_at"))["at"]
            for run, epoch in before.items()
        ]
        return [round((at - struck).total_seconds(), 1) for at in found if at]


def driven_by(runs: list[Run], pids: list[int]) -> dict[int, int]:
    """The runs that these processes drive, with the epoch of their lease."""
    return {
        run.pk: run.lease_epoch
        for run in runs
        if run.lease_until and any(f":{pid}:" in run.lease_owner for pid in pids) and run.state not in TERMINAL
    }


def kill(drill: Drill, pids: list[int]) -> dict[int, int]:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return driven_by(drill.runs(), pids)


def worker(drill: Drill) -> dict[int, int]:
    return kill(drill, drill.stack.workers()[:1])


def workers(drill: Drill) -> dict[int, int]:
    return kill(drill, drill.stack.workers())


def web(drill: Drill) -> dict[int, int]:
    return kill(drill, [drill.stack.web()])


def reconciler(drill: Drill) -> dict[int, int]:
    return kill(drill, [drill.stack.reconciler()])


def everything(drill: Drill) -> dict[int, int]:
    stack = drill.stack
    return kill(drill, [*stack.workers(), stack.web(), stack.reconciler(), stack.redis()])


def template(drill: Drill) -> dict[int, int]:
    """Their calls are lost, their drivers are not: nobody has to resume anything."""
    for pid in drill.stack.workers():
        os.kill(drill.stack.tool_template(pid), signal.SIGKILL)
    return {}


def frozen(drill: Drill) -> dict[int, int]:
    """A worker stands still until others have taken its runs over, then goes on as if nothing had happened."""
    pid = drill.stack.workers()[0]
    os.kill(pid, signal.SIGSTOP)
    hit = driven_by(drill.runs(), [pid])
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        now = {run.pk: run for run in drill.runs()}
        if all(now[run].lease_epoch > epoch for run, epoch in hit.items()):
            break
        time.sleep(0.1)
    time.sleep(1)  # the others are in the middle of their work
    os.kill(pid, signal.SIGCONT)
    return hit


def terminated(drill: Drill) -> dict[int, int]:
    """An orderly stop: drives end at their next step and give their leases back."""
    pids = drill.stack.workers()
    hit = driven_by(drill.runs(), pids)
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    return hit


def flush(drill: Drill) -> dict[int, int]:
    for _ in range(5):
        with suppress(redis.RedisError):
            redis.Redis.from_url(settings.REDIS_URL).flushall()
        time.sleep(0.5)
    return {}


def redis_restart(drill: Drill) -> dict[int, int]:
    os.kill(drill.stack.redis(), signal.SIGKILL)
    return {}


def postgres(drill: Drill) -> dict[int, int]:
    """The server is stopped at once (SIGQUIT) and started again, over and over."""
    data = Path(unquote(str(settings.DATABASES["default"]["HOST"]))) / "data"
    pid = int((data / "postmaster.pid").read_text().split()[0])
    argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    owner = Path(f"/proc/{pid}").stat()
    server, until = None, time.monotonic() + drill.strike_s
    while time.monotonic() < until:
        os.kill(server.pid if server else pid, signal.SIGQUIT)
        if server:
            server.wait(30)
        else:
            time.sleep(1)
        (data / "postmaster.pid").unlink(missing_ok=True)
        server = subprocess.Popen(argv, cwd=data, user=owner.st_uid, group=owner.st_gid,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        SERVERS.append(server)
        time.sleep(3)
    return {}


SERVERS: list[subprocess.Popen[bytes]] = []
KINDS: dict[str, Callable[[Drill], dict[int, int]]] = {
    kind.__name__: kind
    for kind in (worker, workers, web, reconciler, everything, template, frozen, terminated, flush, redis_restart,
                 postgres)
}  # fmt: skip


def play(kind: str, stack: Stack, outside: str, folder: Path, options: argparse.Namespace) -> Told:
    drill = Drill(stack, outside, folder, options.think, options.seconds)
    drill.start(options.runs)
    drill.wait_until(lambda run: run.n_steps >= UNDER_WAY or run.is_terminal)
    struck = timezone.now()
    hit = KINDS[kind](drill)
    told = drill.told(kind, struck, hit)
    told.alone = len(
        {step for step in Step.objects.filter(run__in=hit).values_list("run", "epoch") if step[1] > hit[step[0]]}
    )
    return told


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kinds", nargs="+", choices=KINDS)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--think", type=float, default=0.3, help="seconds that each thought and each look takes")
    parser.add_argument("--seconds", type=float, default=15, help="how long `postgres` restarts the server")
    options = parser.parse_args()
    prepare_database(demo=False)
    with ExitStack() as resources:
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="opspilot-drill-")))
        outside = resources.enter_context(outside_world(folder))
        stack = resources.enter_context(running(settings.DATA_DIR / "up.log"))
        rounds = [play(kind, stack, outside, folder, options) for kind in options.kinds]
    for server in SERVERS[-1:]:
        server.send_signal(signal.SIGQUIT)
        server.wait(30)
    for told in rounds:
        sys.stdout.write(f"{json.dumps(asdict(told))}\n")
    sys.exit(any(told.wrong for told in rounds))


if __name__ == "__main__":
    main()
