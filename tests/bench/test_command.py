"""`bench speed` from end to end at its smallest, without the peers' packages: it measures, whatever the figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings


def smallest(name: str) -> list[dict[str, Any]]:
    argv = [sys.executable, "manage.py", "bench", "speed", "--only", name, "--smallest", "--no-peers", "--db", "sqlite"]
    done = subprocess.run([*argv, "--json", "-"], cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures: list[dict[str, Any]] = json.loads(done.stdout)["figures"]
    return figures


def test_durable_measures_ours_and_the_floor_and_says_that_the_peer_was_left_out() -> None:
    cycle, *_ = smallest("durable")

    assert cycle["ours"] > 0 < cycle["floor"]
    assert (cycle["peer"], cycle["note"]) == (None, "left out by --no-peers")


def test_history_measures_every_list() -> None:
    figures = smallest("history")

    assert {figure["what"].split(",")[0] for figure in figures} >= {"sqlite: run list", "sqlite: audit browser"}
    assert all(figure["ours"] > 0 < figure["peer"] for figure in figures)


def test_audit_measures_writing_and_verifying_beside_the_floor() -> None:
    write, verify, memory = smallest("audit")

    assert write["ours"] > 0 < write["floor"]
    assert verify["ours"] > verify["floor"] > 0
    assert memory["ours"] > 0


def test_the_queue_costs_as_many_queries_for_many_requests_as_for_few() -> None:
    (page,) = smallest("queue")

    assert page["ours"] > 0
    assert [target["value"] for target in page["targets"] if target["words"].startswith("queries")] == [0]


def test_cost_counts_tokens_and_reads_every_prompt_again_from_the_cache() -> None:
    billed, read, sent, *_ = smallest("cost")

    assert 0 < billed["ours"] < billed["peer"]
    assert read["ours"] == 100
    assert sent["ours"] > 0 and sent["peer"] is None


@pytest.mark.slow
def test_pickup_measures_a_run_beside_bare_workers() -> None:
    answer, *_ = smallest("pickup")

    assert answer["peer"] > 0 < answer["floor"]


def test_an_unknown_bench_is_refused_with_the_names_that_there_are(tmp_path: Path) -> None:
    argv = [sys.executable, "manage.py", "bench", "speed", "--only", "nothing", "--no-peers"]
    done = subprocess.run(argv, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "durable, pickup, live, history" in done.stderr


def test_logs_are_searched_beside_a_count_of_their_lines() -> None:
    hour, day, tenth, memory = smallest("logs")

    assert 0 < hour["ours"] < day["ours"]
    assert day["floor"] > 0 < tenth["ours"]
    assert memory["ours"] < 100


def test_templates_are_mined_and_their_grouping_is_scored() -> None:
    rate, accuracy, *_ = smallest("templates")

    assert rate["ours"] > 0
    assert accuracy["ours"] > 0.95


def test_metrics_are_read_beside_duckdb_alone() -> None:
    *reads, scan = smallest("metrics")

    assert len(reads) == 4
    assert all(figure["ours"] > 0 < figure["peer"] for figure in reads)
    assert scan["ours"] > 0
