"""One HTTP service, asked within limits: no other host, no redirect, a cap on bytes and on time, two queries at once.

Everything that goes wrong is a NotAnswered whose text says what was asked, what came back and what to do.
"""

from __future__ import annotations

import email.utils
import json
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import httpx2
from pydantic_core import from_json

from tools.base import ToolError
from tools.web.access import Access, NoAccess
from tools.web.addresses import Forbidden, Place, Resolver, resolve
from tools.web.turns import NoTurn, keep_silent, turn

DEADLINE_S = 12.0  # of one request, and of all requests for one question: a tool has 30 s
CONNECT_S = 4.0
MAX_BYTES = 32 * 2**20
MAX_SAID = 300  # characters of what an error page says
DEFAULT_SILENCE_S = 30.0

Params = Mapping[str, str | int | float | list[str]]


class NotAnswered(ToolError):
    """The service gave no usable answer. `status` is the HTTP status where there was one, else 0.

    `may_have_happened`: the request left, and nobody knows what became of it.
    """

    def __init__(self, text: str, status: int = 0, *, may_have_happened: bool = False):
        super().__init__(text)
        self.status = status
        self.may_have_happened = may_have_happened


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: httpx2.Headers
    body: bytes

    def json(self) -> Any:
        """Raises ValueError."""
        return read_json(self.body)


def read_json(body: bytes) -> Any:
    """The value, by the slower parser where a text holds half of a surrogate pair. Raises ValueError."""
    try:
        return from_json(body)
    except ValueError:
        try:
            return json.loads(body)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def clean(text: str, limit: int) -> str:
    """Foreign text for a sentence: cut, on one line, without what a database or a terminal would choke on."""
    line = " ".join(text[: 2 * limit].split()).encode("utf-8", "replace").decode()
    return "".join(char for char in line if char.isprintable())[:limit]


def said(body: bytes) -> str:
    """What an error page says: the usual fields of JSON, else its first words."""
    try:
        value = read_json(body)
    except ValueError:
        text = body[: 4 * MAX_SAID].decode("utf-8", "replace")
        return "" if text.lstrip()[:1] == "<" else clean(text, MAX_SAID)
    for _ in range(4):
        if not isinstance(value, dict):
            break
        names = ("error", "message", "reason", "errorMessages", "errors", "root_cause", "type")
        value = next((value[name] for name in names if value.get(name)), "")
        value = value[0] if isinstance(value, list) and value else value
    return clean(value if isinstance(value, str) else json.dumps(value), MAX_SAID)


