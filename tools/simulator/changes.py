"""Deploys, commits and flags of a simulated system, the guilty one among them if there is one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tools.simulator.commits import ROUTINE, Patch
from tools.simulator.dice import Dice, Values
from tools.simulator.load import Clock
from tools.simulator.scenario import Change
from tools.simulator.topology import Topology
from tools.simulator.vocabulary import PEOPLE


@dataclass
class History:
    """What people did in the window, as it is written into `context/`."""

    deploys: list[dict[str, Any]] = field(default_factory=list)
    commits: list[dict[str, Any]] = field(default_factory=list)
    flags: list[dict[str, Any]] = field(default_factory=list)
    guilty: tuple[str, ...] = ()  # ids under which list_changes names it; the commit's or the flag's first


def write_history(changes: list[Change], clock: Clock, topology: Topology, dice: Dice, values: Values) -> History:
    history = History()
    routine = [ROUTINE[i] for i in dice.stream("routine").permutation(len(ROUTINE))]
    for number, change in enumerate(changes):
        patch = routine[number % len(routine)] if change.commit == "routine" else _own_patch(change, values)
        ids = _record(history, change, patch, f"{number}", clock, topology, dice, values)
        history.guilty += ids if change.guilty else ()
    for records in (history.deploys, history.commits, history.flags):
        records.sort(key=lambda record: str(record["timestamp"]))
    return history


def _own_patch(change: Change, values: Values) -> Patch:
    files = tuple(values.text(path) for path in change.files)
    return Patch(values.text(change.message), files, values.text(change.diff).strip("\n"))


def _record(
    history: History,
    change: Change,
    patch: Patch,
    label: str,
    clock: Clock,
    topology: Topology,
    dice: Dice,
    values: Values,
) -> tuple[str, ...]:
    """Appends the change and returns its ids."""
    at = clock.before_onset(values.number(change.minutes_before, "change", label))
    service = topology.name(change.role)
    author = dice.pick(PEOPLE, "author", label)
    if change.kind == "flag":
        flag = values.text(change.flag)
        history.flags.append(
            {"timestamp": _iso(at), "flag": flag, "service": service, "change": change.turned, "actor": author}
        )
        return (f"flag:{flag}:{_iso(at)}",)
    sha = dice.stream("sha", label).bytes(20).hex()
    written = (
        at - timedelta(minutes=float(dice.stream("written", label).integers(9, 34))) if change.kind == "deploy" else at
    )
    history.commits.append(
        {
            "sha": sha,
            "author": author,
            "timestamp": _iso(written),
            "message": patch.message,
            "files_changed": [f"{service}/{path}" for path in patch.files],
            "diff": patch.diff.replace("@@ ", f"@@ {service}/", 1) if patch.diff else None,
        }
    )
    if change.kind == "commit":
        return (sha,)
    version = _version(dice, label)
    history.deploys.append({"timestamp": _iso(at), "service": service, "commit_sha": sha, "version": version})
    return (sha, f"deploy:{service}:{version}")


def _version(dice: Dice, label: str) -> str:
    major, minor, patch = dice.stream("version", label).integers((1, 0, 0), (7, 40, 6)).tolist()
    return f"{major}.{minor}.{patch}"


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
