"""Sends a declared HTTP request through the guards that every source has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tools.base import Preview, Status, ToolContext, ToolError, ToolResult
from tools.declared.declaration import Declaration, Request, filled, filled_value
from tools.tickets.tracker import Unsure
from tools.web.access import Access
from tools.web.addresses import Forbidden, Place, read_place
from tools.web.client import Client, NotAnswered

ACCESS = ("token_file", "user", "password_file", "api_key_file", "ca_file")


def run_request(declaration: Declaration, context: ToolContext, args: Mapping[str, Any]) -> ToolResult:
    request = _request(declaration)
    place, path = _place(request), _path(request, args)
    access = Access(**{name: getattr(request, name) for name in ACCESS}, headers=tuple(request.headers.items()))
    client = Client(
        declaration.name, place, access, request.private, declaration.timeout_s, max_bytes=declaration.output_limit
    )
    query = {name: filled(value, args) for name, value in request.query.items()}
    headers = {"Idempotency-Key": context.key} if declaration.settle == "by_key" else {}
    try:
        answer = client.send(
            request.method,
            path,
            query,
            body=filled_value(request.body, args) if request.body else None,
            headers=headers,
        )
    except NotAnswered as error:
        is_write = declaration.risk.value not in ("read", "read_egress")
        raise Unsure(str(error)) if error.may_have_happened and is_write else error from None
    text = answer.body.decode("utf-8", "replace")
    return ToolResult(
        status=Status.SUCCESS if text.strip() or request.method != "GET" else Status.NO_DATA,
        summary=f"{request.method} {place.host}{path} answered {answer.status}, {len(answer.body):,} bytes.",
        data={"status": answer.status, "body": _value(text)},
        figures={"status": answer.status},
        query={"method": request.method, "url": f"{place.scheme}://{place.authority}{path}", **query},
        source=declaration.name,
    )


def preview_request(declaration: Declaration, args: Mapping[str, Any]) -> Preview:
    request = _request(declaration)
    place = _place(request)
    lines = [f"{request.method} {place.scheme}://{place.authority}{_path(request, args)}"]
    lines += [f"{name}={filled(value, args)}" for name, value in request.query.items()]
    if request.body:
        lines.append(json.dumps(filled_value(request.body, args), indent=2, ensure_ascii=False))
    return Preview(
        sentence=f"Send {request.method} to {place.host}.",
        destination=place.authority,
        undo="" if declaration.risk.value != "write" else "can be undone, says its declaration",
        body="\n".join(lines),
    )


def _request(declaration: Declaration) -> Request:
    assert declaration.request is not None  # noqa: S101 - a declaration without a command has one
    return declaration.request


def _place(request: Request) -> Place:
    """Scheme, host and port alone: the path has placeholders."""
    scheme, _, rest = request.url.partition("://")
    try:
        return read_place(f"{scheme}://{rest.partition('/')[0]}")
    except Forbidden as refusal:
        raise ToolError(str(refusal)) from None


def _path(request: Request, args: Mapping[str, Any]) -> str:
    """Each value stays within its part of the path."""
    path = request.url.partition("://")[2].partition("/")[2]
    filled_in = "/".join(filled(part, args, lambda value: quote(value, safe="")) for part in path.split("/"))
    if any(part in (".", "..") for part in filled_in.split("/")):
        raise ToolError("A value must not be . or .. in the path of a URL.")
    return f"/{filled_in}"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
