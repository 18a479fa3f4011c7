"""Asking again outside: the source's own query and page, and the command; a hostile address is no link."""

from __future__ import annotations

import pytest

from runs.models import Evidence, ToolCall
from runs.native import ask_again, native_queries


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example.org", "", None, 5])
def test_only_a_web_address_is_a_link(url: object) -> None:
    (one,) = native_queries({"native": [{"source": "prom", "text": "up", "url": url}]})
    assert (one.text, one.url) == ("up", "")


def test_a_page_of_the_source_is_a_link() -> None:
    (one,) = native_queries({"native": [{"source": "prom", "text": "up", "url": "https://prom/graph?g0.expr=up"}]})
    assert one.url == "https://prom/graph?g0.expr=up"


@pytest.mark.parametrize("query", [{}, {"native": "up"}, {"native": ["up"]}])
def test_a_query_without_one_has_none(query: dict[str, object]) -> None:
    assert native_queries(query) == []


def test_the_command_asks_the_same_range_of_the_same_sources() -> None:
    call = ToolCall(tool="search_logs", risk="read", args={"pattern": "timed out; rm -rf", "limit": 20, "service": ""})
    query = {"source": "shop:logs+loki:logs", "since": "2026-03-01T09:00:00Z", "until": "2026-03-01T10:00:00Z"}
    evidence = Evidence(call=call, query=query, source="shop:logs+loki:logs")

    assert ask_again(evidence, ["shop", "loki"]) == (
        "./opspilot tool search_logs --source shop --source loki 'pattern=timed out; rm -rf' limit=20 "
        "since=2026-03-01T09:00:00Z until=2026-03-01T10:00:00Z"
    )


def test_a_write_is_not_offered_as_a_command() -> None:
    call = ToolCall(tool="create_ticket", risk="write", args={})
    assert ask_again(Evidence(call=call, query={"source": "x"}, source="x"), ["x"]) == ""


def test_a_folder_that_only_a_command_line_named_is_not_a_source_to_ask_again() -> None:
    call = ToolCall(tool="search_logs", risk="read", args={})
    assert ask_again(Evidence(call=call, query={"source": "incident:logs"}, source="incident:logs"), ["shop"]) == ""
