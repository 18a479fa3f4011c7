"""What a person must see to decide one approval in half a minute. Reads the record and writes nothing; no HTML here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from runs.audit.chain import canonical, digest
from runs.models import Approval, Ticket, ToolCall, Vote
from runs.permissions import Verdict, may, may_edit, possible_voters
from runs.presentation.differences import Piece, differences
from runs.presentation.words import QUESTION, VERDICTS
from runs.services.binding import Lapse, lapse_of, operands_now
from runs.services.edits import changes_between
from runs.states import ApprovalState, CallStatus, RunState

HAPPENED = (CallStatus.STARTED, CallStatus.SUCCESS, CallStatus.TRUNCATED, CallStatus.OUTCOME_UNKNOWN)
SOURCES_TOLD = 4  # of one argument
SOURCE_WORDS = {"alert": "the alert"}
ROLES = ("mechanism", "change", "symptom", "scope", "healthy")  # a fact of the mechanism weighs most


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument in full; `copied_from` names the evidence, or the alert, whose text stands in it."""

    name: str
    text: str
    copied_from: list[str]
    is_text: bool = True  # else `text` is its JSON


@dataclass(frozen=True, slots=True)
class Edit:
    """One argument that a person changed, as both texts in one."""

    name: str
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class Fact:
    """One claim of the report so far, with the server's verdict on it."""

    statement: str
    icon: str
    verdict: str
    detail: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Check:
    """One thing the server looked up just now."""

    ok: bool
    words: str
    tickets: list[Ticket] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Review:
    """Everything on the approval page, read in one moment `now`."""

    approval: Approval
    now: datetime
    may_vote: Verdict
    others: str  # who else could vote, as one phrase
    votes: list[Vote]
    arguments: list[Argument]
    facts: list[Fact]
    against: Fact | None
    checks: list[Check]
    past: list[Approval]
    lapse: Lapse | None  # why it no longer stands, though it is open
    may_edit: Verdict
    edits: list[Edit]  # against the request that this one replaces
    successor: Approval | None  # the request that was made in this one's place

    @property
    def phase(self) -> str:
        """What the page is now: open, expired, changed, answered, running, or the request's own end in lower case.

        A request is consumed when its call starts; until that returns there is more to come.
        """
        if self.approval.is_question and self.approval.state in (ApprovalState.APPROVED, ApprovalState.DENIED):
            return "answered"
        if self.approval.state == ApprovalState.CONSUMED and self.approval.call.status == CallStatus.STARTED:
            return "running"
        if self.approval.state != ApprovalState.PENDING:
            return str(self.approval.state).lower()
        if self.approval.is_expired(self.now):
            return "expired"
        return "changed" if self.lapse else "open"

    @property
    def seconds_left(self) -> int:
        return max(0, int((self.approval.expires_at - self.now).total_seconds()))

    @property
    def approvals(self) -> int:
        return sum(vote.approve for vote in self.votes)

    @property
    def missing(self) -> int:
        return max(0, self.approval.required - self.approvals)

    @property
    def version(self) -> str:
        """Changes whenever the page would: what an open page compares to know that it is out of date."""
        call, run = self.approval.call, self.approval.run
        return f"{self.phase}.{len(self.votes)}.{call.status}.{run.state}.{sum(check.ok for check in self.checks)}"


def review_of(approval: Approval, user: User, now: datetime) -> Review:
    """Costs about ten queries, whatever the request."""
    lapse = lapse_of(approval, operands_now(approval)) if approval.state == ApprovalState.PENDING else None
    claims = list(_claims(approval.run.report, approval.run.hypotheses))
    against = [claim for claim in claims if claim.get("role") == "against" and _holds(claim)]
    return Review(
        approval=approval, now=now, may_vote=may(user, "vote", approval), others=_others(approval, user),
        votes=list(approval.votes.select_related("user").order_by("at")), arguments=arguments_of(approval),
        facts=strongest(claims), against=_fact(against[0]) if against else None,
        checks=[_similar(approval), _made_before(approval), _still_there(approval), _unchanged(approval, lapse)],
        past=_past_decisions(approval, user), lapse=lapse, may_edit=may_edit(user, approval), edits=_edits(approval),
        successor=Approval.objects.filter(replaces=approval).first(),
    )  # fmt: skip


def _others(approval: Approval, user: User) -> str:
    names = [voter.get_username() for voter in possible_voters(approval) if voter != user]
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def subject_of(approval: Approval) -> str:
    """What the call is about in one line: the preview's first, without its Markdown heading."""
    first = str(approval.preview.get("body", "")).strip().partition("\n")[0]
    return first.lstrip("# ").strip()


def effect_words(approval: Approval) -> str:
    """The button's words, from the preview's sentence: "Create a ticket in …" → "Create the ticket"."""
    if approval.is_question:
        return QUESTION.word
    words = str(approval.preview.get("sentence", "")).strip().rstrip(".")
    for end in (" in ", " on ", " at "):
        words = words.partition(end)[0]
    words = words.replace(" a ", " the ", 1).replace(" an ", " the ", 1)
    return words if 3 <= len(words) <= 48 else f"Run {approval.tool}"


