"""The bad days of the model's API, each through a whole run: a named end, in time, paid, no worker asleep, one effect.

The real SDK asks a stand-in in a process of its own. Every run has opened its ticket when the fault comes.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.utils import timezone

from runs import breaker
from runs.invariants import check_all
from runs.models import Run, Spending, Step, Team, Ticket
from runs.states import RunState, StepKind
from tests.flows.incident import write_incident
from tests.standins.messages_api import messages_api
from tests.trust.surroundings import ROOT, environment
from tests.trust.thinking import (
    a_run,
    drive,
    drive_to_end,
    let_hold_pass,
    let_own_hold_pass,
    let_tickets_run,
    looks,
    opens_ticket,
    reports,
    think_with,
)

pytestmark = pytest.mark.django_db(transaction=True)

COUNTED = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "tokens_in", "tokens_out")
DEADLINE_S = 3  # of a model call here
SLACK_S = 12  # for starting the tools and a busy machine


def status(code: int, kind: str = "api_error", **headers: str) -> dict[str, Any]:
    return {"fault": "status", "status": code, "type": kind, "headers": headers}


@pytest.fixture
def run(team: Team, alice: User, tmp_path: Path, redis_url: str) -> Run:
    breaker.report_answer("claude")  # whatever an earlier test left in a Redis
    let_tickets_run(team)
    return a_run(team, alice, write_incident(tmp_path / "incident"))


def hold_what_must_hold(run: Run) -> None:
    """Whatever happened: one effect, a free worker, nothing set aside, the day's account equal to the run's."""
    run.refresh_from_db()
    assert Ticket.objects.filter(run=run).count() == 1
    assert run.lease_until is None and run.lease_owner == "", "no worker holds it"
    assert run.reserved_micro_usd == 0
    assert sum(day.reserved_micro_usd for day in Spending.objects.all()) == 0
    assert sum(day.spent_micro_usd for day in Spending.objects.all()) == run.cost_micro_usd
    assert list(check_all()) == []


def tokens_written(run: Run) -> int:
    """All tokens that the Steps account for."""
    total = 0
    for step in Step.objects.filter(run=run):
        usage = step.payload["usage"] if step.kind == StepKind.MODEL_CALL else step.payload
        total += sum(
            usage.get(name) or 0
            for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
        )
        total += sum(step.payload.get(name) or 0 for name in ("tokens_in", "tokens_out"))
    return total


FATAL = [
    pytest.param([status(401, "authentication_error")], "model_misconfigured", 2, id="401"),
    pytest.param([status(403, "permission_error")], "model_misconfigured", 2, id="403"),
    pytest.param([status(400, "invalid_request_error")], "model_misconfigured", 2, id="400"),
    pytest.param([status(413, "request_too_large")], "model_misconfigured", 2, id="413"),
    pytest.param([{"fault": "html"}], "model_output", 2, id="200 with HTML"),
    pytest.param([{"fault": "gzip", "megabytes": 50}], "model_misconfigured", 2, id="gzip bomb"),
    pytest.param([{"fault": "redirect", "location": "http://127.0.0.1:9/"}], "model_misconfigured", 2, id="redirect"),
]  # fmt: skip


@pytest.mark.parametrize(("turns", "code", "requests"), FATAL)
def test_what_no_second_try_would_mend_fails_the_run_at_once(
    run: Run, settings: Any, tmp_path: Path, turns: list[dict[str, Any]], code: str, requests: int
) -> None:
    with messages_api(tmp_path, [opens_ticket(), *turns]) as api:
        think_with(settings, api.url, DEADLINE_S)
        ended = drive(run)
        assert len(api.requests) == requests
    assert (ended.run.state, ended.run.failure_code) == (RunState.FAILED, code)
    assert ended.seconds < DEADLINE_S + SLACK_S
    assert "Traceback" not in ended.run.failure and "key-1" not in ended.run.failure
    hold_what_must_hold(run)


TEMPORARY = [
    pytest.param(status(429, "rate_limit_error", **{"retry-after": "2"}), 2, id="429, retry after 2 s"),
    pytest.param(status(429, "rate_limit_error", **{"retry-after": "86400"}), 300, id="429, retry after a day"),
    pytest.param(status(429, "billing_error", **{"retry-after": "3600"}), 300, id="429, spend limit"),
    pytest.param(status(500), 4, id="500"),
    pytest.param(status(529, "overloaded_error"), 4, id="529"),
    pytest.param({"fault": "stall", "seconds": 30, "after": 0}, 4, id="headers, then silence"),
    pytest.param({"fault": "cut", "after": 0, "bytes": 1}, 4, id="cut after one byte"),
    pytest.param({"fault": "cut", "after": 4, "bytes": 40}, 4, id="cut in the middle of JSON"),
    pytest.param(opens_ticket() | {"fault": "cut", "after": "tool_use"}, 4, id="cut after a call began"),
    pytest.param({"fault": "error_event", "type": "overloaded_error"}, 4, id="an error inside of 200"),
    pytest.param({"fault": "drip", "seconds": 60}, 4, id="a drip without end"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "most_s"), TEMPORARY)
def test_what_may_pass_holds_the_run_and_frees_its_worker(
    run: Run, settings: Any, tmp_path: Path, fault: dict[str, Any], most_s: int
) -> None:
    with messages_api(tmp_path, [opens_ticket(), fault, fault, reports()]) as api:
        think_with(settings, api.url, DEADLINE_S)
        held = drive(run)
        assert held.seconds < DEADLINE_S + SLACK_S
        assert held.run.state == RunState.PLAN and held.run.attempt == 1 and held.run.hold_until is not None
        assert held.run.hold_until <= timezone.now() + timedelta(seconds=most_s), "the wait is capped"
        hold_what_must_hold(run)
        let_hold_pass(run)
        again = drive(run).run
        assert again.attempt == 2
        let_hold_pass(run)
        ended = drive(run).run
        assert len(api.requests) == 4, "nothing but the run itself tries again"
    assert (ended.state, ended.attempt, ended.hold_reason) == (RunState.DONE, 0, "")
    assert [step.payload["attempt"] for step in Step.objects.filter(run=run, name="retry").order_by("seq")] == [1, 2]
    assert tokens_written(run) == ended.tokens_in + ended.tokens_out
    hold_what_must_hold(run)


def test_a_stream_that_broke_off_is_paid_for_as_far_as_it_was_counted(run: Run, settings: Any, tmp_path: Path) -> None:
    with messages_api(tmp_path, [opens_ticket(), {"fault": "cut", "after": 6}]) as api:
        think_with(settings, api.url, DEADLINE_S)
        held = drive(run).run
        counted = sum(api.requests[-1]["usage"].values())
    paid = Step.objects.get(run=run, name="retry").payload
    assert paid["tokens_in"] == counted and paid["tokens_out"] > 0
    assert 0 < paid["cost_micro_usd"] < held.cost_micro_usd
    assert not held.cost_known, "the answer's own tokens are an estimate, so the cost is “or more”"


def test_a_refusal_at_the_door_costs_nothing(run: Run, settings: Any, tmp_path: Path) -> None:
    with messages_api(tmp_path, [opens_ticket(), status(500)]) as api:
        think_with(settings, api.url, DEADLINE_S)
        held = drive(run).run
    assert "tokens_in" not in Step.objects.get(run=run, name="retry").payload
    assert held.cost_known


def test_ten_minutes_of_overload_open_the_circuit_and_one_worker_probes_each_minute(
    run: Run, team: Team, alice: User, settings: Any, tmp_path: Path, redis_url: str
) -> None:
    shared = redis.Redis.from_url(redis_url)
    shared.flushall()
    other = a_run(team, alice, tmp_path / "incident", "Why, too? Create a ticket.")
    with messages_api(tmp_path, [opens_ticket(), *[status(529, "overloaded_error")] * 5, reports()]) as api:
        think_with(settings, api.url, DEADLINE_S)
        for _ in range(5):
            drive(run)
            let_own_hold_pass(run)
        assert breaker.wait_s("claude") > 50, "after five faults nobody asks for a minute"
        waits = [drive(one).run for one in (run, other)]
        assert len(api.requests) == 6, "no request while it is open"
        assert [one.hold_reason for one in waits] == ["The model's API is being left alone for a while."] * 2
        assert waits[0].attempt == 5, "waiting is no attempt"
        shared.delete("breaker:claude:closed_until")  # the minute is over
        assert [breaker.wait_s("claude") > 0 for _ in range(3)] == [False, True, True], "one probe, the others wait"
        shared.delete("breaker:claude:probe")
        let_hold_pass(run)
        assert drive(run).run.state == RunState.DONE
    assert breaker.wait_s("claude") == 0
    hold_what_must_hold(run)


@contextmanager
def _nobody_listens() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def _nobody_accepts() -> Iterator[str]:
    """Its queue of connections is full, so that the next one is not even refused."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}"
        for one in waiting:
            one.close()


