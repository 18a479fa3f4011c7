"""How a service says no: a stable code, an HTTP status and words for people."""

from __future__ import annotations


class Refused(Exception):
    """The record did not change. `code` is stable and snake_case; the text says what happened and what to do."""

    def __init__(self, code: str, message: str, status: int = 409):
        super().__init__(message)
        self.code, self.status = code, status


def not_found(what: str) -> Refused:
    """The same answer for a row that is not there and for one that is not yours."""
    return Refused("not_found", f"No such {what}, or you may not see it.", 404)


NOT_ALLOWED = "not_allowed"


def forbidden(why: str) -> Refused:
    return Refused(NOT_ALLOWED, why, 403)