def arguments_of(approval: Approval) -> list[Argument]:
    """Every argument in full, read from the canonical bytes that will run, with where its text was copied from."""
    copied = {mark["argument"]: _sources(mark["sources"]) for mark in approval.call.taint}
    return [
        Argument(name, _as_text(value), copied.get(name, []), isinstance(value, str))
        for name, value in json.loads(approval.args_canonical).items()
    ]


def _sources(names: list[str]) -> list[str]:
    """The sources of the longest copies by name, and how many more there are: a common name stands everywhere."""
    told = [SOURCE_WORDS.get(name, name) for name in names[:SOURCES_TOLD]]
    return [*told, f"{len(names) - SOURCES_TOLD} more"] if len(names) > SOURCES_TOLD else told


def _edits(approval: Approval) -> list[Edit]:
    """What was changed by hand: both argument sets, whatever was done to the rows since."""
    if approval.replaces is None:
        return []
    before, after = json.loads(approval.replaces.args_canonical), json.loads(approval.args_canonical)
    return [
        Edit(change.name, differences(_as_text(change.before), _as_text(change.after)))
        for change in changes_between(before, after)
    ]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def strongest(claims: Iterable[dict[str, Any]], count: int = 3) -> list[Fact]:
    """The facts that carry the cause: verified ones first, those of the mechanism before those of the symptom."""
    facts = [claim for claim in claims if claim.get("role") != "against" and _holds(claim)]
    return [_fact(claim) for claim in sorted(facts, key=_weight)[:count]]


def _weight(claim: dict[str, Any]) -> tuple[bool, int]:
    role = claim.get("role", "")
    return claim["verdict"] == "inference", ROLES.index(role) if role in ROLES else len(ROLES)


def _holds(claim: dict[str, Any]) -> bool:
    return claim.get("verdict") in VERDICTS and claim["verdict"] != "not_in_evidence"


def _fact(claim: dict[str, Any]) -> Fact:
    icon, words = VERDICTS[claim["verdict"]]
    return Fact(claim.get("statement", ""), icon, words, claim.get("detail", ""), claim.get("evidence", ""))


def _claims(report: dict[str, Any] | None, hypotheses: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Claims of the report so far, then facts of what is supported that it does not hold yet.

    Facts of other hypotheses stay out: what speaks against a ruled out one does not speak against this call.
    """
    seen: set[str] = set()
    supported = [hypothesis for hypothesis in hypotheses if hypothesis.get("status") == "supported"]
    facts = [fact for hypothesis in supported for fact in hypothesis.get("facts", [])]
    for claim in [*(report or {}).get("claims", []), *facts]:
        if claim.get("statement") not in seen:
            seen.add(claim.get("statement", ""))
            yield claim


def _similar(approval: Approval) -> Check:
    """Open tickets of the same team for the same service; of a comment, but for the one that it is on."""
    open_ones = Ticket.objects.filter(run__team_id=approval.run.team_id, state=Ticket.State.OPEN)
    meant = open_ones.named(str(approval.call.args.get("ticket", ""))).first()
    service = str(approval.call.args.get("service") or (meant.service if meant else "") or approval.run.service)
    others = open_ones.filter(service=service).exclude(call_id=approval.call_id)
    found = list(others.exclude(pk=meant.pk)[:5] if meant else others[:5])
    whose = service or "an unnamed service"
    if not found:
        return Check(True, f"No {'other ' if meant else ''}ticket for {whose} is open.")
    return Check(False, f"Open for {whose} {'too' if meant else 'already'}; is one of them about this?", found)


def _made_before(approval: Approval) -> Check:
    earlier = (
        ToolCall.objects.filter(
            run__team_id=approval.run.team_id, tool=approval.tool, args_sha256=approval.args_sha256, status__in=HAPPENED
        )
        .exclude(pk=approval.call_id)
        .order_by("-id")
        .first()
    )
    if earlier is None:
        return Check(True, "This very call was never made before.")
    return Check(False, f"This very call was made before, in run {earlier.run_id}.")


def _still_there(approval: Approval) -> Check:
    run, call = approval.run, approval.call
    if run.state == RunState.NEEDS_APPROVAL and call.plan_seq == run.plan_seq:
        return Check(True, f"Run {run.pk} still waits at the step that asked.")
    if call.status in HAPPENED or approval.state != ApprovalState.PENDING:
        return Check(True, f"Run {run.pk} has gone on since the decision.")
    return Check(False, f"Run {run.pk} no longer waits for this: it is {RunState(run.state).label.lower()}.")


def _unchanged(approval: Approval, lapse: Lapse | None) -> Check:
    if lapse:
        return Check(False, f"{lapse.words} It cannot be approved.")
    if digest(canonical(approval.call.args)) != approval.args_sha256:
        return Check(False, "The stored call is no longer the one shown here.")
    return Check(True, "The stored call is byte for byte the one shown here, and tool and policy are as they were.")


def _past_decisions(approval: Approval, user: User) -> list[Approval]:
    decided = Approval.objects.visible_to(user).filter(tool=approval.tool).exclude(decided_at=None)
    return list(decided.exclude(pk=approval.pk).select_related("run").order_by("-decided_at")[:3])
