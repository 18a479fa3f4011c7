"""What the approval page is made of: words of the effect, arguments, and which facts carry the most weight."""

from __future__ import annotations

import pytest

from runs.models import Approval, ToolCall
from runs.presentation.review import arguments_of, effect_words, strongest, subject_of


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("Create a ticket in OpsPilot.", "Create the ticket"),
        ("Open an issue in github.com/acme/shop.", "Open the issue"),
        ("Restart orders-api on cluster prod.", "Restart orders-api"),
        ("", "Run do_it"),
        ("x" * 60, "Run do_it"),
    ],
)
def test_the_button_says_what_it_does(sentence: str, words: str) -> None:
    assert effect_words(Approval(tool="do_it", preview={"sentence": sentence})) == words


def test_arguments_come_in_full_from_the_bytes_that_run() -> None:
    approval = Approval(
        call=ToolCall(), args_canonical='{"body":"' + "x" * 9_000 + '","count":3,"where":{"a":[1,null]}}'
    )
    shown = {argument.name: argument.text for argument in arguments_of(approval)}
    assert len(shown["body"]) == 9_000
    assert shown["count"] == "3"
    assert shown["where"].replace("\n", "").replace(" ", "") == '{"a":[1,null]}'


def test_an_argument_names_where_its_text_was_copied_from() -> None:
    marks = [{"argument": "body", "sources": ["E2", "alert"], "spans": ["request timed out"]}]
    call = ToolCall(taint=marks)
    approval = Approval(call=call, args_canonical='{"body":"request timed out","title":"it is slow"}')
    shown = {argument.name: argument.copied_from for argument in arguments_of(approval)}
    assert shown == {"body": ["E2", "the alert"], "title": []}

    marks[0]["sources"] = ["E7", "E1", "E2", "E3", "E4", "E5"]
    assert arguments_of(approval)[0].copied_from == ["E7", "E1", "E2", "E3", "2 more"]


def test_the_mechanism_leads_inferences_come_last_and_what_did_not_hold_is_no_fact() -> None:
    def claim(statement: str, role: str, verdict: str) -> dict[str, str]:
        return {"statement": statement, "role": role, "verdict": verdict}

    claims = [
        claim("it is slow", "symptom", "number_matches"),
        claim("so it is the pool", "mechanism", "inference"),
        claim("the disk is full", "mechanism", "not_in_evidence"),
        claim("it began earlier", "against", "quote_found"),
        claim("the limit was lowered", "change", "quote_found"),
        claim("all are in use", "mechanism", "number_matches"),
    ]
    assert [fact.statement for fact in strongest(claims)] == ["all are in use", "the limit was lowered", "it is slow"]
    assert [fact.statement for fact in strongest(claims, 9)][-1] == "so it is the pool"


def test_the_subject_is_the_previews_first_line_without_its_heading_mark() -> None:
    assert subject_of(Approval(preview={"body": "\n# orders-api: pool\n\nmore"})) == "orders-api: pool"
    assert subject_of(Approval(preview={})) == ""