@dataclass
class Client:
    """Made for one question: all its requests share one deadline, which begins with the first of them."""

    who: str  # as people know it: "prod-logs: Loki at https://…"
    place: Place
    access: Access = field(default_factory=Access)
    private: bool = False  # the operator has listed this very host
    deadline_s: float = field(default_factory=lambda: DEADLINE_S)
    max_bytes: int = field(default_factory=lambda: MAX_BYTES)
    explain: Callable[[bytes], str] = said
    resolver: Resolver = socket.getaddrinfo

    def get(self, path: str, params: Params | None = None, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON value at that path. Raises NotAnswered."""
        return self._value(path, self.send("GET", path, params, headers=headers))

    def post(self, path: str, *, form: Params | None = None, body: Any = None) -> Any:
        """The same for a query that is sent as a form or as JSON."""
        return self._value(path, self.send("POST", path, form=form, body=body))

    def send(
        self, method: str, path: str, params: Params | None = None, *, form: Params | None = None, body: Any = None,
        headers: Mapping[str, str] | None = None, accept: frozenset[int] = frozenset(),
    ) -> Answer:  # fmt: skip
        """One exchange. Statuses of 400 and above raise NotAnswered unless they are in `accept`."""
        content = {"json": body} if body is not None else {"data": dict(form)} if form is not None else {}
        try:
            with turn(str(self.place), self.ends):
                answer = self._exchange(method, path, dict(params or {}), content, dict(headers or {}))
        except (NoTurn, NoAccess, Forbidden) as refusal:
            raise NotAnswered(f"{self.who} was not asked: {refusal}") from None
        except httpx2.TimeoutException as error:
            words = f"{self.who} did not answer within {self.deadline_s:g} s ({path})."
            raise NotAnswered(words, may_have_happened=not isinstance(error, httpx2.ConnectTimeout)) from None
        except httpx2.ConnectError as error:
            raise NotAnswered(f"{self.who} cannot be reached: {_reason(error)}.") from None
        except OSError as error:
            raise NotAnswered(f"{self.who}: {self.place.host} does not resolve ({error.strerror or error}).") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            words = f"{self.who} broke off or spoke no HTTP: {_reason(error)} ({path})."
            raise NotAnswered(words, may_have_happened=True) from None
        if answer.status >= 300 and answer.status not in accept:
            words = self._in_words(path, answer)
            raise NotAnswered(words, answer.status, may_have_happened=answer.status >= 500)
        return answer

    @cached_property
    def ends(self) -> float:
        """When the time for the whole question is over (monotonic)."""
        return time.monotonic() + self.deadline_s

    @cached_property
    def _http(self) -> httpx2.Client:
        # trust_env off: a proxy or netrc of the environment would lead past the guards.
        verify = self.access.certificates() if self.place.scheme == "https" else False
        return httpx2.Client(verify=verify, trust_env=False, follow_redirects=False)

    @cached_property
    def _address(self) -> str:
        """Resolved once: a name that answers differently the second time is not asked a second time."""
        address = resolve(self.place, self.private, self.resolver)
        return f"[{address}]" if address.version == 6 else str(address)

    def _exchange(
        self, method: str, path: str, params: dict[str, Any], content: dict[str, Any], headers: dict[str, str]
    ) -> Answer:
        left = self.ends - time.monotonic()
        if left <= 0:
            raise httpx2.ReadTimeout("the time for the whole question is over")
        place = self.place
        # Identity: a compressed answer could unpack to any size.
        sent = {"Host": place.authority, "Accept-Encoding": "identity", "User-Agent": "OpsPilot", **headers}
        request = self._http.build_request(
            method, f"{place.scheme}://{self._address}:{place.port}{place.path}{path}", params=params,
            headers=sent | self.access.sent(), timeout=httpx2.Timeout(left, connect=min(CONNECT_S, left)),
            extensions={"sni_hostname": place.host}, **content,
        )  # fmt: skip
        response = self._http.send(request, stream=True)
        try:
            return Answer(response.status_code, response.headers, self._body(response))
        finally:
            response.close()

    def _body(self, response: httpx2.Response) -> bytes:
        encoding = response.headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise NotAnswered(
                f"{self.who} answered compressed ({encoding}) although it was asked not to.", may_have_happened=True
            )
        found = bytearray()
        for chunk in response.iter_raw():
            found += chunk
            if len(found) > self.max_bytes:
                raise NotAnswered(
                    f"{self.who} sent more than {self.max_bytes // 2**20 or self.max_bytes} "
                    f"{'MB' if self.max_bytes >= 2**20 else 'bytes'}; the rest was not read. Ask for less: a shorter "
                    "range, a wider step, one service.",
                    may_have_happened=True,
                )
            if time.monotonic() > self.ends:
                raise httpx2.ReadTimeout("it dripped")
        return bytes(found)

    def _value(self, path: str, answer: Answer) -> Any:
        try:
            return answer.json()
        except ValueError as error:
            kind = answer.headers.get("content-type", "no content type")
            words = f"{self.who} answered {path} with {len(answer.body):,} bytes that are not JSON ({kind}): {error}."
            if "html" in kind:
                words += " A page for people: a log-in or a proxy stands before it, or its URL lacks a path prefix."
            raise NotAnswered(clean(words, 500), answer.status) from None

    def _in_words(self, path: str, answer: Answer) -> str:
        told = self.explain(answer.body)
        told = f": {told}" if told else ""
        match answer.status:
            case 301 | 302 | 303 | 307 | 308:
                to = clean(answer.headers.get("location", "nowhere"), 200)
                return f"{self.who} redirects to {to}, which is not followed; write the final address as its URL."
            case 401 | 403:
                return f"{self.who} answered {answer.status}: it refuses {self.access.words()}{told}"
            case 404:
                return f"{self.who} has no {path} (404){told}. Is the URL that of the service, with its path prefix?"
            case 429:
                seconds = keep_silent(str(self.place), _retry_after(answer.headers))
                return f"{self.who} answered 429, too many requests: nothing more is asked for {seconds:.0f} s{told}"
            case status if status >= 500:
                return f"{self.who} answered {status}, a fault of its own{told}"
        return f"{self.who} refused the request ({answer.status}){told}"


def _reason(error: Exception) -> str:
    return clean(str(error), MAX_SAID) or type(error).__name__


def _retry_after(headers: httpx2.Headers) -> float:
    """Seconds of a Retry-After, given in seconds or as a date."""
    raw = headers.get("retry-after", "")
    if raw.isdigit():
        return float(raw[:9])
    try:
        return (email.utils.parsedate_to_datetime(raw) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return DEFAULT_SILENCE_S
