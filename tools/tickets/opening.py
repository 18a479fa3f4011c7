"""Opens the tracker that OPSPILOT_TICKETS names. Asks it nothing yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from tools.base import ToolError
from tools.configuration import current
from tools.sources.spec import ACCESS, read_options
from tools.tickets.github import GitHub
from tools.tickets.jira import Jira
from tools.tickets.tracker import Tracker
from tools.tickets.webhook import Webhook
from tools.web.addresses import Forbidden, read_place
from tools.web.client import Client

KEPT_HERE = "the tickets kept here (OPSPILOT_TICKETS names no Jira, GitHub or webhook)"
EXAMPLES = "github://owner/repo, jira+https://jira.example.org?project=OPS, webhook+https://hooks.example.org/tickets"
DEADLINE_S = 20.0


def tracker(url: str | None = None) -> Tracker | None:
    """The tracker in use; None where tickets are kept here only. Raises ToolError for a URL that names none."""
    url = current().tickets if url is None else url
    if not url:
        return None
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    opener = OPENERS.get(parts.scheme)
    if opener is None:
        raise ToolError(f"OPSPILOT_TICKETS={url!r}: no tracker is spoken to that way. Write {EXAMPLES}.")
    unknown = set(given) - {*ACCESS, "project", "type"}
    if unknown:
        raise ToolError(
            f"OPSPILOT_TICKETS says {', '.join(sorted(unknown))}; it may say project, type, {', '.join(ACCESS)}."
        )
    scheme, host = parts.scheme.partition("+")[2], parts.netloc
    path = parts.path
    if parts.scheme == "github":
        scheme, host, path = "https", "api.github.com", f"/{parts.netloc}{parts.path}"
    try:
        place = read_place(urlunsplit((scheme, host, path, "", "")))
    except Forbidden as refusal:
        raise ToolError(f"OPSPILOT_TICKETS: {refusal}") from None
    client = Client(f"The tracker at {place}", place, read_options(given).access, private=True, deadline_s=DEADLINE_S)
    return opener(client, given)


def states_of(tickets: Sequence[Mapping[str, str]]) -> tuple[dict[str, str], str]:
    """What the tracker says now of tickets kept there: open, closed or gone, by name; and why of some it says nothing.

    "gone": the tracker that is set now knows no such ticket. Asks once a ticket, until its time is over.
    """
    states: dict[str, str] = {}
    try:
        found = tracker()
        for ticket in tickets if found and found.is_asked else ():
            now = found.find(ticket["name"]) if found and ticket["tracker"] == found.kind else None
            is_same = now is not None and ticket["url"] in ("", now.url)
            states[ticket["name"]] = now.state if now and is_same else "gone"
    except ToolError as problem:
        return states, str(problem)
    return states, ""


def destination() -> str:
    """Where a ticket goes, for whoever approves it."""
    found = tracker()
    return found.destination if found else KEPT_HERE


def _github(client: Client, given: dict[str, str]) -> Tracker:
    base, _, repository = client.place.path.rpartition("/")
    base, _, owner = base.rpartition("/")
    if not owner or not repository:
        raise ToolError("OPSPILOT_TICKETS: write the repository, as github://owner/repo.")
    client.place = replace(client.place, path=base)
    return GitHub(client, owner, repository)


def _jira(client: Client, given: dict[str, str]) -> Tracker:
    project = given.get("project", "")
    if not project.replace("_", "").isalnum():
        raise ToolError("OPSPILOT_TICKETS: name Jira's project by its key, as ?project=OPS.")
    return Jira(client, project, given.get("type", "Task"))


def _webhook(client: Client, given: dict[str, str]) -> Tracker:
    return Webhook(client)


OPENERS: dict[str, Callable[[Client, dict[str, str]], Tracker]] = {
    "github": _github, "github+http": _github, "github+https": _github,
    "jira+http": _jira, "jira+https": _jira,
    "webhook+http": _webhook, "webhook+https": _webhook,
}  # fmt: skip
