"""Deploys, commits and flags of a simulated system, the guilty one among them if there is one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tools.simulator.commits import ROUTINE, Patch
from tools.simulator.dice import Dice, Values
from tools.simulator.load import Clock
from tools.simulator.scenario import Change
from tools.simulator.topology import Topology
from tools.simulator.vocabulary import PEOPLE

Ids = tuple[str, ...]  # all under which list_changes names one change; the commit's first


@dataclass
class History:
    """What people did in the window, as it is written into `context/`."""

    deploys: list[dict[str, Any]] = field(default_factory=list)
    commits: list[dict[str, Any]] = field(default_factory=list)
    flags: list[dict[str, Any]] = field(default_factory=list)
    guilty: Ids = ()


class Historian:
    """Writes one change after the other; each has random streams of its own, labelled by its place in the scenario."""

    def __init__(self, clock: Clock, topology: Topology, dice: Dice, values: Values):
        self._clock, self._topology, self._dice, self._values = clock, topology, dice, values
        self._routine = [ROUTINE[i] for i in dice.stream("routine").permutation(len(ROUTINE))]
        self._history = History()

    def write(self, changes: list[Change]) -> History:
        for number, change in enumerate(changes):
            ids = self._record(change, number)
            self._history.guilty += ids if change.guilty else ()
        for records in (self._history.deploys, self._history.commits, self._history.flags):
            records.sort(key=lambda record: str(record["timestamp"]))
        return self._history

    def _record(self, change: Change, number: int) -> Ids:
        at = self._clock.before_onset(self._values.number(change.minutes_before, "change", str(number)))
        author = self._dice.pick(PEOPLE, "author", str(number))
        if change.kind == "flag":
            return self._flag(change, at, author)
        if change.kind == "commit":
            return self._commit(change, number, at, author)
        review_minutes = float(self._dice.stream("written", str(number)).integers(9, 34))
        return self._deploy(
            change, number, at, self._commit(change, number, at - timedelta(minutes=review_minutes), author)
        )

    def _flag(self, change: Change, at: datetime, actor: str) -> Ids:
        flag, service = self._values.text(change.flag), self._topology.name(change.role)
        self._history.flags.append(
            {"timestamp": _iso(at), "flag": flag, "service": service, "change": change.turned, "actor": actor}
        )
        return (f"flag:{flag}:{_iso(at)}",)

    def _commit(self, change: Change, number: int, at: datetime, author: str) -> Ids:
        patch = self._patch(change, number)
        folder = self._topology.name(change.role)
        sha = self._dice.stream("sha", str(number)).bytes(20).hex()
        self._history.commits.append(
            {
                "sha": sha,
                "author": author,
                "timestamp": _iso(at),
                "message": patch.message,
                "files_changed": [f"{folder}/{path}" for path in patch.files],
                "diff": re.sub(r"^@@ ", f"@@ {folder}/", patch.diff, flags=re.MULTILINE) or None,
            }
        )
        return (sha,)

    def _deploy(self, change: Change, number: int, at: datetime, commit: Ids) -> Ids:
        service = self._topology.name(change.role)
        major, minor, fix = self._dice.stream("version", str(number)).integers((1, 0, 0), (7, 40, 6)).tolist()
        version = f"{major}.{minor}.{fix}"
        self._history.deploys.append(
            {"timestamp": _iso(at), "service": service, "commit_sha": commit[0], "version": version}
        )
        return (*commit, f"deploy:{service}:{version}")

    def _patch(self, change: Change, number: int) -> Patch:
        if change.commit == "routine":
            return self._routine[number % len(self._routine)]
        files = tuple(self._values.text(path) for path in change.files)
        return Patch(self._values.text(change.message), files, self._values.text(change.diff).strip("\n"))


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
