"""What a notification says: plain text made from the record now, with one link, and nothing in it that acts.

A chat, a mail program and a webhook's receiver each give some characters a meaning. Text from outside stands on one
line behind words of ours, and what could become a link, a mention or markup is shown by its full-width twin.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.conf import settings
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from runs.links import approval_link
from runs.models import Approval, Notification, Run
from runs.permissions import possible_voters
from runs.presentation.display import reveal
from runs.presentation.effects import effects_of
from runs.presentation.formats import clock, plural, time_left, zone_name
from runs.presentation.report_text import chat_text
from runs.presentation.words import ANSWERS, REMEDIES, REMEDY, badge_of, said_by
from runs.redaction import redact
from runs.services.notifications import phase
from runs.states import ApprovalState, NotificationKind

Level = Literal["info", "success", "warning", "failure"]
LINE = 300  # characters of one text from outside
TITLE = 120
_TWINS = str.maketrans({char: chr(ord(char) + 0xFEE0) for char in "<>[]`@"})  # tags, links, code, mentions
DECIDED = {
    ApprovalState.DENIED: "Denied",
    ApprovalState.EXPIRED: "Nobody decided in time",
    ApprovalState.VOID: "No longer valid",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One notification as it leaves. `uid` is the same each time it is sent; `fields` are for a webhook's receiver."""

    uid: str
    title: str
    body: str
    level: Level
    fields: dict[str, str]


def harmless(text: object, most: int = LINE) -> str:
    """Text from outside on one line: no secret, nothing hidden, nothing that becomes a link, a mention or markup."""
    flat = reveal(" ".join(redact(str(text)).split())).translate(_TWINS).replace("://", "：//")
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def message_of(note: Notification) -> Message | None:
    """What to send for a row now; None where it is no longer true: it was decided, or a later reminder is due.

    Costs at most two queries for a request.
    """
    person = User.objects.filter(pk=note.person_id).first() if note.person_id else None
    approval, now = note.approval, timezone.now()
    if approval is None:
        title, lines, level = _end(note.run)
        link, action = settings.PUBLIC_URL + reverse("run", args=[note.run_id]), "Read it"
    elif note.kind == NotificationKind.DECIDED:
        title, lines, level = _decision(approval)
        link, action = _link(approval, person), "See it"
    else:
        if approval.state != ApprovalState.PENDING or approval.is_expired(now) or phase(approval, now)[0] != note.kind:
            return None
        title, lines, level = _request(approval, note.kind, now)
        link, action = _link(approval, person), "Look and decide"
    footer = f"OpsPilot · message {note.uid}"
    body = "\n".join([*filter(None, lines), "", f"{action}: {link}", "", footer])
    return Message(str(note.uid), title[:TITLE], body, level, _fields(note, link))


def trial(uid: str) -> Message:
    """What `notify test` sends."""
    link = settings.PUBLIC_URL + reverse("run_list")
    body = f"OpsPilot reaches you here.\n\nThe dashboard: {link}\n\nOpsPilot · message {uid}"
    return Message(uid, "OpsPilot: a test message", body, "info", {"id": uid, "event": "test", "url": link})


def _fields(note: Notification, link: str) -> dict[str, str]:
    request = {"approval": str(note.approval_id)} if note.approval_id else {}
    return {"id": str(note.uid), "event": note.kind, "run": str(note.run_id), **request, "team": note.run.team.slug,
            "url": link}  # fmt: skip


def _link(approval: Approval, person: User | None) -> str:
    """To a person their own link, through the log-in; to a room the page's address."""
    if person is not None:
        return approval_link(approval, person)
    return settings.PUBLIC_URL + reverse("approval", args=[approval.pk])


def _request(approval: Approval, kind: str, now: datetime) -> tuple[str, list[str], Level]:
    left = time_left((approval.expires_at - now).total_seconds())
    asked, run = harmless(_sentence(approval), 80), approval.run
    if approval.is_question:
        return f"Run {run.pk}, did this happen? {asked}", [*_question(approval), *_about(run)], "warning"
    title = f"Run {run.pk} needs approval: {asked}"
    if kind != NotificationKind.ASKED:
        title = f"Run {run.pk}, {left} left to decide: {asked}"
    votes = f"{plural(approval.required, 'vote')} needed" if approval.required > 1 else ""
    lines = [
        f"{harmless(_sentence(approval))} Nothing has happened yet.",
        f"Found so far: {harmless(run.answer)}" if run.answer else "",
        *_about(run),
        ". ".join(filter(None, [f"Risk: {approval.risk}", votes, _who(approval)])) + ".",
        f"Open for {left}, until {_at(approval.expires_at)}; then the run goes on without it.",
    ]
    return title, lines, "warning"


def _question(approval: Approval) -> list[str]:
    return [
        f"{harmless(_sentence(approval))}",
        "It was sent, and the answer was lost. Only a person can find out; it is not sent again either way.",
    ]


def _sentence(approval: Approval) -> str:
    words = str(approval.preview.get("sentence") or f"Run {approval.tool}").strip()
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _who(approval: Approval) -> str:
    names = [harmless(user.get_username(), 40) for user in possible_voters(approval)]
    return f"{' or '.join(names[:4])} can decide" if names else "Nobody can vote on it now: name an approver"


def _decision(approval: Approval) -> tuple[str, list[str], Level]:
    state, who = ApprovalState(approval.state), harmless(said_by(approval.decided_by), 60)
    word = DECIDED.get(state, "Approved")
    if approval.is_question:
        word = f"Answered, {ANSWERS['deny' if state == ApprovalState.DENIED else 'approve']}"
    by = f" by {who}" if who and state not in (ApprovalState.EXPIRED, ApprovalState.VOID) else ""
    title = f"Run {approval.run_id}, {word[0].lower()}{word[1:]}{by}: {harmless(_sentence(approval), 70)}"
    reason = f"Reason: {harmless(approval.reason)}" if approval.reason else ""
    level: Level = "success" if word == "Approved" else "info"
    return title, [f"{word}{by}: {harmless(_sentence(approval))}", reason, *_about(approval.run)], level


def _end(run: Run) -> tuple[str, list[str], Level]:
    badge = badge_of(run, timezone.now())
    if run.is_terminal and run.failure_code:
        what = f"{harmless(run.failure)} ({run.failure_code})"
        effects = effects_of(run.calls.all())
        sent = [f"- {call.tool}: {harmless(call.words)}" for call in effects.sent]
        lines = [what, effects.verdict, *sent, REMEDIES.get(run.failure_code, REMEDY), *_about(run)]
        return f"Run {run.pk} failed: {harmless(run.goal, 90)}", lines, "failure"
    head = " ".join(filter(None, [badge.word, run.severity]))
    lines = [harmless(line) for line in chat_text(run, "").splitlines()]
    return (
        f"Run {run.pk}, {head[0].lower()}{head[1:]}: {harmless(run.answer or run.goal, 70)}",
        [*lines, *_about(run)],
        "info",
    )


def _about(run: Run) -> list[str]:
    return [f"Goal: {harmless(run.goal)}", f"Run {run.pk}, started by {harmless(said_by(run.started_by), 60)}."]


def _at(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d} {clock(at)} {zone_name(at)}"
