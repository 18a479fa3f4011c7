"""What an SDK error means for a run: the one mapping from exceptions to agent.errors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import anthropic
import httpx2

from agent.errors import Misconfigured, PlannerFault, Temporary, Unusable

# A cut or stalled stream and a broken body leave it as these, not as an AnthropicError.
SDK_ERRORS = (
    anthropic.AnthropicError,
    httpx2.HTTPError,
    httpx2.StreamError,
    httpx2.InvalidURL,
    ValueError,
    TypeError,
    RecursionError,  # JSON nested thousands deep
)
NOT_ASKABLE = (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, UnicodeEncodeError)
TEMPORARY_STATUSES = {408, 409, 425, 429, 499}
TEMPORARY_TYPES = {"overloaded_error", "rate_limit_error", "api_error", "timeout_error"}
OVERLOADED_STATUSES = {503, 529}


class Overloaded(Temporary):
    """The model, not the account, has no room: another model may answer now."""


class TooLarge(Misconfigured):
    """The request was refused as it is: a shorter one may be taken."""


class OutOfContext(Unusable):
    """The model ran out of its context window while it answered: a shorter prompt may leave it room."""


def as_fault(error: Exception) -> PlannerFault:
    """The fault to raise in place of an SDK error. Its text is for people and names no key."""
    if isinstance(error.__cause__, PlannerFault):  # raised by our transport, wrapped by the SDK
        return error.__cause__
    if isinstance(error, anthropic.APIResponseValidationError):
        return Unusable("The model's address answered something that is not a message.")
    if isinstance(error, anthropic.APIStatusError):
        return _status_fault(error)
    if isinstance(error, NOT_ASKABLE) or isinstance(error.__cause__, NOT_ASKABLE):
        return Misconfigured("The model cannot be asked: its base URL or key is not one that can be sent.")
    if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
        return Temporary("The model did not answer in time.")
    if isinstance(error, anthropic.APIConnectionError | httpx2.TransportError | httpx2.StreamError):
        return Temporary(f"The connection to the model failed ({type(error).__name__}).")
    if isinstance(error, json.JSONDecodeError):
        return Temporary("The model's answer broke off: its JSON is not complete.")
    if isinstance(error, TypeError | anthropic.CredentialsError):
        return Misconfigured(f"The model cannot be asked with these settings: {str(error)[:300]}")
    return Unusable(f"The model's answer could not be read ({type(error).__name__}).")


def may_be_paid(error: Exception) -> bool:
    """Whether the request had been taken when it failed: then its prompt is paid for, although nobody counted it."""
    cause = error.__cause__ or error
    return isinstance(cause, httpx2.ReadTimeout | httpx2.ReadError | httpx2.RemoteProtocolError)


def _status_fault(error: anthropic.APIStatusError) -> PlannerFault:
    """An SSE error event also arrives here, with status 200 and a type."""
    words = f"The model's address answered {error.status_code} {error.type or ''}".rstrip()
    words += f": {error.api_message[:300]}" if error.api_message else "."
    if error.status_code in OVERLOADED_STATUSES or error.type == "overloaded_error":
        return Overloaded(words, retry_after_s(error.response.headers))
    if error.status_code in TEMPORARY_STATUSES or error.status_code >= 500 or error.type in TEMPORARY_TYPES:
        return Temporary(words, retry_after_s(error.response.headers))
    return TooLarge(words) if error.status_code in (400, 413) else Misconfigured(words)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds the server asked to wait, from `retry-after-ms` or `retry-after` (seconds or a date); uncapped."""
    if (milliseconds := _seconds(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if (seconds := _seconds(value)) is not None:
        return seconds
    try:
        until = parsedate_to_datetime(value or "")
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _seconds(value: str | None) -> float | None:
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
