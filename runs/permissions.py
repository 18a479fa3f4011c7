"""The one permission function. Pages, API, socket, admin and commands all ask it; nothing else decides who may."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet

from runs.models import ApiToken, Approval, Membership, Run, Team, Vote
from runs.states import ApprovalState, Role, Scope

Verb = Literal["see", "start", "cancel", "hold", "note", "vote", "administer"]
RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.APPROVER: 2, Role.ADMINISTRATOR: 3}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` is a sentence for people when it is refused."""

    allowed: bool
    why: str = ""

    def __bool__(self) -> bool:
        return self.allowed


YES = Verdict(True)


def may(user: User | AnonymousUser, verb: Verb, obj: Run | Team | Approval) -> Verdict:
    """Whether `user` may do `verb` to `obj`. Costs one query for the membership."""
    if not isinstance(user, User) or not user.is_active:
        return Verdict(False, "Log in first.")
    team = obj if isinstance(obj, Team) else _team_of(obj)
    member = Membership.objects.filter(team=team, user=user).first()
    if member is None and not user.is_superuser:
        return Verdict(False, "You are not a member of this team.")
    if isinstance(obj, Approval) and verb == "vote":
        return _may_vote(user, member, obj)
    return _by_role(user, member, verb, obj)


def _team_of(obj: Run | Approval) -> Team:
    return obj.run.team if isinstance(obj, Approval) else obj.team


def _by_role(user: User, member: Membership | None, verb: Verb, obj: Run | Team | Approval) -> Verdict:
    role = _role(user, member)
    if verb == "see":
        return YES
    if verb == "administer":
        return YES if role == Role.ADMINISTRATOR else Verdict(False, "Only administrators of this team may do that.")
    if role == Role.VIEWER:
        return Verdict(False, "Viewers may look only; ask an administrator for the operator role.")
    if verb in ("cancel", "hold") and isinstance(obj, Run) and not _is_own_or_senior(user, role, obj):
        return Verdict(False, f"Only {obj.started_by.removeprefix('user:')}, approvers and administrators may do that.")
    return YES


def _role(user: User, member: Membership | None) -> str:
    if user.is_superuser and member is None:
        return Role.ADMINISTRATOR
    assert member is not None  # noqa: S101  may() has returned already
    return member.role


def _is_own_or_senior(user: User, role: str, run: Run) -> bool:
    return run.starter_id == user.pk or RANK[Role(role)] >= RANK[Role.APPROVER]


def votes_open_to(user: User, approvals: Sequence[Approval]) -> dict[int, Verdict]:
    """`may(user, "vote", …)` for many requests, by their id, at the cost of one query whatever their number."""
    members = list(_active_members().filter(team_id__in={approval.run.team_id for approval in approvals}))
    own = {member.team_id: member for member in members if member.user_id == user.pk}
    return {
        approval.pk: _may_vote(user, own.get(approval.run.team_id), approval, lambda a: _voters_among(members, a))
        for approval in approvals
        if approval.run.team_id in own or user.is_superuser
    }


def enters_admin(user: User | AnonymousUser) -> bool:
    """Who may open the admin: superusers, approvers and administrators. Costs a query for all but superusers."""
    if not isinstance(user, User) or not user.is_active:
        return False
    senior = [role for role, rank in RANK.items() if rank >= RANK[Role.APPROVER]]
    return user.is_superuser or Membership.objects.filter(user=user, role__in=senior, is_service=False).exists()


def token_allows(token: ApiToken, scope: Scope) -> Verdict:
    """Whether a token may be used for this; what its user may do is asked besides."""
    if scope in token.scopes:
        return YES
    return Verdict(False, f"This token lacks the scope {scope.value}; make one that has it under Account.")


def may_halt(user: User | AnonymousUser) -> Verdict:
    """Who sets and releases the stop switch, which reaches every team."""
    if isinstance(user, User) and user.is_active and user.is_superuser:
        return YES
    return Verdict(False, "Only an administrator of this installation may stop everything or let it go on.")


