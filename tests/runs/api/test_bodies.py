"""Bodies that two readers could understand differently, or that would hurt the server."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User

from runs.api.parsers import parse_strictly
from runs.models import Run
from tests.runs.api.conftest import Caller
from tests.runs.api.problem import problem


def _nested(depth: int) -> str:
    return '{"goal":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


@pytest.mark.parametrize(
    "body",
    [
        "{", "", "nul", '{"goal": NaN}', '{"goal": Infinity}', '{"goal": -Infinity}', '{"goal": 1e999}',
        '{"goal": "a", "goal": "b"}', "[" * 100_000, '{"a":' * 70 + "1" + "}" * 70, '{"goal": ' + "9" * 5_000 + "}",
        b'{"goal": "\xff"}',
    ],
)  # fmt: skip
def test_what_is_not_plain_json_is_refused(alice: User, by_token: Caller, body: str | bytes) -> None:
    response = by_token(alice).generic("POST", "/api/runs", body or " ", content_type="application/json")

    problem(response, 400, "malformed_json")
    assert not Run.objects.exists()


def test_half_a_character_is_refused(alice: User, by_token: Caller) -> None:
    response = by_token(alice).generic("POST", "/api/runs", r'{"goal": "a\ud800b"}', content_type="application/json")

    problem(response, 400, "surrogate_characters_not_allowed")


def test_depth_64_is_read_and_65_is_not() -> None:
    assert parse_strictly(_nested(64)) == json.loads(_nested(64))
    with pytest.raises(ValueError, match="deeper than 64"):
        parse_strictly(_nested(65))


def test_brackets_inside_strings_are_not_depth() -> None:
    text = json.dumps({"goal": '"' + "[{" * 500 + '\\"'})

    assert parse_strictly(text) == json.loads(text)


def test_brackets_after_an_escaped_quote_are_inside_the_string_still() -> None:
    assert parse_strictly(r'["\"' + "[" * 100 + '"]') == ['"' + "[" * 100]


def test_a_megabyte_of_escapes_in_a_string_without_end_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="Unterminated"):
        parse_strictly('{"goal": "' + r"\"" * 400_000)


def test_a_body_above_one_megabyte_is_refused(alice: User, by_token: Caller) -> None:
    problem(by_token(alice).post("/api/runs", {"goal": "x" * 1_000_001}), 413, "body_too_large")


def test_a_form_is_not_json(alice: User, by_token: Caller) -> None:
    response = by_token(alice).generic(
        "POST", "/api/runs", "goal=Why", content_type="application/x-www-form-urlencoded"
    )

    problem(response, 415, "unsupported_media_type")
