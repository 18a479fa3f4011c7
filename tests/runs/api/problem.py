"""Reads a problem+json answer and holds its shape."""

from __future__ import annotations

from typing import Any


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """The body of a refusal, after checking that it is one of RFC 9457 with this status and code."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["code"] == code, body
    assert body["status"] == status
    assert body["type"] == f"urn:opspilot:problem:{code}"
    assert body["title"] and body["detail"]
    return body
