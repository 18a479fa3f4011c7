"""Which way a metric's own name says that things get worse."""

from __future__ import annotations

import pytest

from tools.analysis.metric_words import is_worse, kind_of


@pytest.mark.parametrize(
    "metric",
    ["disk_free_bytes", "disk_free_pct", "volume_available_bytes", "node_filesystem_avail_bytes", "free_disk_gb",
     "memory_available_mb", "cpu_idle", "db_pool_idle"],
)  # fmt: skip
def test_what_is_left_of_a_resource_is_saturation_that_is_worse_downwards(metric: str) -> None:
    assert kind_of(metric) == "saturation"
    assert (is_worse(metric, "down"), is_worse(metric, "up")) == (True, False)


@pytest.mark.parametrize(
    ("metric", "kind", "direction"),
    [
        ("disk_used_pct", "saturation", "up"), ("replicas_available", "availability", "down"),
        ("service_availability", "efficiency", "down"), ("error_rate", "error", "up"),
    ],
)  # fmt: skip
def test_the_other_kinds_stay_as_they_are(metric: str, kind: str, direction: str) -> None:
    assert kind_of(metric) == kind
    assert is_worse(metric, direction)
