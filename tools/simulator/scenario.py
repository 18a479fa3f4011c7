"""What a scenario file may say. It is read in scenario_files.py; what becomes of it is decided in the other modules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class ScenarioError(ValueError):
    """A scenario file that cannot be used: which file, which key, what is wrong."""


class Part(BaseModel):
    """Base of everything in a scenario file: unknown keys are refused, so a typing slip is seen at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _range_of_numbers(value: object) -> object:
    if isinstance(value, list) and not (len(value) == 2 and value[0] <= value[1]):
        raise ValueError(f"a range is [low, high] with low ≤ high, not {value}")
    return tuple(value) if isinstance(value, list) else value


# A number, a range to draw from, or a text like "$limit" that names a drawn value.
Quantity = Annotated[float | tuple[float, float] | str, BeforeValidator(_range_of_numbers)]
Level = Literal["DEBUG", "INFO", "WARN", "ERROR", "FATAL"]


class OfRole(Part):
    """Something about one service, which is named by its role."""

    role: str


class Call(Part):
    """One caller → callee edge. `share`: calls for each request of the caller; `passes`: failures it cannot absorb."""

    to: str
    share: float = Field(1.0, gt=0)
    passes: float = Field(0.9, ge=0, le=1)
    timeout_ms: float | None = Field(None, gt=0)


class Shape(Part):
    """How strongly the fault is felt over time, from 0 to 1.

    step: up within `minutes` and stays. ramp: a straight line over `minutes`. sawtooth: a ramp that falls back every
    `minutes`. spikes: short peaks where the sawtooth falls back.
    """

    kind: Literal["step", "ramp", "sawtooth", "spikes"] = "step"
    minutes: Quantity = 1.0


class LogLine(Part):
    """A log template; `<int:1:9>`, `<ms:40>`, `<hex:8>`, … are filled anew for every line (see texts.py)."""

    text: str
    level: Level = "ERROR"
    per_minute: Quantity = 1.0
    fields: dict[str, str] = Field(default_factory=dict)
    shape: Shape | None = None  # of a fault's line: instead of its effect's


class Gauge(Part):
    """A metric of one service's own. `follows_load`: 0 flat, 1 proportional to the load."""

    base: Quantity
    follows_load: float = 0.0
    noise: float = 0.02
    whole: bool = False


class Service(OfRole):
    """One service; `rps` counts what comes from outside, the rest follows from its callers."""

    kind: Literal["gateway", "service", "database", "cache", "worker"] = "service"
    rps: Quantity = 0.0
    latency_ms: Quantity = (8, 14)
    error_rate: Quantity = (0.0008, 0.002)
    calls: list[Call] = Field(default_factory=list)
    routes: list[str] = Field(default_factory=list)
    gauges: dict[str, Gauge] = Field(default_factory=dict)
    chatter: list[LogLine] = Field(default_factory=list)  # lines of its own, on top of its kind's


class MetricEffect(Part):
    """What happens to one metric at full strength: it moves to `to`, by `scale`, or counts one up at every spike."""

    to: Quantity | None = None
    scale: Quantity | None = None
    counts: bool = False
    exact: bool = False  # a hard limit: no noise on top
    shape: Shape | None = None  # instead of the effect's

    @model_validator(mode="after")
    def _says_one_thing(self) -> MetricEffect:
        if [self.to is not None, self.scale is not None, self.counts].count(True) != 1:
            raise ValueError("give exactly one of to, scale, counts")
        return self


class Effect(OfRole):
    """What the fault does to one service, at full strength; what its callers feel follows from the topology."""

    shape: Shape | None = None  # instead of the fault's own
    error_rate: Quantity = 0.0  # requests that fail here
    error_ms: Quantity = 0.0  # how long a failing request takes on top; 0 fails at once
    slow_ms: Quantity = 0.0
    slow_share: Quantity = 1.0
    refuses: Quantity = 0.0  # share of calls that never get in: the callers see the failure, this service does not
    span_error: str = ""  # what its failing spans say, or those of callers it refuses
    callers_log: str = ""  # what a caller writes when a call to it fails; a plain 503 line if empty
    metrics: dict[str, MetricEffect] = Field(default_factory=dict)
    logs: list[LogLine] = Field(default_factory=list)


