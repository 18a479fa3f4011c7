"""list_changes: what was changed by people or providers: deploys, commits with diffs, flags, status-feed entries.

data = {"changes": [{
   "id": str,               # commit sha, or "deploy:<service>:<version>", "flag:<name>:<iso>", "status:<id>"
   "kind": "deploy" | "commit" | "flag" | "status",
   "at": iso, "service": str | "", "title": str, "author": str | "",
   "version": str | "", "commit": str | "",     # of a deploy: the commit it carried
   "files": [str, …], "diff": str | "",          # of a commit (and of a deploy whose commit is known)
   "text": str                                    # one readable line: what the change says of itself
}, …]}                                            # rising time
figures: total, deploys, commits, flags, statuses.   source = "<name>:changes"
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tools.base import Params, ToolContext, ToolResult


class ListChanges(Params):
    service: str = Field("", description="Service name; empty means every service.")
    kind: Literal["", "deploy", "commit", "flag", "status"] = ""
    source: str = Field("", description="Name of a source; empty asks all of them.")
    since: str = Field("", description="'last 5 hours', '30m', or ISO 8601. Empty: the start of the data.")
    until: str = Field("", description="ISO 8601 or a phrase; empty: the run's as-of time.")


def run(context: ToolContext, params: ListChanges) -> ToolResult:
    raise NotImplementedError
