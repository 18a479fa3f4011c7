"""Every error of the API in one shape: RFC 9457 `application/problem+json` with a stable `code`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from runs.services.errors import Refused

CONTENT_TYPE = "application/problem+json"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with the body; `field` is empty when it is the body as a whole."""

    field: str
    code: str
    detail: str


def problem_response(error: Exception, context: dict[str, Any]) -> Response:
    """What DRF calls for whatever a view raised. An error of ours is logged in full and told in one sentence."""
    set_rollback()
    status, code, detail, headers = 500, "internal_error", "OpsPilot made a mistake; its log says more.", {}
    errors: list[FieldError] = []
    match error:
        case Refused():
            status, code, detail = error.status, error.code, str(error)
        case ValidationError():
            errors = list(_field_errors(error.get_full_details()))
            status, code, detail = 400, errors[0].code, _sentence(errors)
        case APIException():
            status, code, detail = error.status_code, str(error.get_codes()), str(error.detail)
            headers = _headers(error)
        case Http404():
            status, code, detail = 404, "not_found", "Nothing is here, or you may not see it."
        case PermissionDenied():
            status, code, detail = 403, "not_allowed", "You may not do that."
        case RequestDataTooBig():
            status, code, detail = 413, "body_too_large", "The body is too large."
        case OperationalError():
            log.error("the database does not answer: %s", error)
            status, code, detail = 503, "database_unavailable", "The database does not answer; try again shortly."
            headers = {"Retry-After": "5"}
        case _:
            log.error("the API failed", exc_info=error)
    if request := context.get("request"):
        # Whatever the client accepts, and whatever the view renders: a problem is JSON.
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), "application/json"
    return Response(_problem(status, code, detail, errors), status, headers=headers, content_type=CONTENT_TYPE)


def _problem(status: int, code: str, detail: str, errors: list[FieldError]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": f"urn:opspilot:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if errors:
        body["errors"] = [asdict(error) for error in errors]
    return body


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


def _sentence(errors: list[FieldError]) -> str:
    return " ".join(f"{error.field}: {error.detail}" if error.field else error.detail for error in errors[:5])
