"""list_changes on a small folder: kinds, order, the two halves of a deploy, filters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tools.conftest import AS_OF, Ask, ask_folder, write
from tools.base import Status, ToolError


def test_changes_of_every_kind_come_in_the_order_of_time(ask: Ask) -> None:
    result = ask("list_changes")
    assert [change["id"] for change in result.data["changes"]] == [
        "def456",
        "flag:fast_cart:2026-03-01T09:20:00Z",
        "abc123",
        "deploy:payments:v7",
        "status:S3-1",
    ]
    assert result.figures == {"total": 5, "deploys": 1, "commits": 2, "flags": 1, "statuses": 1}
    assert result.source == "shop:changes"
    assert "1 deploys, 2 commits, 1 flags, 1 statuses" in result.summary


def test_a_deploy_shows_its_commits_diff_and_a_commit_where_it_went(ask: Ask) -> None:
    changes = {change["id"]: change for change in ask("list_changes").data["changes"]}
    assert changes["deploy:payments:v7"]["diff"] == "-timeout: 10s\n+timeout: 5s"
    assert changes["deploy:payments:v7"]["files"] == ["payments/client.go"]
    assert "lower the client timeout" in changes["deploy:payments:v7"]["text"]
    assert changes["abc123"]["service"] == "payments"
    assert changes["def456"]["service"] == ""


def test_a_status_entry_says_all_it_knows_in_one_line(ask: Ask) -> None:
    (change,) = ask("list_changes", kind="status").data["changes"]
    assert change["text"] == "eu-1; degraded; Slow object storage"


@pytest.mark.parametrize(
    ("args", "ids"),
    [
        ({"kind": "deploy"}, ["deploy:payments:v7"]),
        ({"service": "payments"}, ["abc123", "deploy:payments:v7"]),
        ({"service": "orders"}, ["flag:fast_cart:2026-03-01T09:20:00Z"]),
        ({"since": "09:35", "until": "09:45"}, ["deploy:payments:v7"]),
    ],
)
def test_kind_service_and_range_narrow_the_list(ask: Ask, args: dict[str, str], ids: list[str]) -> None:
    assert [change["id"] for change in ask("list_changes", **args).data["changes"]] == ids


def test_nothing_found_is_no_data_and_says_what_else_changed(ask: Ask) -> None:
    result = ask("list_changes", service="gateway")
    assert result.status is Status.NO_DATA
    assert "5 other changes in that time; services: orders, payments" in result.summary


def test_changes_after_as_of_are_not_known_yet(tmp_path: Path) -> None:
    rows = [
        {"timestamp": at, "service": "a", "version": at[11:16]}
        for at in ("2026-03-01T09:59:00Z", "2026-03-01T10:05:00Z")
    ]
    write(tmp_path / "context" / "deploys.json", [json.dumps(rows)])
    assert [change["version"] for change in ask_folder(tmp_path, "list_changes", AS_OF).data["changes"]] == ["09:59"]


def test_rows_without_a_time_are_skipped_and_counted(tmp_path: Path) -> None:
    rows = [{"service": "a"}, "text", {"timestamp": "2026-03-01T09:00:00Z", "service": "a", "version": "1"}]
    write(tmp_path / "deploys.json", [json.dumps(rows)])
    result = ask_folder(tmp_path, "list_changes")
    assert (result.figures["total"], result.skipped) == (1, 2)


def test_a_file_that_is_not_json_is_an_error_and_not_an_absence(tmp_path: Path) -> None:
    write(tmp_path / "deploys.json", ["[{"])
    with pytest.raises(ToolError, match=r"nothing was searched.*deploys.json: not valid JSON"):
        ask_folder(tmp_path, "list_changes")
