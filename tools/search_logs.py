"""search_logs: which lines match, how many a minute, and the newest of them.

data = {
  "total": int,                        # lines that match in the range
  "searched": int,                     # lines looked at in the range
  "per_minute": [[iso, count], …],     # every minute of the range that has a match; wide ranges use wider buckets
  "bucket_s": 60,
  "services": {service: count, …},     # of the matches, largest first
  "levels": {level: count, …},
  "templates": [{"template": str, "count": int, "first_at": iso, "last_at": iso, "service": str, "example": str}, …],
                                       # of the matches, at most 20, most frequent first; numbers masked as <n>, …
  "matches": [{"at": iso, "service": str, "level": str, "message": str, "where": "file:line", "fields": {…}}, …]
                                       # the newest `limit`, newest first; `message` is the line's own text, verbatim
}
figures: total, searched, "first" and "last" are not figures but data["first_at"], data["last_at"] (iso or null).
source = "<name>:logs"
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tools.base import Params, ToolContext, ToolResult


class SearchLogs(Params):
    pattern: str = Field("", max_length=512, description="RE2 regular expression; empty matches every line.")
    ignore_case: bool = True
    source: str = Field("", description="Name of a source; empty searches all of them.")
    service: str = Field("", description="Exact service name; empty means every service.")
    level: Literal["", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] = Field("", description="This level or worse.")
    since: str = Field("", description="'last 5 hours', '30m', or ISO 8601. Empty: the start of the data.")
    until: str = Field("", description="ISO 8601 or a phrase; empty: the run's as-of time.")
    limit: int = Field(20, ge=0, le=200)


def run(context: ToolContext, params: SearchLogs) -> ToolResult:
    raise NotImplementedError
