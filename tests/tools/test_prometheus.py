"""Metrics of a real Prometheus that scrapes a real exporter through a fault; of VictoriaMetrics, back-filled."""

from __future__ import annotations

import shutil
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.standins.metric_servers import fill, prometheus, shop, victoria_metrics
from tests.tools.conftest import context_for
from tools import registry
from tools.base import Status, ToolError, ToolResult
from tools.sources import SourceSet, SourceSpec

HEALTHY_S = BROKEN_S = 9
needs_prometheus = pytest.mark.skipif(not shutil.which("prometheus"), reason="Prometheus is not installed")
needs_victoria = pytest.mark.skipif(not shutil.which("victoria-metrics"), reason="VictoriaMetrics is not installed")


def _ask(url: str, tool: str, **args: Any) -> ToolResult:
    sources = SourceSet([SourceSpec("prom", url)])
    found = registry.get(tool)
    return found.run(context_for(sources, datetime.now(UTC)), found.params.model_validate(args))


@pytest.fixture(scope="module")
def broken_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that saw a shop be well, then break."""
    folder = tmp_path_factory.mktemp("prometheus")
    with shop() as port, prometheus(folder, port) as url:
        time.sleep(HEALTHY_S)
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/break", method="POST")).close()
        time.sleep(BROKEN_S)
        yield f"prometheus+{url}"


@needs_prometheus
class TestPrometheus:
    def test_it_says_which_services_it_has_and_how_fresh_it_is(self, broken_shop: str) -> None:
        (state,) = _ask(broken_shop, "list_sources").data["sources"]

        assert state["problem"] == ""
        assert state["services"] == ["orders", "shop"]
        assert datetime.now(UTC) - datetime.fromisoformat(state["newest"]) < timedelta(seconds=60)

    def test_gauges_come_as_they_are_counters_as_rates_histograms_as_quantiles(self, broken_shop: str) -> None:
        result = _ask(broken_shop, "query_metrics", since="40s", step_s=1)
        series = {one["id"]: one["stats"] for one in result.data["series"] if one["service"] == "orders"}

        assert (series["orders db_pool_active"]["min"], series["orders db_pool_active"]["max"]) == (3, 10)
        assert series["orders rate(http_requests_total){code=500}"]["max"] == pytest.approx(20, rel=0.2)
        assert series["orders rate(http_requests_total){code=200}"]["max"] == pytest.approx(40, rel=0.2)
        quantiles = series["orders p99(http_request_duration_seconds)"]
        assert quantiles["min"] < 0.05
        assert 1.0 < quantiles["max"] <= 2.5
        assert result.freshness is not None

    @pytest.mark.parametrize(
        ("name", "ids"),
        [
            ("db_pool_*", {"orders db_pool_active"}),
            ("p99*", {"orders p99(http_request_duration_seconds)"}),
            (
                "http_requests_total",
                {"orders rate(http_requests_total){code=200}", "orders rate(http_requests_total){code=500}"},
            ),
            ("rate(http_requests_total)", {f"orders rate(http_requests_total){{code={n}}}" for n in (200, 500)}),
        ],
    )
    def test_names_are_found_as_they_are_and_as_they_are_called(
        self, broken_shop: str, name: str, ids: set[str]
    ) -> None:
        result = _ask(broken_shop, "query_metrics", since="40s", step_s=2, name=name, service="ord*")

        assert {one["id"] for one in result.data["series"]} == ids

    def test_promql_of_the_planner_is_asked_as_it_stands(self, broken_shop: str) -> None:
        expression = 'sum(rate(http_requests_total{code="500"}[4s])) / sum(rate(http_requests_total[4s]))'
        result = _ask(broken_shop, "query_metrics", since="40s", step_s=1, promql=expression)

        (series,) = result.data["series"]
        assert (series["id"], series["stats"]["min"]) == (expression, 0)
        assert series["stats"]["max"] == pytest.approx(0.5, abs=0.05)
        (native,) = result.query["native"]
        assert native["text"] == expression
        assert native["url"].startswith(broken_shop.removeprefix("prometheus+") + "/graph?g0.expr=sum")

    def test_a_mistake_in_it_is_told_in_the_servers_own_words(self, broken_shop: str) -> None:
        with pytest.raises(ToolError, match="unclosed left parenthesis"):
            _ask(broken_shop, "query_metrics", since="40s", promql="sum((up")

    def test_a_name_that_is_not_there_says_what_is(self, broken_shop: str) -> None:
        result = _ask(broken_shop, "query_metrics", since="40s", name="queue_depth")

        assert result.status == Status.NO_DATA
        assert {"db_pool_active", "http_requests_total"} <= set(result.data["available"])

    def test_a_folder_knows_no_promql(self, shop: Path) -> None:
        with pytest.raises(ToolError, match="know no PromQL"):
            _ask(shop.as_uri(), "query_metrics", promql="up")

    def test_a_second_source_that_is_down_takes_nothing_away(self, broken_shop: str) -> None:
        sources = SourceSet([SourceSpec("prom", broken_shop), SourceSpec("gone", "prometheus+http://127.0.0.1:1")])
        tool = registry.get("query_metrics")
        result = tool.run(
            context_for(sources, datetime.now(UTC)), tool.params.model_validate({"name": "db_*", "since": "40s"})
        )

        assert [one["id"] for one in result.data["series"]] == ["orders db_pool_active"]
        assert result.status == Status.TRUNCATED
        assert "gone (Prometheus at http://127.0.0.1:1) cannot be reached" in result.summary


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a VictoriaMetrics with three hours of a counter and a gauge, which jump an hour ago."""
    now = int(time.time())
    lines, total = [], 0
    for at in range(now - 3 * 3_600, now, 30):
        total += 600 if at > now - 3_600 else 60
        lines.append(f'errors_total{{app="billing",pod="b-1"}} {total} {at * 1000}')
        lines.append(f'traces_service_graph_request_total{{client="shop",server="billing"}} {total} {at * 1000}')
        lines.append(f'queue_depth{{app="billing",pod="b-1"}} {90 if at > now - 3_600 else 5} {at * 1000}')
    with victoria_metrics(tmp_path_factory.mktemp("vm")) as url:
        fill(url, lines)
        yield f"victoriametrics+{url}"


