"""What people do to runs: create, start, hold, note, cancel. What the driver does stands in drive.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from runs import clock, faults, queue
from runs.audit.chain import canonical
from runs.models import Approval, Run, Team, ToolCall
from runs.models.run import NOT_STARTED
from runs.redaction import redact
from runs.services import spending
from runs.services.actors import Actor
from runs.services.append import NotAllowed, advance, append, locked
from runs.services.errors import Refused, not_found
from runs.sources import Source
from runs.states import TERMINAL, ApprovalKind, ApprovalState, CallStatus, RunState, StepKind

GOAL_LIMIT = 4_000


@dataclass(frozen=True, slots=True)
class Created:
    """The run, and whether this call made it or an earlier one with the same key did."""

    run: Run
    created: bool


def create_run(
    *,
    goal: str,
    team: Team,
    actor: Actor,
    origin: str,
    sources: list[Source],
    planner: str = "",
    as_of: datetime | None = None,
    focus_at: datetime | None = None,
    alert: Mapping[str, Any] | None = None,
    start: bool = True,
    idempotency_key: str | None = None,
    budget: Mapping[str, int] | None = None,
    leased_to: str = "",
    follows: Run | None = None,
    parent: Run | None = None,
    place: int = 0,
) -> Created:
    """Write a QUEUED run and its first Step; enqueue it on commit unless it is leased to the caller or not started.

    Raises Refused (empty_goal, goal_too_long, no_sources, key_reused). With an idempotency key it is safe to repeat.
    """
    goal = redact(_checked_goal(goal))
    if not sources:
        raise Refused("no_sources", "OpsPilot has nothing to read yet: configure a source or name a folder.", 400)
    wanted = Run(
        goal=goal, team=team, starter=actor.user, started_by=actor.name, origin=origin, sources=list(sources),
        planner=planner or settings.PLANNER, as_of=as_of or timezone.now(), focus_at=focus_at, alert=dict(alert or {}),
        idempotency_key=idempotency_key or None, budget={**settings.BUDGET, **(budget or {})},
        hold_reason="" if start else NOT_STARTED, held_by="" if start else actor.name, follows=follows,
        parent=parent, place=place,
    )  # fmt: skip
    wanted.model = settings.MODEL if wanted.planner == "claude" else ""
    if leased_to:
        wanted.lease_epoch, wanted.lease_owner, wanted.lease_alone = 1, leased_to, True
        wanted.lease_until = clock.now() + timedelta(seconds=settings.LEASE_S)
    if earlier := _earlier(wanted):
        return Created(_same(earlier, wanted), created=False)
    try:
        with faults.at("run.create"), transaction.atomic():
            wanted.save(force_insert=True)
            _write_creation(wanted, actor)
            if start and not leased_to:
                transaction.on_commit(lambda: queue.enqueue_run(wanted.pk))
    except IntegrityError:
        # Two requests with one key at the same time: the other one made it.
        if earlier := _earlier(wanted):
            return Created(_same(earlier, wanted), created=False)
        raise
    return Created(wanted, created=True)


def ask_further(run_id: int, actor: Actor, question: str) -> Run:
    """A further question about an ended run: a run of its own, linked, over the same sources, that knows the answer.

    It looks at live sources as they are now, and at a folder as it was. Raises Refused (not_ended, empty_goal, …).
    Not safe to repeat: each question is a run.
    """
    earlier = Run.objects.select_related("team").filter(pk=run_id).first()
    if earlier is None:
        raise not_found("run")
    if earlier.state not in TERMINAL:
        raise Refused("not_ended", f"Run {run_id} is still going: add a note, and it is read at the next plan.")
    is_folder = all(source["url"].startswith("file://") for source in earlier.sources)
    return create_run(
        goal=question, team=earlier.team, actor=actor, origin="web", sources=earlier.sources, planner=earlier.planner,
        as_of=earlier.as_of if is_folder else None, focus_at=earlier.focus_at, alert=earlier.alert, follows=earlier,
    ).run  # fmt: skip


def _checked_goal(goal: str) -> str:
    goal = goal.strip()
    if not goal:
        raise Refused("empty_goal", "Say what to investigate: a goal cannot be empty.", 400)
    if len(goal) > GOAL_LIMIT:
        raise Refused("goal_too_long", f"The goal has {len(goal):,} characters; at most {GOAL_LIMIT:,} fit.", 400)
    return goal


def _earlier(wanted: Run) -> Run | None:
    if wanted.idempotency_key is None:
        return None
    earlier: Run | None = Run.objects.filter(
        team=wanted.team, started_by=wanted.started_by, idempotency_key=wanted.idempotency_key
    ).first()
    return earlier


def _same(earlier: Run, wanted: Run) -> Run:
    written, asked = earlier.steps.get(seq=1).payload, _creation(wanted)
    if canonical({name: written.get(name) for name in asked}) != canonical(asked):
        raise Refused("key_reused", f"This Idempotency-Key already started run {earlier.pk} with another body.", 409)
    return earlier


def _write_creation(run: Run, actor: Actor) -> None:
    payload = _creation(run) | {"as_of": run.as_of.isoformat()}
    append(run, StepKind.TRANSITION, "create", actor=actor.name, payload=payload)


def start_run(run_id: int, actor: Actor) -> Run:
    """Start a run that was created with start=false. Safe to repeat: a started run is left alone."""
    return _release(run_id, actor, only=NOT_STARTED)


def release_hold(run_id: int, actor: Actor) -> Run:
    """End an operator's hold; the run goes on where it stood. Safe to repeat."""
    return _release(run_id, actor)


