"""Asks the Messages API once and returns the whole answer. Retrying, prompts and meaning live elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import anthropic
import httpx2

from agent.claude.answer import Answer, AnswerBuilder, from_message
from agent.claude.faults import SDK_ERRORS, as_fault, may_be_paid
from agent.claude.settings import ClaudeSettings
from agent.claude.usage import BYTES_A_TOKEN, counted
from agent.errors import Misconfigured, PlannerFault, Temporary, Unusable

ANTHROPIC = "https://api.anthropic.com"
CONNECT_S = 10.0
# What JSON of another shape than the API's becomes in the SDK, which checks none, or with us.
MISSHAPEN = (AttributeError, LookupError, TypeError)
MAX_ANSWER_BYTES = 32_000_000  # the largest max_tokens, one token an event; a server that never ends is no model


class ClaudeClient:
    """One connection pool to one address, for one thread: a call sets the deadline of the transport.

    Retries of the SDK are off: retrying is the run's, durable and visible.
    """

    def __init__(self, settings: ClaudeSettings):
        self.settings = settings

    @cached_property
    def _transport(self) -> _BoundedTransport:
        return _BoundedTransport(self.settings.proxy or None)

    @cached_property
    def _sdk(self) -> anthropic.Anthropic:
        """Made at the first call, inside its `try`: a base URL that cannot be parsed is a fault like any other."""
        return anthropic.Anthropic(
            api_key=self.settings.api_key,
            base_url=self.settings.base_url or ANTHROPIC,  # never None: the SDK would read the environment
            max_retries=0,
            open_telemetry=False,
            # Identity: a compressed answer could unpack to any size. No redirects: the key must not travel on.
            default_headers={"accept-encoding": "identity"},
            http_client=httpx2.Client(transport=self._transport, follow_redirects=False),
        )

    def ask(self, body: dict[str, Any], on_text: Callable[[str], None], deadline: float) -> Answer:
        """The answer to one request, before `deadline` (monotonic). Raises agent.errors.PlannerFault for all else."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise Temporary("The model did not answer in time.")
        stall = min(self.settings.stall_s, remaining)
        sent = body | {"timeout": httpx2.Timeout(stall, connect=min(CONNECT_S, stall))}
        heard = AnswerBuilder(on_text)
        try:
            self._transport.begin(deadline)
            answer = self._stream(sent, heard) if self.settings.stream else self._whole(sent)
            return replace(answer, sent_bytes=self._transport.sent_bytes)
        except SDK_ERRORS as error:
            raise self._with_usage(as_fault(error), body["model"], heard, may_be_paid(error)) from error
        except PlannerFault as fault:
            raise self._with_usage(fault, body["model"], heard, is_paid=False) from None

    def _with_usage(self, fault: PlannerFault, model: str, heard: AnswerBuilder, is_paid: bool) -> PlannerFault:
        """What a call that failed used: as far as the API had counted, else, where it was taken, by its size."""
        figures = heard.counted()
        if not figures and is_paid:
            figures = {"input_tokens": self._transport.sent_bytes // BYTES_A_TOKEN, "output_tokens": 0}
        if figures:
            fault.usage = counted(figures, model, is_estimate=True)
        return fault

    def _stream(self, body: dict[str, Any], heard: AnswerBuilder) -> Answer:
        with self._sdk.messages.create(**body, stream=True) as events:
            _refuse_other_content(events.response, "text/event-stream")
            try:
                for event in events:
                    heard.add(event.to_dict(warnings=False))  # a block of tomorrow is no fault
            except MISSHAPEN as error:
                raise Unusable("The model's stream holds an event that is not one of the Messages API.") from error
            return heard.finish(events.response.headers.get("request-id", ""))

    def _whole(self, body: dict[str, Any]) -> Answer:
        response = self._sdk.messages.with_raw_response.create(**body)
        _refuse_other_content(response.http_response, "application/json")
        try:
            message = response.parse().to_dict(warnings=False)
        except MISSHAPEN as error:
            raise Unusable("The model's address answered JSON that is not a message.") from error
        return from_message(message, request_id=response.headers.get("request-id", ""))


def _refuse_other_content(response: httpx2.Response, expected: str) -> None:
    content_type = response.headers.get("content-type", "")
    if not content_type.startswith(expected):
        raise Unusable(
            f"The model's address answered {content_type or 'no content type'} instead of {expected}. "
            "Is the base URL that of a Messages API?"
        )


class _DeadlineExceededError(httpx2.ReadTimeout):
    """The whole answer took too long, although bytes kept coming."""


class _BoundedTransport(httpx2.HTTPTransport):
    """Ends an answer that drips for ever or never stops growing; the SDK's own time-out only sees silence."""

    def __init__(self, proxy: str | None):
        super().__init__(proxy=proxy)
        self.deadline = float("inf")
        self.sent_bytes = 0

    def begin(self, deadline: float) -> None:
        self.deadline, self.sent_bytes = deadline, 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.sent_bytes = int(request.headers.get("content-length", 0))
        response = super().handle_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            response.close()
            raise Misconfigured("The model's address answered compressed although it was asked not to.")
        assert isinstance(response.stream, httpx2.SyncByteStream)  # noqa: S101 - what a synchronous transport returns
        response.stream = _BoundedStream(response.stream, self.deadline, request)
        return response


class _BoundedStream(httpx2.SyncByteStream):
    def __init__(self, inner: httpx2.SyncByteStream, deadline: float, request: httpx2.Request):
        self._inner = inner
        self._deadline = deadline
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._inner:
            size += len(chunk)
            if size > MAX_ANSWER_BYTES:
                raise Unusable(f"The model's answer is longer than {MAX_ANSWER_BYTES:,} bytes.")
            if time.monotonic() > self._deadline:
                raise _DeadlineExceededError("deadline", request=self._request)
            yield chunk

    def close(self) -> None:
        self._inner.close()
