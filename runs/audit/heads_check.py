"""Holds the database against a heads file: what the file has seen must still be there. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import reduce
from itertools import islice
from operator import or_
from pathlib import Path

from django.db.models import Q

from runs.audit.chain import INSTALLATION, Damage
from runs.audit.heads import BadLine, Head, Line, lines_of
from runs.models import AuditEvent, Run, Step

ASKED_AT_ONCE = 200  # heads in one query: SQLite takes no expression deeper than 1,000


def check_heads(path: Path, run: int | None = None) -> tuple[int, list[Damage]]:
    """How many lines were read, and what is not as they say; of one run only, where it is named. Raises OSError.

    One chain that ends before its noted head is a cut tail. With others that are not as noted either, it is an earlier
    copy of the whole database.
    """
    lost: dict[int, Damage] = {}
    n_lines = 0
    try:
        for line in lines_of(path):
            n_lines += 1
            for damage in _not_there(line, run):
                lost.setdefault(damage.run_id, damage)
    except BadLine as bad:
        return n_lines, [Damage(INSTALLATION, bad.number, "heads file")]
    return n_lines, _named(list(lost.values()))


def _named(lost: list[Damage]) -> list[Damage]:
    is_copy = len(lost) > 1 and any(damage.kind == "tail" for damage in lost)
    return [replace(damage, kind="rollback") for damage in lost] if is_copy else lost


def _not_there(line: Line, run: int | None) -> Iterator[Damage]:
    if damage := _installation(line.events):
        yield damage
    heads = iter(line.heads.items() if run is None else [(run, line.heads[run])] if run in line.heads else [])
    while chunk := dict(islice(heads, ASKED_AT_ONCE)):
        yield from _runs(chunk)


def _installation(head: Head) -> Damage | None:
    n, mac = head
    if n == 0:
        return None
    found = AuditEvent.objects.filter(seq=n).values_list("mac", flat=True).first()
    return None if found == mac else Damage(INSTALLATION, n, "rollback" if found else "tail")


def _runs(heads: Mapping[int, Head]) -> Iterator[Damage]:
    wanted = reduce(or_, (Q(run_id=run, seq=n) for run, (n, _) in heads.items()))
    found = dict(Step.objects.filter(wanted).values_list("run_id", "mac"))
    for run, (n, mac) in heads.items():
        if found.get(run) == mac:
            continue
        if run in found:  # the chain went on otherwise than it did when the line was written
            yield Damage(run, n, "rollback")
        elif Run.objects.filter(pk=run).exists():
            yield Damage(run, Step.objects.filter(run_id=run).count() + 1, "tail")
        else:
            yield Damage(run, 1, "dropped run")
