"""Walks every chain of the installation and names the first damage of each. Reads only; `audit verify` prints it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.db.models import Sum

from runs.audit.chain import (
    CHAINED,
    EXPIRY,
    INSTALLATION,
    Damage,
    Tombstone,
    stamp,
    step_mac,
    tombstone_of,
    verify_chain,
    verify_events,
)  # fmt: skip
from runs.models import AuditEvent, Installation, Run, Step

CHUNK = 2_000  # rows that are fetched at a time
KEPT_DAMAGES = 1_000

Progress = Callable[[int], None]


@dataclass
class Findings:
    """What a walk found: the first damage of each chain, the installation's first, then the oldest run's."""

    chains: int = 0
    rows: int = 0
    damages: list[Damage] = field(default_factory=list)
    n_damages: int = 0

    def add(self, damage: Damage) -> None:
        self.n_damages += 1
        if len(self.damages) < KEPT_DAMAGES:
            self.damages.append(damage)


def count_rows(run: int | None = None) -> int:
    """How many rows a walk will see, by the counts that the heads keep. Reads the table of runs once."""
    events = _installation_head()[0]
    return events + int(_chosen(run).aggregate(n=Sum("n_steps"))["n"] or 0)


def verify_all(run: int | None = None, progress: Progress = lambda rows: None) -> Findings:
    """The installation's chain, and every run's or one run's, in flat memory, while others write."""
    findings = Findings(chains=1, rows=_installation_head()[0])
    if damage := verify_installation():
        findings.add(damage)
    progress(findings.rows)
    stones = tombstones()
    steps = Step.objects.filter(run_id=run) if run else Step.objects.all()
    for head, chain in _paired(_heads(_chosen(run)), _in_order(steps)):
        findings.chains += 1
        findings.rows += head.n_steps
        # Head and steps may have been read at different moments: what is truly wrong is still wrong now.
        if verify_chain(head.pk, head.n_steps, head.head_mac, chain, stones) and (damage := verify_run(head.pk)):
            findings.add(damage)
        progress(head.n_steps)
    return findings


def verify_run(run: int) -> Damage | None:
    """One run's chain, while others write to it; None also for a run that is not there."""
    head = next(_heads(_chosen(run)), None)
    if head is None:
        return None
    # The head is read first, and then no more steps than it names.
    steps = Step.objects.filter(run_id=run)
    known = _in_order(steps.filter(seq__lte=head.n_steps))
    damage = verify_chain(run, head.n_steps, head.head_mac, known, tombstones())
    if damage and damage.kind == "body" and _stood_elsewhere(run, damage.seq):
        return Damage(run, damage.seq, "order")
    if damage or not steps.filter(seq__gt=head.n_steps).exists():
        return damage
    has_moved = Run.objects.filter(pk=run, n_steps__gt=head.n_steps).exists()
    return None if has_moved else Damage(run, head.n_steps + 1, "head")


def verify_installation() -> Damage | None:
    """The installation's own chain, while others write to it."""
    n, mac = _installation_head()
    events = AuditEvent.objects.order_by("seq")
    damage = verify_events(n, mac, events.filter(seq__lte=n).iterator(chunk_size=CHUNK))
    if damage or not events.filter(seq__gt=n).exists() or _installation_head()[0] > n:
        return damage
    return Damage(INSTALLATION, n + 1, "head")


def tombstones() -> list[Tombstone]:
    """What the installation's events say of expired payloads, the newest first. Their own chain is verified apart."""
    events = AuditEvent.objects.filter(verb=EXPIRY).order_by("-seq")
    return [stone for event in events if (stone := tombstone_of(event))]


def _chosen(run: int | None) -> Any:
    return Run.objects.filter(pk=run) if run else Run.objects.all()


def _installation_head() -> tuple[int, str]:
    return Installation.objects.values_list("n_events", "head_mac").filter(pk=1).first() or (0, "")


def _heads(runs: Any) -> Iterator[Any]:
    rows = runs.order_by("pk").values_list("pk", "n_steps", "head_mac", named=True)
    yield from rows.iterator(chunk_size=CHUNK)


def _in_order(steps: Any) -> Iterator[Any]:
    rows = steps.order_by("run_id", "seq").values_list("id", *CHAINED, "mac", "body", named=True)
    yield from rows.iterator(chunk_size=CHUNK)


def _paired(heads: Iterator[Any], steps: Iterator[Any]) -> Iterator[tuple[Any, Iterator[Any]]]:
    """Each run's head with its steps; both come in order of the run. Foreign keys leave no step without its run."""
    nobody: tuple[int, Iterator[Any]] = (0, iter(()))
    groups = groupby(steps, key=attrgetter("run_id"))
    number, chain = next(groups, nobody)
    for head in heads:
        while 0 < number < head.pk:  # a run that began after the heads were read, among others that did not
            number, chain = next(groups, nobody)
        yield head, chain if number == head.pk else iter(())


def _stood_elsewhere(run: int, seq: int) -> bool:
    """Whether the row was signed for another place of this run: two were swapped, or one slid up."""
    macs = ["", *Step.objects.filter(run_id=run).order_by("seq").values_list("mac", flat=True)]
    row = Step.objects.filter(run_id=run, seq=seq).values(*CHAINED, "mac").get()
    row["at"] = stamp(row["at"])
    # Its predecessor stands where it stood, or, where two neighbours were swapped, in the row's own old place.
    return any(
        step_mac(previous, row | {"seq": place}) == row["mac"]
        for place in range(1, len(macs) + 1)
        for previous in macs[place - 1 : place + 1]
    )