@contextmanager
def _no_such_name() -> Iterator[str]:
    yield "http://model.invalid"


@contextmanager
def _unknown_certificate(folder: Path) -> Iterator[str]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=_shake_hands, args=(context, plain), daemon=True).start()
        yield f"https://127.0.0.1:{plain.getsockname()[1]}"


def _shake_hands(context: ssl.SSLContext, plain: socket.socket) -> None:
    while True:
        try:
            connection, _ = plain.accept()
        except OSError:
            return  # the test is over
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            connection.close()


@pytest.mark.parametrize("kind", ["refused", "not accepted", "no such name", "unknown certificate"])
def test_an_address_that_does_not_answer_is_waited_for(run: Run, settings: Any, tmp_path: Path, kind: str) -> None:
    away = {
        "refused": _nobody_listens, "not accepted": _nobody_accepts, "no such name": _no_such_name,
        "unknown certificate": lambda: _unknown_certificate(tmp_path),
    }[kind]  # fmt: skip
    with messages_api(tmp_path, [opens_ticket(), status(503), reports()]) as api:
        think_with(settings, api.url, DEADLINE_S)
        drive(run)
        let_hold_pass(run)
        with away() as url:
            think_with(settings, url, DEADLINE_S)
            held = drive(run)
        assert held.seconds < DEADLINE_S + SLACK_S
        assert (held.run.state, held.run.attempt) == (RunState.PLAN, 2) and held.run.hold_until is not None
        assert held.run.tokens_in == Run.objects.get(pk=run.pk).tokens_in
        hold_what_must_hold(run)
        let_hold_pass(run)
        think_with(settings, api.url, DEADLINE_S)
        assert drive(run).run.state == RunState.DONE
    hold_what_must_hold(run)