def _release(run_id: int, actor: Actor, only: str = "") -> Run:
    with _locked_live(run_id) as run:
        if run.hold_reason and (not only or run.hold_reason == only):
            append(
                run, StepKind.HOLD, "release", actor=actor.name, payload={"reason": run.hold_reason},
                hold_reason="", hold_until=None, held_by="",
            )  # fmt: skip
            transaction.on_commit(lambda: queue.enqueue_run(run_id))
    return run


def hold_run(run_id: int, actor: Actor, reason: str) -> Run:
    """Stop the run at its next step until someone releases it. Raises Refused for an ended run."""
    with _locked_live(run_id) as run:
        reason = redact(reason.strip())[:200] or "held by an operator"
        append(
            run, StepKind.HOLD, "hold", actor=actor.name, payload={"reason": reason, "until": None},
            hold_reason=reason, hold_until=None, held_by=actor.name,
        )  # fmt: skip
    return run


def add_note(run_id: int, actor: Actor, text: str) -> Run:
    """Words to the running investigation; the planner sees them at its next plan."""
    text = redact(text.strip())
    if not 1 <= len(text) <= GOAL_LIMIT:
        raise Refused("bad_note", f"A note has 1 to {GOAL_LIMIT:,} characters.", 400)
    with _locked_live(run_id) as run:
        append(run, StepKind.NOTE, "note", actor=actor.name, payload={"text": text})
    return run


def cancel_run(run_id: int, actor: Actor, reason: str = "") -> Run:
    """End the run and its sub-runs now, in one commit. Raises their epochs, so that no driver can write; open requests
    become void. Safe to repeat.

    All rows are locked before the day's money is touched, in the order in which drivers do it.
    """
    with faults.at("run.cancel"), _locked(run_id) as run:
        if run.state == RunState.CANCELLED:
            return run
        going = Run.objects.select_for_update().filter(parent=run).exclude(state__in=TERMINAL).order_by("pk")
        parts = list(going)
        try:
            lost = [_cancel(run, actor, redact(reason)[:500])]
        except NotAllowed as error:
            raise Refused("already_ended", str(error)) from None
        lost += [_cancel(part, actor, f"run {run.pk} was cancelled") for part in parts]
        for micro_usd in filter(None, lost):
            spending.settle(micro_usd, micro_usd)
    return run


def _cancel(run: Run, actor: Actor, reason: str) -> int:
    """Returns what was set aside for a model call under way: nobody waits for its answer, so all of it counts."""
    lost = int(run.reserved_micro_usd)
    advance(
        run, "cancel", actor=actor.name, payload={"reason": reason}, lease_epoch=run.lease_epoch + 1,
        lease_until=None, finished_at=timezone.now(), hold_reason="", hold_until=None, reserved_micro_usd=0,
        cost_micro_usd=run.cost_micro_usd + lost,
    )  # fmt: skip
    void_open_requests(run)
    return lost


def void_open_requests(run: Run) -> None:
    """Pending and unused approvals of an ended run are no longer valid; their calls never start."""
    unused = Q(state=ApprovalState.APPROVED, kind=ApprovalKind.CALL)  # the answer to a question stands
    Approval.objects.filter(unused | Q(state=ApprovalState.PENDING), run=run).update(
        state=ApprovalState.VOID, void_code="run_ended"
    )
    ToolCall.objects.filter(run=run, status__in=[CallStatus.PROPOSED, CallStatus.WAITING, CallStatus.APPROVED]).update(
        status=CallStatus.VOID
    )


def _creation(run: Run) -> dict[str, Any]:
    """What was asked for: two requests with one key must agree on this."""
    return {
        "goal": run.goal,
        "sources": [source["name"] for source in run.sources],
        "planner": run.planner,
        "focus_at": run.focus_at and run.focus_at.isoformat(),
        **({"follows": run.follows_id} if run.follows_id else {}),
        **({"parent": run.parent_id, "place": run.place} if run.parent_id else {}),
    }


@contextmanager
def _locked(run_id: int) -> Iterator[Run]:
    try:
        with locked(run_id) as run:
            yield run
    except Run.DoesNotExist:
        raise not_found("run") from None


@contextmanager
def _locked_live(run_id: int) -> Iterator[Run]:
    with _locked(run_id) as run:
        if run.state in TERMINAL:
            raise Refused("already_ended", f"Run {run.pk} has ended ({RunState(run.state).label.lower()}).")
        yield run