class Fault(Part):
    shape: Shape = Field(default_factory=Shape)
    effects: list[Effect]

    @model_validator(mode="after")
    def _has_one_effect_a_role(self) -> Fault:
        roles = [effect.role for effect in self.effects]
        if len(roles) != len(set(roles)):
            raise ValueError("two effects name the same role; give one of their metrics or logs a shape instead")
        return self


class Change(OfRole):
    """Something people did. A deploy carries a commit; `commit: routine` takes a harmless one from commits.py."""

    kind: Literal["deploy", "commit", "flag"]
    minutes_before: Quantity  # of the onset; negative comes after it
    guilty: bool = False
    commit: Literal["routine", "own"] = "routine"
    message: str = ""
    files: list[str] = Field(default_factory=list)
    diff: str = ""
    flag: str = ""
    turned: str = "off->on"

    @model_validator(mode="after")
    def _is_complete(self) -> Change:
        if self.kind == "flag" and not self.flag:
            raise ValueError("a flag change needs flag")
        if self.kind != "flag" and self.commit == "own" and not self.message:
            raise ValueError("a change with its own commit needs message")
        return self


class SteadyErrors(OfRole):
    """A service that always fails a little, before and after: loud, and not the cause."""

    error_rate: Quantity
    logs: list[LogLine]


class Burst(OfRole):
    """A short burst of lines, such as a nightly job's warnings."""

    minutes_before: Quantity
    lasts_minutes: Quantity = 3.0
    every_minutes: Quantity | None = None  # it comes again, before and after
    lines: list[LogLine]


class Decoys(Part):
    changes: list[Change] = Field(default_factory=list)
    steady_errors: list[SteadyErrors] = Field(default_factory=list)
    bursts: list[Burst] = Field(default_factory=list)


class Peaks(Part):
    """Load peaks that come again and again; the last one stands at the onset."""

    every_minutes: Quantity
    lasts_minutes: Quantity
    height: Quantity


class Alert(OfRole):
    """The monitor that fired. `threshold_of_peak` sets the threshold to that part of the highest value seen."""

    metric: str
    threshold: Quantity | None = None
    threshold_of_peak: float | None = None
    for_minutes: int = Field(2, ge=1)
    severity: Literal["critical", "warning"] = "critical"
    monitor: str
    summary: str

    @model_validator(mode="after")
    def _has_one_threshold(self) -> Alert:
        if (self.threshold is None) == (self.threshold_of_peak is None):
            raise ValueError("give exactly one of threshold, threshold_of_peak")
        return self


class Answer(Part):
    """The ground truth in terms of roles; never written into the folder."""

    verdict: Literal["cause", "no_fault"]
    role: str = ""
    kind: str = ""
    affected: list[str] = Field(default_factory=list)
    unaffected: list[str] = Field(default_factory=list)


class Scenario(Part):
    name: str
    title: str
    goal: str
    hours: Quantity = (5.3, 5.9)
    onset_minutes_ago: Quantity
    log_lines: int = Field(48_000, ge=1_000, le=1_000_000)
    traces: int = Field(2_300, ge=10, le=100_000)
    values: dict[str, list[int | float | str]] = Field(default_factory=dict)
    services: list[Service]
    peaks: Peaks | None = None
    fault: Fault | None = None
    changes: list[Change] = Field(default_factory=list)
    decoys: Decoys = Field(default_factory=Decoys)
    alert: Alert
    truth: Answer

    def all_changes(self) -> list[Change]:
        return [*self.changes, *self.decoys.changes]

    @model_validator(mode="after")
    def _names_only_its_own_roles(self) -> Scenario:
        known = {service.role for service in self.services}
        unknown = sorted(set(self._roles_mentioned()) - known)
        if unknown:
            raise ValueError(f"no service has the role {', '.join(unknown)}; roles are {', '.join(sorted(known))}")
        if (self.truth.verdict == "cause") != (self.fault is not None and self.truth.role != ""):
            raise ValueError("a cause needs a fault and a role; no_fault has neither")
        return self

    def _roles_mentioned(self) -> Iterable[str]:
        for service in self.services:
            yield from (call.to for call in service.calls)
        for effect in self.fault.effects if self.fault else []:
            yield effect.role
        decoys: list[OfRole] = [*self.decoys.steady_errors, *self.decoys.bursts]
        yield from (part.role for part in [*self.all_changes(), *decoys, self.alert])
        yield from (*self.truth.affected, *self.truth.unaffected, *([self.truth.role] if self.truth.role else []))
