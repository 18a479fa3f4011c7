"""The audit browser: what it lists, its filters and its export, and that it sees a chain that was tampered with."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from runs.admin.audit import PAGE_SIZE
from runs.audit.export import cell
from runs.models import AuditEvent, Run, Step, Team
from runs.services.actors import Actor
from runs.services.approvals import decide_approval
from runs.services.runs import add_note, cancel_run
from tests.runs.making import make_question
from tests.runs.pages import stories

pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")


@pytest.fixture
def run(team: Team, alice: User) -> Run:
    story = stories.begin(alice, team)
    stories.gather(story)
    stories.ask(story)
    return story.run


def shown(client: Client, **query: object) -> str:
    answer = client.get("/admin/audit/", query)
    assert answer.status_code == 200
    return answer.content.decode()


def exported(client: Client, file: str, **query: object) -> str:
    answer = client.post(f"/admin/audit/export.{file}", query_params=query)
    assert answer.status_code == 200
    return b"".join(answer).decode()


def rows(page: str) -> int:
    return page.count('class="audit__row"')


def test_each_step_says_when_who_for_whom_what_and_the_result(as_bob: Client, run: Run) -> None:
    page = shown(as_bob)
    assert rows(page) == run.steps.count()
    for words in ("driver", "for alice", "asked for approval in <strong>run", "Waiting for approval", "create"):
        assert words in page


@pytest.mark.parametrize(
    ("happened", "words"), [(True, "said that it happened"), (False, "said that it did not happen")]
)
def test_an_answer_is_not_listed_as_an_approval(
    as_bob: Client, bob: User, team: Team, alice: User, happened: bool, words: str
) -> None:
    question = make_question(team, alice)
    decide_approval(question.pk, user=bob, approve=happened, args_sha256=question.args_sha256)
    page = shown(as_bob, kind="vote")
    assert f"{words}, in <strong>request {question.pk}" in page
    assert "approved <strong>" not in page
    assert "denied <strong>" not in page


def test_the_payload_is_folded_and_hostile_text_in_it_is_inert(as_bob: Client, run: Run, alice: User) -> None:
    add_note(run.pk, Actor.person(alice), "<script>alert(1)</script> \u202egnp.exe")
    page = shown(as_bob)
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "<details open" not in page
    assert "⟦U+202E⟧" in page


def test_the_filters_narrow_by_who_kind_run_and_time(
    as_bob: Client, run: Run, team: Team, alice: User, bob: User
) -> None:
    other = stories.begin(alice, team, goal="Another question").run
    add_note(run.pk, Actor.person(bob), "look at the pool")
    assert rows(shown(as_bob, actor="bob")) == 1
    assert rows(shown(as_bob, actor="user:bob")) == 1
    assert rows(shown(as_bob, kind="note")) == 1
    assert rows(shown(as_bob, run=other.pk)) == other.steps.count()
    newest = Step.objects.order_by("-at").first()
    assert newest is not None
    assert rows(shown(as_bob, since=(newest.at + timedelta(minutes=1)).isoformat())) == 0
    assert rows(shown(as_bob, until=(newest.at + timedelta(minutes=1)).isoformat())) == Step.objects.count()
    assert "No row matches" in shown(as_bob, actor="nobody")


@pytest.mark.parametrize(
    "query", [{"run": "x"}, {"run": "0"}, {"since": "yesterday-ish"}, {"kind": "rumour"}, {"before": "-1"}]
)
def test_a_filter_that_makes_no_sense_is_said_and_not_ignored_in_the_export(
    as_bob: Client, run: Run, query: dict[str, str]
) -> None:
    assert as_bob.get("/admin/audit/", query).status_code == 400
    assert as_bob.post("/admin/audit/export.csv", query_params=query).status_code == 404


def test_paging_walks_every_step_once_without_offset_and_without_counting(as_bob: Client, run: Run, bob: User) -> None:
    for number in range(PAGE_SIZE):
        add_note(run.pk, Actor.person(bob), f"note {number}")
    seen: list[int] = []
    query: dict[str, object] = {}
    while True:
        with CaptureQueriesContext(connection) as queries:
            answer = as_bob.get("/admin/audit/", query)
        sql = " ".join(q["sql"] for q in queries if "runs_step" in q["sql"])
        assert "OFFSET" not in sql
        assert "COUNT(" not in sql
        seen += [row.row.seq for row in answer.context["rows"]]
        if not answer.context["older_query"]:
            break
        query = dict(pair.split("=") for pair in answer.context["older_query"].split("&"))
    assert seen == list(range(Step.objects.count(), 0, -1))


def test_the_page_after_keeps_the_filter(as_bob: Client, run: Run, bob: User) -> None:
    for number in range(PAGE_SIZE + 1):
        add_note(run.pk, Actor.person(bob), f"note {number}")
    answer = as_bob.get("/admin/audit/", {"kind": "note", "actor": "bob"})
    assert "kind=note" in answer.context["older_query"]
    assert "actor=bob" in answer.context["older_query"]


def test_a_whole_chain_is_said_to_be_intact(as_bob: Client, run: Run) -> None:
    assert "have not been verified" in shown(as_bob)
    assert "1 chain intact" in shown(as_bob, verify=1)
    assert "1 chain intact" in shown(as_bob, run=run.pk)


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda steps: steps.filter(seq=3).update(actor="user:nobody"), "step 3: the step was altered"),
        (lambda steps: steps.filter(seq=3).update(body="{}"), "payload was altered"),
        (lambda steps: steps.filter(seq=3).delete(), "step 3: a step is missing"),
        (lambda steps: steps.order_by("-seq").first().delete(), "steps are missing at the end"),
    ],
)
def test_a_tampered_chain_is_named_with_its_first_bad_step(
    as_bob: Client, run: Run, damage: object, words: str
) -> None:
    damage(Step.objects.filter(run=run))  # type: ignore[operator]
    page = shown(as_bob, verify=1)
    assert "A chain is broken." in page
    assert words in page


def test_another_teams_steps_are_neither_listed_nor_verified_nor_exported(as_mallory: Client, run: Run) -> None:
    assert rows(shown(as_mallory)) == 0
    page = shown(as_mallory, run=run.pk)
    assert rows(page) == 0
    assert "chain intact" not in page
    assert exported(as_mallory, "jsonl") == ""


def test_json_lines_hold_what_was_chained_and_follow_the_filter(as_bob: Client, run: Run, alice: User) -> None:
    add_note(run.pk, Actor.person(alice), "line\nbreak \u2028 and \u202e")
    lines = exported(as_bob, "jsonl").splitlines()
    steps = [json.loads(line) for line in lines]
    assert [step["seq"] for step in steps] == list(range(Step.objects.count(), 0, -1))
    assert steps[0]["payload"] == {"text": "line\nbreak \u2028 and \u202e"}
    assert all(step["mac"] and step["payload_sha256"] for step in steps)
    assert len(exported(as_bob, "jsonl", kind="note").splitlines()) == 1


def test_csv_cannot_be_run_by_a_spreadsheet(as_bob: Client, run: Run, bob: User) -> None:
    cancel_run(run.pk, Actor.person(bob), '=HYPERLINK("http://evil.example","x")')
    table = list(csv.DictReader(io.StringIO(exported(as_bob, "csv"))))
    assert len(table) == Step.objects.count()
    assert not [value for row in table for value in row.values() if value.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert "HYPERLINK" in table[0]["result"]


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_a_cell_that_would_be_a_formula_is_text(start: str) -> None:
    assert cell(start).startswith("'")


@pytest.mark.parametrize("honest", ["bob", "10 = 10", "a-b", ""])
def test_an_honest_cell_is_left_alone(honest: str) -> None:
    assert cell(honest) == honest


def test_the_export_has_more_chunks_than_one(
    as_bob: Client, run: Run, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.audit.export.CHUNK", 7)
    assert len(exported(as_bob, "jsonl").splitlines()) == Step.objects.count() > 14


def test_no_other_format_is_exported(as_bob: Client, run: Run) -> None:
    assert as_bob.post("/admin/audit/export.xlsx").status_code == 404


def test_the_list_costs_the_same_for_few_steps_and_for_many(as_bob: Client, run: Run, bob: User) -> None:
    few = _cost(as_bob)
    for number in range(30):
        add_note(run.pk, Actor.person(bob), f"note {number}")
    assert _cost(as_bob) == few


def _cost(client: Client) -> int:
    with CaptureQueriesContext(connection) as queries:
        shown(client)
    return len(queries)


def test_an_export_is_on_record_itself(as_bob: Client, run: Run) -> None:
    exported(as_bob, "csv", actor="alice")
    event = AuditEvent.objects.get(verb="audit_export")
    assert (event.actor, event.object, event.payload) == ("user:bob", "actor=alice", {"format": "csv"})
