"""Tickets, tools, the health check, the schema and its page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError
from rest_framework.test import APIClient

from runs.api import health
from runs.models import Run, Team
from runs.services.actors import Actor
from runs.services.halt import halt_all
from tests.runs.api.conftest import Caller
from tests.runs.api.problem import problem
from tests.runs.story import a_run, approved, claimed, finished, parked


def test_tickets_are_those_of_my_teams(alice: User, bob: User, mallory: User, team: Team, by_token: Caller) -> None:
    approval = parked(team, alice)
    approved(approval, bob)
    run = finished(approval)

    (row,) = by_token(alice).get("/api/tickets").json()["results"]

    assert (row["run"], row["service"], row["state"]) == (run.pk, "checkout", "open")
    assert by_token(alice).get(f"/api/tickets/{row['id']}").json() == row
    assert by_token(mallory).get("/api/tickets").json()["results"] == []
    problem(by_token(mallory).get(f"/api/tickets/{row['id']}"), 404, "not_found")


def test_tools_say_what_they_take_and_risk(alice: User, by_token: Caller) -> None:
    tools = {row["name"]: row for row in by_token(alice).get("/api/tools").json()}

    assert tools["create_ticket"]["risk"] == "write"
    assert tools["search_logs"]["risk"] == "read"
    assert "title" in tools["create_ticket"]["schema"]["properties"]


def test_health_needs_no_log_in_and_says_what_is_missing(nobody: APIClient, db: None) -> None:
    response = nobody.get("/healthz")

    assert response.status_code == 200
    assert response.json() == {
        "status": "degraded", "database": "ok", "redis": "away", "worker_heartbeat_age_s": None, "pending": None,
        "halted": False,
    }  # fmt: skip


def test_a_driven_run_is_a_workers_heartbeat(nobody: APIClient, alice: User, team: Team) -> None:
    claimed(a_run(team, alice))

    age_s = nobody.get("/healthz").json()["worker_heartbeat_age_s"]

    assert 0 <= age_s < 30


def test_health_answers_503_without_a_database_and_leaks_nothing(
    nobody: APIClient, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        def cursor(self) -> Any:
            raise OperationalError("could not connect to db.internal as opspilot")

    monkeypatch.setattr(health, "connection", Away())
    response = nobody.get("/healthz")

    assert response.status_code == 503
    assert response.json()["database"] == "away"
    assert b"internal" not in response.content


def test_health_says_that_everything_is_stopped_and_not_why(nobody: APIClient, team: Team) -> None:
    halt_all(Actor.shell("root"), "a secret reason")
    response = nobody.get("/healthz")

    assert response.json()["halted"] is True
    assert b"secret" not in response.content
    assert b"root" not in response.content


def test_health_is_not_sent_to_https(nobody: APIClient, db: None, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True

    assert nobody.get("/healthz").status_code == 200
    assert nobody.get("/api/me").status_code == 301


def test_health_is_read_only(nobody: APIClient, db: None) -> None:
    assert nobody.post("/healthz").status_code == 405


def test_a_database_that_is_away_is_told_as_503(alice: User, by_token: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    client = by_token(alice)

    def locked(*args: Any) -> Any:
        raise OperationalError("database is locked: /srv/secret.sqlite3")

    monkeypatch.setattr(Run.objects, "visible_to", locked)
    body = problem(client.get("/api/runs"), 503, "database_unavailable")

    assert "secret" not in body["detail"]


def test_our_own_mistake_is_told_without_a_trace(
    alice: User, by_token: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = by_token(alice)

    def broken(*args: Any) -> Any:
        raise RuntimeError("the pool at 10.0.0.7")

    monkeypatch.setattr(Run.objects, "visible_to", broken)
    body = problem(client.get("/api/runs"), 500, "internal_error")

    assert "10.0.0.7" not in str(body)
    assert "10.0.0.7" in caplog.text  # the log has it in full


def test_the_schema_in_the_docs_is_the_one_that_is_served(tmp_path: Path) -> None:
    made = tmp_path / "openapi.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(made))

    kept = settings.BASE_DIR / "docs" / "openapi.yaml"
    assert kept.read_text() == made.read_text(), "run: ./opspilot spectacular --file docs/openapi.yaml"


def test_the_schema_is_served_to_who_may_call_the_api(alice: User, by_token: Caller) -> None:
    assert by_token(alice).get("/api/schema/").status_code == 200


def test_the_swagger_page_needs_nothing_from_elsewhere(as_alice: Any) -> None:
    page = as_alice.get("/api/docs/")
    script = as_alice.get("/api/docs/?script=")

    text = page.content.decode()
    assert page.status_code == 200
    assert "https://" not in text and "<style" not in text
    assert '<a href="/">' in text, "there is a way back to the dashboard"
    assert script["Content-Type"].startswith("application/javascript")
    assert "/api/schema/" in script.content.decode()
    for policy in (page["Content-Security-Policy"], script["Content-Security-Policy"]):
        assert "unsafe" not in policy
