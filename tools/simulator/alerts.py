"""The alert that pages somebody: fired by the simulated metrics themselves, at the first minutes above a threshold."""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.simulator.conditions import Conditions
from tools.simulator.metrics import Measured
from tools.simulator.scenario import Alert, ScenarioError


def fire(alert: Alert, measured: Measured, now: Conditions) -> dict[str, Any]:
    """Raises ScenarioError when the metric never crosses: such a scenario has no alert to start from."""
    series = measured.get((alert.role, alert.metric))
    if series is None:
        raise ScenarioError(f"the alert watches {alert.metric!r}, which {alert.role!r} does not report")
    first = max(int(now.clock.onset_minute) - (alert.threshold is None) * 8, 0)
    recent = series[first:-1]  # the last minute is not over
    threshold = _threshold(alert, recent, now)
    above = np.convolve(recent > threshold, np.ones(alert.for_minutes), mode="valid") == alert.for_minutes
    if not above.any():
        raise ScenarioError(
            f"{alert.metric} of {alert.role!r} never stays above {threshold} for {alert.for_minutes} minutes"
        )
    at = first + int(np.argmax(above)) + alert.for_minutes - 1
    name = now.topology.name(alert.role)
    return {
        "service": name,
        "metric": alert.metric,
        "threshold": threshold,
        "observed": float(series[at]),
        "fired_at": now.clock.ends()[at],
        "severity": alert.severity,
        "monitor": now.values.text(alert.monitor),
        "summary": now.values.text(alert.summary),
    }


def _threshold(alert: Alert, recent: np.ndarray[Any, np.dtype[np.float64]], now: Conditions) -> float:
    if alert.threshold is not None:
        return now.values.number(alert.threshold, "threshold")
    return float(f"{float(recent.max()) * (alert.threshold_of_peak or 1.0):.3g}")
