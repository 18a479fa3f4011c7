"""Which column of a metrics table plays which part. Reads no row."""

from __future__ import annotations

from dataclasses import dataclass

from tools.sources.confined import Refused

TIMES = ("timestamp", "time", "ts", "@timestamp", "datetime", "date")
METRICS = ("metric", "metric_name", "name", "__name__")
VALUES = ("value", "val")
SERVICES = ("service", "service_name", "service.name", "app", "application", "component", "job")
UNITS = ("unit",)


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of columns; empty where there is none. A wide table has no `value`: each column of `wide` is a metric."""

    time: str
    service: str = ""
    metric: str = ""
    value: str = ""
    unit: str = ""
    labels: tuple[str, ...] = ()
    wide: tuple[str, ...] = ()


def find_columns(file: str, header: list[str]) -> Columns:
    """Raises Refused naming the column that is missing."""
    by_lower = {name.strip().lower(): name for name in reversed(header)}

    def pick(names: tuple[str, ...]) -> str:
        return next((by_lower[name] for name in names if name in by_lower), "")

    has = f"it has {', '.join(header)}" if header else "it is empty"
    time, metric, value = pick(TIMES), pick(METRICS), pick(VALUES)
    service, unit = pick(SERVICES), pick(UNITS)
    if not time:
        raise Refused(f"{file}: no column 'timestamp'; {has}")
    if metric and not value:
        raise Refused(f"{file}: no column 'value' beside {metric!r}; {has}")
    others = tuple(name for name in header if name not in (time, metric, value, service, unit))
    if value and not metric and (service or others):
        raise Refused(f"{file}: no column 'metric' beside {value!r}; {has}")
    if value:  # a time and a value alone: the file itself is the one metric
        return Columns(time, service, metric, value, unit, labels=others)
    if not others:
        raise Refused(f"{file}: no columns 'metric' and 'value', nor a column for each metric; {has}")
    return Columns(time, service, wide=others)
