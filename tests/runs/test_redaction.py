"""Secrets leave text by their shape, once; ordinary lines stay as they are."""

from __future__ import annotations

import pytest

from runs.redaction import redact, redact_json

SECRETS = [
    ("password=hunter2!", "hunter2!"),
    ('{"db_password": "hunter2hunter2"}', "hunter2hunter2"),
    ("postgres://app:s3cr3tword@db:5432/shop", "s3cr3tword"),
    ("Authorization: Bearer abcdefghijklmnop1234", "abcdefghijklmnop1234"),
    ("authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA=="),
    ("Set-Cookie: session=9f8e7d6c5b4a; HttpOnly", "9f8e7d6c5b4a"),
    ("key AKIAIOSFODNN7EXAMPLE used", "AKIAIOSFODNN7EXAMPLE"),
    ("token ghp_0123456789abcdefghijklmnopqrstuvwxyzAB", "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB"),
    ("sk-ant-api03-abcdefghijklmnopqrst", "sk-ant-api03-abcdefghijklmnopqrst"),
    ("xoxb-123456789012-abcdef", "xoxb-123456789012-abcdef"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN", "dozjgNryP4J3jVmN"),
    ("ops_0a1b2c3d_abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----", "MIIEow"),
    ("api_key: 0123456789abcdef", "0123456789abcdef"),
]
ORDINARY = [
    "2026-03-04T12:00:00Z INFO orders-api GET /orders/7 200 in 12ms request_id=4f2c",
    "Connection is not available, request timed out after 5000ms (active=10, idle=0)",
    "commit 9c1f0a7be2d34c55a1 by dana: rotate the signing certificate",
    "pod checkout-7d9f8b6c5-x2x9p restarted 3 times",
    "jwt validation failed: token is expired",
    "https://example.org/path?page=2#top",
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_secret_is_replaced_by_its_kind(text: str, secret: str) -> None:
    clean = redact(text)
    assert secret not in clean and "«redacted:" in clean


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_redacting_twice_changes_nothing_more(text: str, secret: str) -> None:
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize("line", ORDINARY)
def test_an_ordinary_line_stays_as_it_is(line: str) -> None:
    assert redact(line) == line


def test_every_text_of_a_json_value_is_looked_at() -> None:
    clean = redact_json({"rows": [{"message": "password=hunter2"}, 7, None], "password=hunter3": True})
    assert "hunter" not in str(clean)
