"""Numbers as people write them: whether two are the same, and whether a sentence gives a value. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

CLOSE = 0.05  # of a value: what rounding may change at most
TIMES = (1, 1e-3, 1e3, 1e-6, 1e6, 60, 1 / 60, 3_600, 1 / 3_600)
BYTES = (1, *(base**power for base in (1_000, 1_024) for power in (-3, -2, -1, 1, 2, 3)))
# What a sentence's number may be multiplied with to give the value: 97 % is said of 0.97, 4.2 s of 4200 ms.
SCALES: dict[str, tuple[float, ...]] = {
    "": (1,), "%": (1, 0.01), "percent": (1, 0.01), "k": (1_000,), "thousand": (1_000,), "million": (1e6,),
    **dict.fromkeys(("µs", "us", "ms", "s", "sec", "second", "seconds"), TIMES),
    **dict.fromkeys(("min", "minute", "minutes", "h", "hour", "hours"), TIMES),
    **dict.fromkeys(("b", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "tib", "bytes"), BYTES),
}  # fmt: skip
NUMBER = re.compile(
    r"(?<![\w.,:/§#-])(?P<number>[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)(?![\d,:/]\d|\d|\.\d|-\w)"
    r"(?P<unit>\s?(?:%|×|[^\W\d_]+))?"
)
ASIDE = re.compile(r"\b(?:for|in|within|last|next|past|after|every)\s+$", re.IGNORECASE)


def same(claimed: float, actual: float) -> bool:
    """Equal as people round: to the digits shown and within 5 %, or within half a per cent."""
    distance = abs(claimed - actual)
    rounded = distance <= _half_digit(claimed) and distance <= CLOSE * abs(actual)
    return distance == 0 or rounded or distance <= 0.005 * abs(actual)


def says(sentence: str, value: float) -> bool:
    """Whether a sentence gives this value among its numbers, or no number at all but asides."""
    given = [told for told in told_by(sentence) if not told.is_aside]
    return not given or any(told.gives(value) for told in given)


@dataclass(frozen=True, slots=True)
class Told:
    """A number of a sentence, and what it may be multiplied with to give the value that it tells."""

    text: str  # with its unit, as written
    number: float
    unit: str
    scales: tuple[float, ...]
    is_aside: bool  # "for 10 minutes": beside what the sentence is about

    def gives(self, value: float) -> bool:
        return any(_near(self.number, value / scale) for scale in self.scales)


def told_by(sentence: str) -> Iterator[Told]:
    """Every number of a sentence but times of day, dates, versions, names with digits and factors ("3×")."""
    for found in NUMBER.finditer(sentence):
        unit = found["unit"] or ""
        scales = _scales(unit.lower())
        if scales is not None:
            is_aside = scales is TIMES and ASIDE.search(sentence[: found.start()]) is not None
            number = float(found["number"].replace(",", "").replace("−", "-"))
            known = unit if unit.strip().lower() in SCALES else ""
            yield Told(found["number"] + known, number, known.strip(), scales, is_aside)


def _scales(unit: str) -> tuple[float, ...] | None:
    """None where the letters make a name of it: "5xx" is one, "5 pods" are a count."""
    is_apart = unit != unit.lstrip()
    return SCALES.get(unit.strip(), SCALES[""] if is_apart else None)


def _near(told: float, value: float) -> bool:
    """As `same`, where round figures are taken as such: "about 5,000" of 5,180."""
    zeros = len(f"{told:.0f}") - len(f"{told:.0f}".rstrip("0")) if told == int(told) else 0
    distance = abs(told - value)
    return same(told, value) or distance <= min(0.5 * 10**zeros, CLOSE * abs(value))


def _half_digit(number: float) -> float:
    """Half of the last digit shown: 0.05 for 4.2."""
    decimals = len(repr(number).partition(".")[2].rstrip("0")) if "e" not in repr(number) else 12
    return float(0.5 * 10**-decimals + 1e-12)