def may_change_rules(user: User | AnonymousUser, team: Team | None) -> Verdict:
    """A team's administrators change its own rules; the installation's, which reach every team, its administrators."""
    if team is not None:
        return may(user, "administer", team)
    if isinstance(user, User) and user.is_active and user.is_superuser:
        return YES
    return Verdict(False, "Only an administrator of this installation changes the rules that hold for every team.")


def _may_vote(
    user: User, member: Membership | None, approval: Approval, voters: Callable[[Approval], list[User]] | None = None
) -> Verdict:
    if approval.state != ApprovalState.PENDING:
        return Verdict(False, "This request is no longer open.")
    return _is_voter(user, member, approval, lambda: _others((voters or possible_voters)(approval)))


def _is_voter(user: User, member: Membership | None, approval: Approval, others: Callable[[], str]) -> Verdict:
    """Whether the person's word counts, whatever the state: asked at the vote, and again when the call starts."""
    if member is None and not user.is_superuser:
        return Verdict(False, "You are not a member of this team.")
    if member is not None and member.is_service:
        return Verdict(False, "A service account can never vote.")
    if approval.is_question:
        # Not a permission but a fact to look up: whoever may run things may say whether it happened.
        known = RANK[Role(_role(user, member))] >= RANK[Role.OPERATOR]
        return YES if known else Verdict(False, f"Viewers may look only; {others()}.")
    if approval.owner_may and user.pk == approval.run.starter_id:
        return YES
    if user.pk == approval.run.starter_id:
        return Verdict(False, f"You started this run; {others()}.")
    if user.pk in approval.barred or user.pk == approval.requester_id:
        return Verdict(False, f"You changed its arguments; {others()}.")
    needed = Role(approval.rule.get("role", Role.APPROVER))
    if RANK[Role(_role(user, member))] < RANK[needed]:
        return Verdict(False, f"This needs the role {needed.label.lower()}; {others()}.")
    return YES


def counting_votes(approval: Approval) -> list[Vote]:
    """The approving votes of people who may still give them: active, in the team, in the role. Costs two queries."""
    votes = list(approval.votes.filter(approve=True).select_related("user").order_by("at"))
    members = {member.user_id: member for member in _active_members().filter(team_id=approval.run.team_id)}
    return [
        vote
        for vote in votes
        if vote.user.is_active and _is_voter(vote.user, members.get(vote.user_id), approval, lambda: "")
    ]


def may_edit(user: User, approval: Approval) -> Verdict:
    """Who may change a request's arguments: whoever may steer its run. What they make, others vote on."""
    if approval.is_question:
        return Verdict(False, "What was already sent cannot be changed.")
    if approval.state != ApprovalState.PENDING:
        return Verdict(False, "This request is no longer open.")
    if Membership.objects.filter(team=approval.run.team_id, user=user, is_service=True).exists():
        return Verdict(False, "A service account changes no request.")
    return may(user, "cancel", approval.run)


def _others(voters: Sequence[User]) -> str:
    names = [user.get_username() for user in voters]
    if not names:
        return "nobody can vote on it now, ask an administrator to name an approver"
    return f"{' or '.join(names[:4])} can"


def possible_voters(approval: Approval) -> list[User]:
    """The active people whose vote would count, by name."""
    return _voters_among(_active_members().filter(team_id=approval.run.team_id), approval)


def _active_members() -> QuerySet[Membership]:
    return Membership.objects.filter(user__is_active=True).select_related("user").order_by("user__username")


def _voters_among(members: Iterable[Membership], approval: Approval) -> list[User]:
    needed = RANK[Role(approval.rule.get("role", Role.APPROVER))]
    voters = [
        member.user
        for member in members
        if member.team_id == approval.run.team_id
        and RANK[Role(member.role)] >= needed
        and not member.is_service
        and (approval.is_question or member.user_id not in _barred(approval))
    ]
    owner = approval.run.starter
    if approval.owner_may and owner is not None and owner.is_active and owner not in voters:
        voters.append(owner)
    return voters


def _barred(approval: Approval) -> set[int | None]:
    return {approval.requester_id, approval.run.starter_id, *approval.barred}
