"""What a report says beyond its claims: the change that it blames and the numbers of its answer. Pure.

They stand in the largest type of the page, so they are held to the evidence too: a change must be named by a result,
and a number of the answer by a claim that holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from agent.grounding import Checked, Exhibit, texts
from agent.numbers import Told, told_by
from tools.generate_report import Claim, Report

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SHORT_COMMIT = 7  # characters, as git abbreviates
CHANGE, ANSWER = "C0", "A0"  # as what they are told, beside C1, C2, …
AROUND = 20_000  # characters
FEW = 10  # "3 services": a count of what the claims list


def known_change(change: str, exhibits: Mapping[str, Exhibit]) -> str:
    """A change's id as a result of this run spells it, "" where none does. A commit may be named by its beginning."""
    likeliest_first = sorted(exhibits.values(), key=lambda exhibit: not exhibit.source.endswith(":changes"))
    ids = (text for exhibit in likeliest_first for text in texts(exhibit.data))
    return next((text for text in ids if text == change or _is_short_for(change, text)), "")


def _is_short_for(change: str, text: str) -> bool:
    return len(change) >= SHORT_COMMIT and text.startswith(change) and COMMIT.fullmatch(text) is not None


def invented_change(change: str) -> Checked:
    """The claim that a report makes by blaming a change of which no result knows."""
    words = f"The change {change} did it."
    claim = Claim.model_construct(id=CHANGE, statement=words, kind="quote", role="change", quote=change)
    return Checked(claim, "not_in_evidence", f"no result of this run names a change “{change}”")


def stray_numbers(report: Report, checked: Sequence[Checked], exhibits: Mapping[str, Exhibit]) -> list[Checked]:
    """The answer as a claim that does not hold, where it gives numbers that none of its claims shows.

    Without any claim there is nothing to hold it to, and the outcome says so.
    """
    told = [one for one in told_by(report.summary if checked else "") if not one.is_aside and not _is_few(one)]
    held = [one.claim for one in checked if one.holds] if told else []
    shown = list(_shown(held, exhibits))
    stray = [one.text for one in told if not any(map(one.gives, shown))]
    if not stray:
        return []
    claim = Claim.model_construct(id=ANSWER, statement=report.summary, kind="quote", role="scope")
    return [Checked(claim, "not_in_evidence", f"no claim shows the {' and the '.join(stray)} of the answer")]


def _is_few(told: Told) -> bool:
    return not told.unit and told.number < FEW and told.number == int(told.number)


def _shown(claims: Sequence[Claim], exhibits: Mapping[str, Exhibit]) -> Iterator[float]:
    """The values of claims, the numbers of their sentences, and those of the text that a quote is taken from."""
    for claim in claims:
        if claim.value is not None:
            yield claim.value
        words = [claim.statement, *_around(claim, exhibits)]
        yield from (told.number for text in words for told in told_by(text))


def _around(claim: Claim, exhibits: Mapping[str, Exhibit]) -> Iterator[str]:
    """The whole of a quoted text, such as a diff of which one line is quoted."""
    if claim.kind == "quote" and claim.evidence in exhibits:
        found = (text for text in texts(exhibits[claim.evidence].data) if claim.quote in text)
        yield from (text[:AROUND] for text in islice(found, 3))
