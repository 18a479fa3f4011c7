"""Service names of a folder under their common names, in every kind of telemetry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tools.conftest import AS_OF, context_for
from tools import registry
from tools.base import ToolResult
from tools.sources import SourceSet, SourceSpec
from tools.sources.spec import SourceOptions

NAMES = SourceOptions(services=(("payments", "billing"), ("orders", "billing")))


@pytest.fixture
def sources(shop: Path) -> SourceSet:
    return SourceSet([SourceSpec("shop", shop.as_uri(), options=NAMES)])


def _ask(sources: SourceSet, tool: str, **args: Any) -> ToolResult:
    found = registry.get(tool)
    return found.run(context_for(sources, AS_OF), found.params.model_validate(args))


def test_logs_of_both_names_are_one_service(sources: SourceSet) -> None:
    result = _ask(sources, "search_logs", service="billing", since="2h")

    assert set(result.data["services"]) == {"billing"}
    assert result.data["total"] == 61 + 21
    assert {one["service"] for one in result.data["matches"] + result.data["templates"]} == {"billing"}


def test_metrics_traces_and_changes_follow(sources: SourceSet) -> None:
    assert {one["service"] for one in _ask(sources, "query_metrics", service="bill*").data["series"]} == {"billing"}
    assert "payments" not in {one["service"] for one in _ask(sources, "query_traces").data["services"]}
    assert [one["service"] for one in _ask(sources, "list_changes", kind="deploy").data["changes"]] == ["billing"]


def test_the_states_name_the_common_name(sources: SourceSet) -> None:
    assert not {"payments", "orders"} & set(sources.services())
    assert "billing" in sources.services()
