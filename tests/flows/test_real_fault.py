"""One fault for real: a shop that breaks, a Prometheus that scrapes it, the commit that did it; it is confirmed."""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from agent.planner import Move, Transcript
from runs.models import Evidence, Team
from runs.services.actors import Actor
from runs.services.runs import create_run
from runs.states import Outcome, RunState
from tests.agent.scripted import ScriptedPlanner, calls, concludes
from tests.flows.driving import go_on
from tests.standins.metric_servers import prometheus, shop

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not shutil.which("prometheus"), reason="Prometheus is not installed"),
    pytest.mark.skipif(not shutil.which("git"), reason="git is not installed"),
]
QUIET_S = BROKEN_S = 6
ERRORS = 'sum(rate(http_requests_total{code="500"}[4s]))'


def _commit(repository: Path, pool: int, message: str) -> None:
    (repository / "db.yaml").write_text(f"pool: {pool}\n")
    who = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org"]
    for words in (["add", "."], [*who, "commit", "-q", "-m", message]):
        subprocess.run(["git", "-C", repository, *words], check=True)


def _concluded(transcript: Transcript) -> Move:
    """A report whose figures and words are those of the results, as a planner would copy them."""
    pool, errors, changes, up = (item for item in transcript.items if getattr(item, "evidence", ""))
    (full,) = [one for one in pool.data["series"] if one["id"] == "orders db_pool_active"]
    at, value = full["points"][-1]
    (commit,) = [one for one in changes.data["changes"] if one["title"] == "a smaller pool"]
    claims: list[dict[str, Any]] = [
        {"id": "C1", "statement": f"{value:.0f} connections are in use.", "kind": "number", "role": "mechanism",
         "evidence": pool.evidence, "figure": "orders db_pool_active", "value": value, "at": at},
        {"id": "C2", "statement": "The pool was made smaller.", "kind": "quote", "role": "change",
         "evidence": changes.evidence, "quote": "+pool: 10"},
        {"id": "C3", "statement": "Requests fail since.", "kind": "number", "role": "symptom",
         "evidence": errors.evidence, "figure": ERRORS, "value": errors.data["series"][0]["points"][-1][1],
         "at": errors.data["series"][0]["points"][-1][0]},
        {"id": "C4", "statement": "The smaller pool does it.", "kind": "inference", "role": "mechanism",
         "based_on": ["C1", "C2", "C3"]},
    ]  # fmt: skip
    return concludes({
        "verdict": "cause", "severity": "SEV2", "summary": "The pool of orders was made smaller.", "claims": claims,
        "root_cause": {"entity": "orders", "kind": "configuration", "change_id": commit["id"], "mechanism": "full"},
        "ruled_out": [{"statement": "the shop is down", "why": "it is scraped", "evidence": [up.evidence]}],
    })  # fmt: skip


def test_a_real_fault_is_confirmed_from_a_real_prometheus_and_a_real_repository(
    team: Team, alice: User, tmp_path: Path
) -> None:
    repository = tmp_path / "shop"
    subprocess.run(["git", "init", "-q", "-b", "main", repository], check=True)
    _commit(repository, 40, "first")
    with shop() as port, prometheus(tmp_path, port) as url:
        time.sleep(QUIET_S)
        _commit(repository, 10, "a smaller pool")
        urllib.request.urlopen(f"http://127.0.0.1:{port}/break", data=b"").close()
        time.sleep(BROKEN_S)
        sources = [
            {"name": "prod", "url": f"prometheus+{url}", "env": "prod", "kind": ""},
            {"name": "code", "url": f"git://{repository}?service=orders", "env": "", "kind": ""},
        ]
        run = create_run(
            goal="Why do orders fail?", team=team, actor=Actor.person(alice), origin="web", sources=sources,
            as_of=datetime.now(UTC),
        ).run  # fmt: skip
        look = calls(
            ("query_metrics", {"name": "db_pool_active", "since": "1m", "step_s": 1}),
            ("query_metrics", {"promql": ERRORS, "since": "1m", "step_s": 1}),
            ("list_changes", {"since": "1h"}),
            ("query_metrics", {"name": "up", "since": "1m", "step_s": 1}),
        )
        planner = ScriptedPlanner(look, _concluded)
        run = go_on(run, planner)

    assert (run.state, run.outcome) == (RunState.DONE, Outcome.CONFIRMED), run.report or run.failure
    assert run.report["checked"] == {"held": 4, "total": 4}
    first = Evidence.objects.filter(run=run).order_by("pk")[0]
    assert [one["text"] for one in first.query["native"]] == ['{__name__="db_pool_active"}']
    assert first.query["native"][0]["url"].startswith(f"{url}/graph?")
