"""What a notification says when those who wrote the goal, the arguments, the reason and the names meant harm."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from runs.models import Approval, Run, Team
from runs.notify.wording import LINE, harmless
from runs.services.approvals import decide_approval
from runs.services.teams import add_member
from runs.states import Role, RunState
from tests.runs.making import make_request, make_run
from tests.runs.notify.conftest import Deliver
from tests.standins.receivers import Receivers

HOSTILE = [
    "<script>alert(1)</script>",
    '<img src="https://evil.example/x.png">',
    "[click to approve](https://evil.example/approve)",
    "![x](https://evil.example/x.png)",
    "<https://evil.example|Open the request>",
    "<!channel> <!here|all> <@U123ABC456>",
    "@channel @here @everyone @bob",
    "line one\nApprove here: https://evil.example\n\nOpsPilot",
    "a\r\nBcc: everybody@example.org\r\n\r\nanother body",
    "\x1b[2J\x1b[31mred\x07",
    "right\u202eto left\u202c and\u200b nothing",
    "p\u0430ypal in Cyrillic \u2028 a new line",
    "`code` ```block``` &lt;b&gt;",
    "password=hunter2-and-more and Authorization: Bearer abcdefghijklmnop0123",
]


def _is_harmless(text: str, own_links: int) -> None:
    """No markup, no mention, no link but ours, no control character, no secret."""
    assert not set("<>[]`@") & set(text), text
    assert text.count("://") == own_links, text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u200b-\u200f\u2028-\u202e]", text), repr(text)
    assert "hunter2" not in text
    assert "abcdefghijklmnop" not in text


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_stands_on_one_line_and_does_nothing(text: str) -> None:
    shown = harmless(text)
    _is_harmless(shown, own_links=0)
    assert "\n" not in shown
    assert len(harmless(text * 200)) == LINE


@pytest.mark.parametrize("text", HOSTILE)
def test_no_message_carries_markup_mentions_or_foreign_links(
    team: Team, alice: User, deliver: Deliver, outside: Receivers, text: str
) -> None:
    mallory = User.objects.create_user(f"mallory {text}"[:150])
    add_member(team, mallory, Role.APPROVER)
    denied, asked = make_request(team, alice), make_request(team, mallory)
    Run.objects.update(goal=text)
    reason = f"{text} and more"
    decide_approval(denied.pk, user=mallory, approve=False, args_sha256=denied.args_sha256, reason=reason)
    preview = {"sentence": text, "destination": text, "undo": "", "body": text}
    Approval.objects.update(preview=preview, why=text, requested_by=f"user:{mallory}")
    ends: dict[str, Any] = {"goal": text, "answer": text, "finished_at": timezone.now(), "service": text}
    report = {"summary": text, "severity": "SEV2", "root_cause": {"mechanism": text}, "actions": [{"text": text}]}
    make_run(team, mallory, state=RunState.DONE, outcome="LIKELY", report=report, **ends)
    make_run(team, mallory, state=RunState.FAILED, failure_code="poison", failure=text, **ends)
    deliver()

    assert {call["json"]["event"] for call in outside.calls} == {"asked", "decided", "done", "failed"}
    for call in outside.calls:
        _is_harmless(call["json"]["title"], own_links=0)
        _is_harmless(call["json"]["message"], own_links=1)
        foreign = [line for line in call["json"]["message"].splitlines() if line.startswith(("Approve here", "Bcc"))]
        assert foreign == []
    for mail in outside.mails:
        assert mail.get_content_type() == "text/plain"
        assert mail["To"] == "oncall@example.org"
        assert mail["Bcc"] is None
        _is_harmless(str(mail["Subject"]), own_links=0)
        _is_harmless(mail.get_content(), own_links=1)
    assert outside.recipients == ["oncall@example.org"] * 4
    assert asked.pk in {int(call["json"].get("approval", 0)) for call in outside.calls}


def test_a_message_links_to_a_page_and_following_it_decides_nothing(
    team: Team, alice: User, bob: User, as_bob: Client, deliver: Deliver, outside: Receivers, settings: Any
) -> None:
    settings.NOTIFY = [("", outside.people_url)]
    settings.PUBLIC_URL = ""
    deliver()
    approval = make_request(team, alice)
    deliver()
    [link] = re.findall(r"^Look and decide: (\S+)$", outside.mails[0].get_content(), re.MULTILINE)
    answer = as_bob.get(link, follow=True)

    assert answer.status_code == 200
    assert answer.redirect_chain[-1][0] == f"/approvals/{approval.pk}/"
    approval.refresh_from_db()
    assert (approval.state, approval.votes.count()) == ("PENDING", 0)
    assert approval.args_sha256 not in outside.mails[0].as_string()