@needs_victoria
class TestVictoriaMetrics:
    def test_history_that_was_filled_in_is_read(self, history: str) -> None:
        result = _ask(history, "query_metrics", since="3h", step_s=60)
        series = {one["id"]: one["stats"] for one in result.data["series"]}

        series = {name: stats for name, stats in series.items() if name.startswith("billing ")}
        assert set(series) == {"billing queue_depth{pod=b-1}", "billing rate(errors_total){pod=b-1}"}
        assert series["billing rate(errors_total){pod=b-1}"]["min"] == pytest.approx(2, rel=0.1)
        assert series["billing rate(errors_total){pod=b-1}"]["max"] == pytest.approx(20, rel=0.1)

    def test_services_and_freshness(self, history: str) -> None:
        (state,) = _ask(history, "list_sources").data["sources"]

        assert state["services"] == ["billing"]
        assert datetime.now(UTC) - datetime.fromisoformat(state["newest"]) < timedelta(minutes=5)

    def test_the_tools_that_compare_read_it_too(self, history: str) -> None:
        found = _ask(history, "find_anomalies", since="3h", step_s=60)
        assert {"billing queue_depth{pod=b-1}", "billing rate(errors_total){pod=b-1}"} <= {
            one["id"] for one in found.data["anomalies"]
        }
        compared = _ask(history, "compare_windows", since="50m")
        assert "billing queue_depth{pod=b-1}" in str(compared.data)
        ranked = _ask(history, "rank_suspects", since="50m")
        assert ranked.query["since"] > (datetime.now(UTC) - timedelta(minutes=55)).isoformat()

    def test_calls_between_services_are_read_where_they_are_counted(self, history: str) -> None:
        sources = SourceSet([SourceSpec("calls", history, kind="traces")])
        tool = registry.get("query_traces")
        result = tool.run(context_for(sources, datetime.now(UTC)), tool.params.model_validate({"since": "1h"}))

        assert [(one["caller"], one["callee"]) for one in result.data["edges"]] == [("shop", "billing")]
        assert sources.services() == ["billing", "shop"]

    def test_a_server_that_counts_no_calls_says_so(self, broken_shop: str) -> None:
        (state,) = SourceSet([SourceSpec("calls", broken_shop, kind="traces")]).states()
        assert "counts no calls between services" in state.problem
