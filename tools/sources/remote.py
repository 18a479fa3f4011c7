"""What sources behind HTTP share: their URL as it was written, their client, a state that is kept for a while."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from tools.sources.confined import Refused
from tools.sources.logs.search import LogSource
from tools.sources.metrics.query import MetricSource
from tools.sources.spec import ACCESS, Asked, Kind, SourceOptions, SourceSpec, SourceState, pack_options, read_options
from tools.sources.timestamps import from_us
from tools.sources.words import clean
from tools.web.addresses import Forbidden, read_place
from tools.web.client import Client, NotAnswered

FACTS_S = 600.0
KEPT_S = 30.0  # how long a state is believed; a problem only a tenth of it
LOOK_S = 6.0  # of a state: many sources are looked at within one tool's time
MAX_SERVICES = 1_000
MAX_QUERY = 4_000  # characters that are kept of one, and that a link may carry

# What code that expects a shape raises at another one. A ValueError is also a number that is none, an ArithmeticError
# one too large for what it means.
SURPRISES = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError)

_states: dict[SourceSpec, tuple[float, SourceState]] = {}
_facts: dict[tuple[SourceSpec, str], tuple[float, object]] = {}
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a source found."""

    newest: datetime | None
    services: list[str]
    oldest: datetime | None = None


@dataclass
class Remote:
    """A source of one kind behind HTTP. `asked` grows with each query, as the back end got it."""

    spec: SourceSpec
    kind: Kind
    product: str
    client: Client
    notes: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def options(self) -> SourceOptions:
        return self.spec.options

    def look(self) -> Seen:
        """Freshness and services, in a few cheap queries. Raises NotAnswered."""
        raise NotImplementedError

    def state(self) -> SourceState:
        """Kept for KEPT_S: every call of a tool looks first."""
        at, kept = _states.get(self.spec, (0.0, None))
        if kept is not None and time.monotonic() - at < (KEPT_S / 10 if kept.problem else KEPT_S):
            return kept
        found = self._look()
        _states[self.spec] = (time.monotonic(), found)
        return found

    def _look(self) -> SourceState:
        try:
            seen = self.look()
        except NotAnswered as error:
            return SourceState(self.name, self.kind, None, None, None, (), str(error))
        except SURPRISES as error:
            return SourceState(self.name, self.kind, None, None, None, (), str(self.misshapen(error)))
        services = sorted({self.known_as(clean(name, 200)) for name in seen.services} - {""})[:MAX_SERVICES]
        return SourceState(self.name, self.kind, None, seen.oldest, seen.newest, services)

    def kept(self, what: str, ask: Callable[[], T]) -> T:
        """Facts about the service that rarely change (its labels, its types), asked once in ten minutes."""
        at, found = _facts.get((self.spec, what), (0.0, None))
        if found is None or time.monotonic() - at > FACTS_S:
            found = ask()
            _facts[self.spec, what] = (time.monotonic(), found)
        return found  # type: ignore[return-value]

    def misshapen(self, error: Exception) -> NotAnswered:
        """Valid JSON of another shape: the URL is that of something else, or the answer was damaged."""
        return NotAnswered(
            f"{self.client.who} answered in another shape than {self.product} does "
            f"({type(error).__name__}: {str(error)[:120]}). Is that its URL?"
        )

    def known_as(self, service: str) -> str:
        """A service's name as all sources use it."""
        return dict(self.options.services).get(service, service)

    def names_of(self, service: str) -> list[str]:
        """What this source calls a service of that common name."""
        return [theirs for theirs, ours in self.options.services if ours == service] or [service]

    def note_query(self, text: str, since_us: int, until_us: int, page: str = "") -> None:
        """Keeps the query as it was sent, with the page that shows it."""
        link = self.options.link
        if len(text) > MAX_QUERY:
            text, page, link = f"{text[:MAX_QUERY]}… ({len(text):,} characters)", "", ""
        if link:
            moments = {"since_ms": str(since_us // 1_000), "until_ms": str(until_us // 1_000)}
            filled = {"query": quote(text, safe=""), **moments}
            page = re.sub(r"\{(query|since_ms|until_ms)\}", lambda match: filled[match[1]], link)
        self.asked.append(Asked(text, page if page.startswith(("https://", "http://")) else ""))


def guarded(ask: Callable[P, T]) -> Callable[P, T]:
    """Turns the surprise about an answer's shape into a sentence. The first argument is the Remote."""

    @wraps(ask)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        remote = args[0]
        assert isinstance(remote, Remote)  # noqa: S101 - it decorates methods of Remotes only
        try:
            return ask(*args, **kwargs)
        except SURPRISES as error:
            raise remote.misshapen(error) from None

    return wrapper


@dataclass(frozen=True, slots=True)
class RemoteStore:
    """A service that holds one kind of telemetry, in the shape that a folder has."""

    name: str
    kind: Kind
    source: Any

    def kinds(self) -> set[Kind]:
        return {self.kind}

    def open_logs(self) -> LogSource:
        return self.source  # type: ignore[no-any-return]

    def open_metrics(self) -> MetricSource:
        return self.source  # type: ignore[no-any-return]

    def open_traces(self) -> Any:
        return self.source

    def open_changes(self) -> Any:
        return self.source

    def alert(self) -> dict[str, Any]:
        return {}

    def patterns(self) -> list[Any]:
        return []


def connect(spec: SourceSpec, product: str) -> tuple[SourceSpec, Client]:
    """The spec with the options that its URL carries, and the client for it. Raises Refused in words."""
    parts = urlsplit(spec.url)
    given = dict(parse_qsl(parts.query))
    if unknown := set(given) - {*ACCESS, "env"}:
        raise Refused(f"its URL says {', '.join(sorted(unknown))}; it may say {', '.join(ACCESS)}, env")
    merged = pack_options(spec.options) | {name: given[name] for name in ACCESS if name in given}
    spec = SourceSpec(spec.name, spec.url, spec.env, spec.kind, read_options(merged))
    scheme = parts.scheme.partition("+")[2]
    try:
        place = read_place(urlunsplit((scheme, parts.netloc, parts.path, "", "")))
    except Forbidden as refusal:
        raise Refused(str(refusal)) from None
    # The operator wrote this host down, so it may be inside the network.
    who = f"{spec.name} ({product} at {place})"
    return spec, Client(who, place, spec.options.access, private=True)


def moment_of(seconds: float) -> datetime:
    return from_us(int(seconds * 1_000_000))
