"""How far a read tool reaches: which sources answer, over which range, how fresh they are. No tool lives here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

from tools.base import ToolContext, ToolError
from tools.sources.spec import Asked, Kind, SourceState
from tools.sources.timestamps import from_us, iso, to_us
from tools.timerange import TimeRange, resolve

BUCKETS_S = (60, 300, 900, 3_600, 21_600, 86_400)
MAX_BUCKETS = 1_500


class AnySource(Protocol):
    name: str

    def state(self) -> SourceState: ...


S = TypeVar("S", bound=AnySource)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reach:
    """The range that was asked for, and what the asked sources hold altogether."""

    kind: Kind
    range: TimeRange
    as_of: datetime
    states: Sequence[SourceState]

    @property
    def source(self) -> str:
        return "+".join(f"{state.name}:{state.kind}" for state in self.states)

    @property
    def newest(self) -> datetime | None:
        return max((state.newest for state in self.states if state.newest), default=None)

    @property
    def oldest(self) -> datetime | None:
        return min((state.oldest for state in self.states if state.oldest), default=None)

    @property
    def services(self) -> list[str]:
        return sorted({name for state in self.states for name in state.services})

    @property
    def skipped(self) -> int:
        return sum(state.skipped for state in self.states)

    @property
    def since_us(self) -> int:
        return to_us(self.range.since)

    @property
    def until_us(self) -> int:
        return to_us(self.range.until)

    @property
    def bucket_s(self) -> int:
        """Minutes, or wider buckets where a range would have too many of them."""
        return next((step for step in BUCKETS_S if self.range.seconds / step <= MAX_BUCKETS), BUCKETS_S[-1])

    def query(self, **asked: object) -> dict[str, object]:
        """What was asked, resolved: the given fields, then source and absolute range."""
        return {
            **asked,
            "source": self.source,
            "since": iso(self.range.since),
            "until": iso(self.range.until),
            "as_of": iso(self.as_of),
        }

    def span(self) -> str:
        """The time span of the data, for a planner that asked beside it."""
        problems = [state.problem for state in self.states if state.problem]
        if self.oldest is None and self.newest is not None:  # a service does not say how far back it reaches
            return f"the newest row of {self.source} is of {iso(self.newest.replace(microsecond=0))}"
        if self.oldest is None or self.newest is None:
            return f"{self.source} holds no rows" + (f" ({'; '.join(problems)})" if problems else "")
        oldest, newest = (iso(moment.replace(microsecond=0)) for moment in (self.oldest, self.newest))
        return f"{self.source} reaches from {oldest} to {newest}"

    def clock(self, moment: datetime) -> str:
        """A time of day where the range lies within as-of's day, else with its date."""
        is_same_day = self.range.since.date() == self.as_of.astimezone(UTC).date()
        text = moment.astimezone(UTC).strftime("%H:%M:%S" if is_same_day else "%m-%d %H:%M:%S")
        return text.removesuffix(":00") if moment.second == 0 else text

    def clock_us(self, moment_us: int) -> str:
        return self.clock(from_us(moment_us))

    def words(self) -> str:
        until = min(self.range.until, self.as_of)
        return f"{self.clock(self.range.since)}–{self.clock(until)} UTC"

    def notes(self, *others: str) -> str:
        """What could not be read, ready to stand at the end of a summary."""
        said = [f"{self.skipped:,} malformed row{'' if self.skipped == 1 else 's'} skipped"] if self.skipped else []
        said += [note for state in self.states for note in (state.notes or ((state.problem,) if state.problem else ()))]
        said += others
        return f"; {'; '.join(dict.fromkeys(said))}" if said else ""


def reach(context: ToolContext, kind: Kind, sources: Sequence[AnySource], since: str, until: str) -> Reach:
    """Raises ToolError for a range that cannot be, and where none of the sources can be read."""
    states = [source.state() for source in sources]
    if all(state.problem for state in states):
        problems = "; ".join(f"{state.name}: {state.problem}" for state in states)
        raise ToolError(f"No {kind} could be read, so nothing was searched. {problems}")
    oldest = min((state.oldest for state in states if state.oldest), default=None)
    return Reach(kind, resolve(since, until, context.as_of, oldest), context.as_of, states)


@dataclass(frozen=True, slots=True)
class Answers(Generic[T]):
    """What each source answered; `troubles` is what went wrong with others, so that the rest still counts."""

    found: list[T]
    troubles: list[str]
    notes: list[str]  # the troubles, and what the answers leave out
    asked: list[dict[str, str]]

    def native(self) -> dict[str, object]:
        """The queries as the back ends got them, for the result's `query`; {} for files, which get none."""
        return {"native": self.asked} if self.asked else {}


def ask_each(sources: Sequence[S], ask: Callable[[S], T]) -> Answers[T]:
    """Asks one source after the other. Raises ToolError where none of them answers."""
    answers: Answers[T] = Answers([], [], [], [])
    for source in sources:
        try:
            answers.found.append(ask(source))
        except ToolError as trouble:
            answers.troubles.append(str(trouble).rstrip("."))
        answers.notes.extend(getattr(source, "notes", ()))
        one: Asked
        for one in getattr(source, "asked", ()):
            answers.asked.append({"source": source.name, "text": one.text, "url": one.url})
    answers.notes[:] = dict.fromkeys([*answers.troubles, *answers.notes])
    if answers.troubles and not answers.found:
        raise ToolError(". ".join(answers.troubles) + ("" if answers.troubles[-1].endswith("?") else "."))
    return answers


def age(seconds: float) -> str:
    """ "8 s", "3 min", "5 h", "2 d": as people say how long ago something was."""
    for limit, divisor, unit in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{int(seconds / divisor)} {unit}"
    return f"{int(seconds / 86_400)} d"


def list_of(names: Sequence[str], most: int = 20) -> str:
    """Names for a sentence; "none" where there are none."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest if names else "none"
