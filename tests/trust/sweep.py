"""The crash sweep: strikes each scenario at each pass of each crash point, goes on in fresh processes, and compares.

`python -m tests.trust.sweep --scenarios S2 --modes KEAD` in the environment that `surroundings.environment` makes.
Django is loaded once, each life is a fork. Prints a line for each schedule that went wrong and a summary as JSON.

K kills the process at the point, E fails before the work, A after it, D stops the process there while another takes
over and ends the run, then lets it go on. Z is D with the other one stopped in the middle of its drive too: the first
wakes up while the run is somebody else's and has moved.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connections  # noqa: E402

from agent.jobs import tool_host  # noqa: E402
from opspilot_site import redis_server  # noqa: E402
from opspilot_site.database import prepare_database  # noqa: E402
from runs import faults  # noqa: E402
from runs.faults import Fault  # noqa: E402
from runs.invariants import check_run  # noqa: E402
from runs.models import Run, Spending  # noqa: E402
from runs.services import leases  # noqa: E402
from runs.services.subruns import SHARED, spent_by  # noqa: E402
from runs.states import RunState  # noqa: E402
from tests.trust.cases import Case, live, seed_people  # noqa: E402
from tests.trust.mutants import MUTANTS  # noqa: E402
from tests.trust.normal import normal_record  # noqa: E402
from tests.trust.surroundings import ended_with, outside_world, write_source  # noqa: E402

SCENARIOS = ("S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11")
# Stopped there, a process would keep everybody else out by its lock.
INSIDE_A_TRANSACTION = {"append.write", "model.record", "plan.accept", "plan.conclude"}
MOST_SHOWN = 20
MIDDLE = "run.replan"  # where the one that took over stands in Z: it has written, and holds no lock


class Stopped(Fault):
    """D: while this process stood still, time went on for it as for the rows."""

    def strike(self) -> None:
        super().strike()
        leases.time = SimpleNamespace(monotonic=lambda: time.monotonic() + 3600, sleep=time.sleep)


@dataclass(frozen=True, slots=True)
class Schedule:
    scenario: str
    point: str
    occurrence: int
    mode: str

    def __str__(self) -> str:
        return f"{self.scenario} {self.point}#{self.occurrence}:{self.mode}"

    def armed(self) -> Fault:
        if self.stops:
            return Stopped(self.point, self.occurrence, "D")
        return Fault(self.point, self.occurrence, self.mode)

    @property
    def stops(self) -> bool:
        return self.mode in "DZ"

    @property
    def taken_over_by(self) -> Fault | None:
        """What strikes the life that comes after this one."""
        return Fault(MIDDLE, 1, "D") if self.mode == "Z" else None


@dataclass(slots=True)
class Reference:
    """The uninterrupted run: what it passed, what its record says, what happened outside, what it cost."""

    passed: dict[str, int]
    record: list[str]
    effects: list[str]
    thoughts: int

    def schedules(self, scenario: str, modes: str) -> Iterator[Schedule]:
        for point, count in self.passed.items():
            for occurrence in range(1, count + 1):
                for mode in modes:
                    if mode not in "DZ" or point not in _inside_a_transaction(scenario):
                        yield Schedule(scenario, point, occurrence, mode)


# What happens together with more than elsewhere: who leaves votes too, and sub-runs begin with their call.
TOGETHER = {"S9": {"approval.decide"}, "S10": {"run.create", "tool.intent"}, "S11": {"run.create", "tool.intent"}}


def _inside_a_transaction(scenario: str) -> set[str]:
    return INSIDE_A_TRANSACTION | TOGETHER.get(scenario, set())


@dataclass(slots=True)
class Summary:
    database: str
    points: int = 0
    passes: dict[str, int] = field(default_factory=dict)
    schedules: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Sweep:
    """Makes cases, lives them in forks, compares."""

    def __init__(self, folder: Path, outside: str, mutant: str = ""):
        self._folder, self._outside, self._mutant = folder, outside, mutant
        self._sources = write_source(folder)
        if mutant and (why := self._ended(_fork(MUTANTS[mutant]))):
            raise SystemExit(f"{mutant} cannot be planted: {why}")  # else any schedule would seem to find it

    def reference(self, scenario: str) -> Reference:
        case, told = self.case(scenario), self._folder / "passed.json"

        def record() -> None:
            faults.armed = Fault(is_recording=True)
            live(case)
            told.write_text(json.dumps(faults.armed.passed))

        if why := self._ended(_fork(record)):
            raise SystemExit(f"{scenario} does not end without any fault: {why}")
        if hits := list(check_run(case.run)):
            raise SystemExit(f"{scenario} without any fault: {hits[0]}")
        return Reference(
            json.loads(told.read_text()), normal_record(case.run, case.name), case.effects(), case.thoughts()
        )

    def try_out(self, schedule: Schedule, reference: Reference) -> list[str]:
        """What went wrong, in words."""
        case = self.case(schedule.scenario)
        struck = _fork(lambda: self._life(case, schedule.armed()))
        _, status = os.waitpid(struck, os.WUNTRACED)
        wrong = []
        if os.WIFSTOPPED(status):
            wrong += self._taken_over(case, struck, schedule.taken_over_by)
        elif os.WIFSIGNALED(status):
            wrong.append(self._ended(_fork(lambda: self._life(case, None))))
        elif schedule.mode in "KDZ":
            wrong.append("the point was not reached")
        else:
            wrong.append(_words(status))
        return [*filter(None, wrong), *self._differences(case, reference)]

    def _taken_over(self, case: Case, stopped: int, fault: Fault | None) -> Iterator[str]:
        """Another life takes over, and stands still too or ends; then the stopped one goes on, then the other."""
        other = _fork(lambda: self._life(case, fault))
        _, status = os.waitpid(other, os.WUNTRACED)
        os.kill(stopped, signal.SIGCONT)
        if not os.WIFSTOPPED(status):
            yield _words(status)
            yield self._ended(stopped)
            return
        yield self._ended(stopped)
        os.kill(other, signal.SIGCONT)
        yield self._ended(other)

    def _life(self, case: Case, fault: Fault | None) -> None:
        faults.armed = fault
        if self._mutant:
            MUTANTS[self._mutant]()
        live(case)

    def _differences(self, case: Case, reference: Reference) -> Iterator[str]:
        run = case.run
        if run is None:
            yield "there is no run"
            return
        for one in (run, *run.sub_runs.all()):
            yield from map(str, check_run(one))
            if not one.is_terminal:
                yield f"run {one.pk} ended in {one.state}"
        yield from _wrong_slices(run)
        if (extra := case.thoughts() - reference.thoughts) > 1:
            yield f"{extra} model calls too many"
        if any(count > 1 for count in Counter(case.effects()).values()):
            yield f"effects outside: {case.effects()}"
        if run.approvals.filter(kind="settle").exists():
            return  # a person was asked what happened, which nobody asks in an uninterrupted run
        if case.effects() != reference.effects:
            yield f"effects outside: {case.effects()}, not {reference.effects}"
        yield from _first_difference(normal_record(run, case.name), reference.record)

    def case(self, scenario: str) -> Case:
        return Case(scenario, f"case-{uuid.uuid4().hex}", self._outside, self._sources)

    def _ended(self, pid: int) -> str:
        return _words(os.waitpid(pid, 0)[1])


def _wrong_slices(run: Run) -> Iterator[str]:
    """All together may spend what the run could alone; what its sub-runs left comes back to it once."""
    parts = list(run.sub_runs.all())
    gone = spent_by if run.state == RunState.DONE else lambda part: part.budget
    for name in SHARED if parts else ():
        if (total := run.budget[name] + sum(gone(part)[name] for part in parts)) != settings.BUDGET[name]:
            yield f"{total:,} {name} in the slices, of {settings.BUDGET[name]:,}"


def _fork(work: Callable[[], None]) -> int:
    connections.close_all()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _words(status: int) -> str:
    """How a life ended, empty if it ended well."""
    code = os.waitstatus_to_exitcode(status)
    return f"a life ended with {code}" if code else ""


def _first_difference(ours: list[str], wanted: list[str]) -> Iterator[str]:
    for place, (mine, other) in enumerate(zip(ours, wanted, strict=False)):
        if mine != other:
            yield f"line {place}: {mine[:300]} instead of {other[:300]}"
            return
    if len(ours) != len(wanted):
        yield f"{len(ours)} lines instead of {len(wanted)}"


def sweep(options: argparse.Namespace, folder: Path, outside: str) -> Summary:
    sweeper = Sweep(folder, outside, options.mutant)
    summary, started, seen = Summary(connections["default"].vendor), time.monotonic(), set()
    live(sweeper.case("S2"))  # what every life needs is loaded once, before the first fork
    time.sleep(0.5)  # the thread that sends notices is idle again: it must hold no lock when we fork
    for scenario in options.scenarios.split(","):
        reference = Sweep(folder, outside).reference(scenario)
        seen |= set(reference.passed)
        summary.passes[scenario] = sum(reference.passed.values())
        for schedule in list(reference.schedules(scenario, options.modes))[:: options.every]:
            if options.only and options.only not in str(schedule):
                continue
            summary.schedules += 1
            if wrong := sweeper.try_out(schedule, reference):
                summary.wrong.append(f"{schedule}: {'; '.join(wrong)}")
                sys.stderr.write(f"{summary.wrong[-1]}\n")
                if options.mutant or len(summary.wrong) == MOST_SHOWN:
                    break
        if summary.wrong and options.mutant:
            break
    if left := sum(Spending.objects.values_list("reserved_micro_usd", flat=True)):
        summary.wrong.append(f"{left:,} µ$ are still set aside after every run has ended")
    summary.points, summary.seconds = len(seen), round(time.monotonic() - started, 1)
    return summary


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--modes", default="KEADZ")
    parser.add_argument("--every", type=int, default=1, help="try each n-th schedule only")
    parser.add_argument("--only", default="", help="schedules that contain these words")
    parser.add_argument("--mutant", default="", choices=["", *MUTANTS])
    options = parser.parse_args()
    prepare_database()
    seed_people()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="opspilot-sweep-")))
        outside = stack.enter_context(outside_world(folder))
        stack.enter_context(ended_with(redis_server.command(settings.REDIS_SOCKET, settings.DATA_DIR), stdout=-3))
        while not redis_server.answers(settings.REDIS_URL):
            time.sleep(0.02)
        stack.callback(tool_host().stop)
        summary = sweep(options, folder, outside)
    sys.stdout.write(f"{json.dumps(asdict(summary))}\n")
    sys.exit(bool(summary.wrong))


if __name__ == "__main__":
    main()