def test_an_api_that_stays_away_for_hours_ends_the_run_with_its_name(run: Run, settings: Any, tmp_path: Path) -> None:
    with messages_api(tmp_path, [opens_ticket(), *[status(503)] * 60]) as api:
        think_with(settings, api.url, DEADLINE_S)
        ended = drive_to_end(run)
    assert (ended.state, ended.failure_code) == (RunState.FAILED, "model_unavailable")
    assert "Tried 50 times." in ended.failure
    hold_what_must_hold(run)


def test_a_process_killed_in_the_middle_of_an_answer_costs_one_call_twice_at_most(
    fast_folder: Path, tmp_path: Path
) -> None:
    incident = write_incident(tmp_path / "incident")
    silence = {"fault": "stall", "seconds": 300, "after": 4}
    with messages_api(tmp_path, [looks(1), silence, looks(2), reports()]) as api:
        env = environment(
            fast_folder, ANTHROPIC_API_KEY="key-1", ANTHROPIC_BASE_URL=api.url, OPSPILOT_LEASE_S="3",
            OPSPILOT_HEARTBEAT_S="1",
        )  # fmt: skip
        words = [sys.executable, "manage.py", "investigate", "--json", "--data", str(incident), "Why?"]
        first = subprocess.Popen(words, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
        wait_until(lambda: len(api.requests) == 2)
        time.sleep(0.5)  # the answer's first events are on their way
        first.kill()
        first.wait()
        time.sleep(3.5)  # its lease lapses
        subprocess.run([sys.executable, "manage.py", "drive", "1"], cwd=ROOT, env=env, check=True)
        asked = len(api.requests)
    assert asked == 4, "two moves, the conclusion, and the one that was lost"
    subprocess.run([sys.executable, "manage.py", "fsck"], cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
    shown = subprocess.run(
        [sys.executable, "manage.py", "runs", "--json"], cwd=ROOT, env=env, check=True, capture_output=True, text=True
    )
    assert '"DONE"' in shown.stdout


def wait_until(is_so: Callable[[], bool], at_most_s: float = 60) -> None:
    deadline = time.monotonic() + at_most_s
    while not is_so():
        assert time.monotonic() < deadline, f"it is not so after {at_most_s} s"
        time.sleep(0.05)
