"""The tools as the record, the API and a model see them."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from tests.tools.conftest import context_for
from tools import registry
from tools.base import Risk, Status, ToolError
from tools.create_ticket import CreateTicket
from tools.sources import SourceSet

TICKET = {"title": "orders: charges time out", "body": "Since 09:40 every charge fails.", "severity": "SEV2"}


def test_every_tool_of_the_package_is_found_under_its_own_name() -> None:
    wanted = {"search_logs", "query_metrics", "list_changes", "query_traces", "create_ticket", "generate_report"}
    assert wanted <= set(registry.names())
    assert registry.names() == sorted(registry.names())


@pytest.mark.parametrize("name", registry.names())
def test_a_tools_schema_is_valid_and_closed(name: str) -> None:
    described = registry.describe(name)
    jsonschema.Draft202012Validator.check_schema(described["schema"])
    assert described["summary"]
    for schema in (described["schema"], *described["schema"].get("$defs", {}).values()):
        if schema["type"] == "object":
            assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("kinds", "missing"),
    [
        (
            {"logs"},
            {"correlate_changes", "find_anomalies", "list_changes", "query_metrics", "query_traces", "trace_breakdown"},
        ),
        ({"logs", "metrics", "traces", "changes"}, set()),
        (
            set(),
            {
                "correlate_changes",
                "find_anomalies",
                "list_changes",
                "log_patterns",
                "query_metrics",
                "query_traces",
                "search_logs",
                "trace_breakdown",
            },
        ),
    ],
)
def test_tools_whose_sources_are_not_there_are_not_offered(kinds: set[str], missing: set[str]) -> None:
    assert set(registry.names()) - {tool.name for tool in registry.offered(kinds)} == missing


def test_arguments_are_checked_strictly_and_filled_in() -> None:
    assert registry.validate("search_logs", {"pattern": " x "})["pattern"] == "x"
    assert registry.validate("search_logs", {})["limit"] == 20


@pytest.mark.parametrize(
    ("name", "args", "said"),
    [
        ("search_logs", {"patern": "x"}, "patern: Extra inputs are not permitted"),
        ("search_logs", {"limit": 5_000}, "limit: Input should be less than or equal to 200"),
        ("search_logs", {"pattern": "x" * 600}, "pattern: String should have at most 512 characters"),
        ("query_metrics", {"step_s": 0}, "step_s: Input should be greater than or equal to 1"),
        ("create_ticket", {"title": "x"}, "title: String should have at least 5 characters; body: Field required"),
        ("delete_everything", {}, "There is no tool 'delete_everything'. Tools: comment_on_ticket, "),
    ],
)
def test_wrong_arguments_and_names_are_refused_in_words(name: str, args: dict[str, Any], said: str) -> None:
    with pytest.raises(ToolError) as caught:
        registry.validate(name, args)
    assert said in str(caught.value)


def test_only_the_ticket_writes() -> None:
    risks = {name: registry.get(name).risk for name in registry.names()}
    assert {name for name, risk in risks.items() if risk is not Risk.READ} == {"comment_on_ticket", "create_ticket"}


@pytest.mark.parametrize(
    "changed", [{"title": "another title"}, {"body": "another body text"}, {"severity": "SEV1"}, {"service": "cart"}]
)
def test_a_tickets_preview_shows_every_argument(changed: dict[str, str]) -> None:
    before = registry.preview("create_ticket", TICKET)
    after = registry.preview("create_ticket", {**TICKET, **changed})
    assert before.body != after.body
    assert next(iter(changed.values())) in after.body
    assert set(CreateTicket.model_fields) == {"title", "body", "service", "severity"}


def test_a_ticket_carries_the_calls_key_so_that_it_is_made_once() -> None:
    tool = registry.get("create_ticket")
    result = tool.run(context_for(SourceSet([])), tool.params.model_validate(TICKET))
    assert (result.status, result.data["key"], result.data["tracker"]) == (Status.SUCCESS, "key-1", "local")
    assert result.data["title"] == TICKET["title"]
