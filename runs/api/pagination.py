"""How lists are cut into pages: by key, so that the hundredth page costs what the first does."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    """Newest first by id; `next` and `previous` are whole links, `limit` sets the page's size."""

    ordering: str | tuple[str, ...] = "-id"
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200

    def decode_cursor(self, request: Any) -> Any:
        try:
            return super().decode_cursor(request)
        except NotFound:
            message = "This cursor was not made here; follow `next` of an earlier page."
            raise ValidationError({"cursor": message}, code="invalid_cursor") from None


class MostUrgentFirst(NewestFirst):
    """Approvals by the time they expire."""

    ordering = ("expires_at", "id")
