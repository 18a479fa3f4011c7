"""How many requests people are asked at once: a flood of them would be waved through unread. Reads the record only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.conf import settings

from runs import clock
from runs.models import Approval, Run, Team, ToolCall
from runs.policy.rules import Ruling
from runs.states import ApprovalKind, CallStatus, Effect, RunState

CAPPED = "too many requests"  # how the name of such a ruling begins
ASKING = (Effect.CONFIRM, Effect.APPROVE)


def within_caps(run: Run, asked: Sequence[tuple[Ruling, Mapping[str, Any]]]) -> list[Ruling]:
    """The rulings on a move's calls; those that would be one request too many become a refusal in words.

    In the transaction that writes the calls, under the team's lock: runs that plan at the same time count each other.
    """
    if not any(ruling.asks_people for ruling, _ in asked):
        return [ruling for ruling, _ in asked]
    Team.objects.select_for_update(no_key=True).get(pk=run.team_id)
    open_here = Approval.objects.pending().filter(run=run).count()
    recent = Counter(_recent(run.team_id))
    kept = []
    for ruling, args in asked:
        if ruling.asks_people:
            service = service_of(args, run.service)
            if problem := _one_too_many(open_here, recent[service], service):
                ruling = replace(ruling, effect=Effect.REFUSE, name=problem)
            else:
                open_here, recent[service] = open_here + 1, recent[service] + 1
        kept.append(ruling)
    return kept


def _one_too_many(open_here: int, recent: int, service: str) -> str:
    if open_here >= settings.MAX_OPEN_APPROVALS:
        return f"{CAPPED}: {settings.MAX_OPEN_APPROVALS} of this run wait for people; ask again once they are decided"
    if recent >= settings.MAX_APPROVALS_PER_SERVICE:
        about = f"about {service[:60]}" if service else "that name no service"
        return f"{CAPPED}: {settings.MAX_APPROVALS_PER_SERVICE} {about} were made within an hour; conclude without"
    return ""


def service_of(args: Mapping[str, Any], otherwise: str) -> str:
    return str(args.get("service") or otherwise)


def _recent(team_id: int) -> Iterable[str]:
    """The service of each request of the last hour, and of each call that is about to become one."""
    since = clock.now() - timedelta(hours=1)
    # A request that took another's place is no further question.
    requests = Approval.objects.filter(
        run__team=team_id, kind=ApprovalKind.CALL, asked_at__gt=since, replaces=None
    ).values_list("call__args", "run__service")
    planned = ToolCall.objects.filter(
        run__team=team_id, run__state=RunState.EXECUTE_TOOL, status=CallStatus.PROPOSED, effect__in=ASKING
    ).values_list("args", "run__service")
    for rows in (requests, planned):
        for args, service in rows.iterator(chunk_size=500):
            yield service_of(args, service)
