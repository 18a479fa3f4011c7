"""Every error of the API in one shape: RFC 9457 `application/problem+json` with a stable `code`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import IntegrityError, OperationalError
from django.http import Http404
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from runs.audit.chain import NoKey
from runs.services.errors import Refused

CONTENT_TYPE = "application/problem+json"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with the body; `field` is empty when it is the body as a whole."""

    field: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Problem:
    status: int
    code: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"urn:opspilot:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        return body | ({"errors": [asdict(error) for error in self.errors]} if self.errors else {})


def problem_response(error: Exception, context: dict[str, Any]) -> Response:
    """What DRF calls for whatever a view raised."""
    set_rollback()
    problem = problem_of(error)
    if request := context.get("request"):
        # Whatever the client accepts, and whatever the view renders: a problem is JSON.
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), "application/json"
    return Response(problem.as_json(), problem.status, headers=dict(problem.headers), content_type=CONTENT_TYPE)


def problem_of(error: Exception) -> Problem:
    """How an exception is told. A mistake of ours goes to the log in full and to the caller in one sentence."""
    match error:
        case Refused():
            return Problem(error.status, error.code, str(error))
        case ValidationError():
            errors = list(_field_errors(error.get_full_details()))
            return Problem(400, errors[0].code, _sentence(errors), errors)
        case APIException():
            return Problem(error.status_code, str(error.get_codes()), str(error.detail), headers=_headers(error))
        case Http404():
            return Problem(404, "not_found", "Nothing is here, or you may not see it.")
        case PermissionDenied():
            return Problem(403, "not_allowed", "You may not do that.")
        case RequestDataTooBig():
            limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            return Problem(413, "body_too_large", f"The body is larger than {limit:,} bytes.")
        case NoKey() | IntegrityError() if _is_unrecorded(error):
            log.error("a change was refused because it could not be recorded: %s", error)
            return Problem(503, "not_recorded", "This cannot be put on record now, so it was not done.")
        case OperationalError():
            log.error("the database does not answer: %s", error)
            words = "The database does not answer; try again shortly."
            return Problem(503, "database_unavailable", words, headers={"Retry-After": "5"})
        case _:
            log.error("the API failed", exc_info=error)
            return Problem(500, "internal_error", "OpsPilot made a mistake; its log says more.")


def _is_unrecorded(error: Exception) -> bool:
    """No key to sign with, or a trigger that let no row of a log be written."""
    return isinstance(error, NoKey) or "append-only" in str(error)


def _headers(error: APIException) -> dict[str, str]:
    headers = {}
    if auth := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = f"{wait:.0f}"
    return headers


def _field_errors(details: Any, path: str = "") -> Iterator[FieldError]:
    """Flatten DRF's tree of lists and dicts: {"sources": {"0": [...]}} → field `sources.0`."""
    match details:
        case {"message": str() as message, "code": code}:
            yield FieldError(path, str(code), str(message))
        case dict():
            for name, inner in details.items():
                own = "" if name == "non_field_errors" else str(name)
                yield from _field_errors(inner, ".".join(filter(None, (path, own))))
        case list():
            for inner in details:
                yield from _field_errors(inner, path)


def _sentence(errors: Sequence[FieldError]) -> str:
    return " ".join(f"{error.field}: {error.detail}" if error.field else error.detail for error in errors[:5])
