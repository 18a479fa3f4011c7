"""Run: one investigation of one goal, and the transitions of its state machine (docs/states.md is drawn from here)."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property
from django_fsm import ConcurrentTransitionMixin, FSMField, transition

from runs.models.team import Team
from runs.states import ACTIVE, TERMINAL, WAITING, Outcome, RunState

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from runs.models.approval import Approval

NOT_STARTED = "not started"  # the hold of a run that was created to wait for its start
WAITS = "waiting for its sub-runs"  # the hold of a run until the last of them has ended
S = RunState


_lifted = threading.local()


class StateField(FSMField):
    """An FSM field whose protection is lifted for one thread alone.

    The library lifts it on the field, which all threads share, while a row is re-read: two drivers that re-read at once
    met each other's "Direct state modification is not allowed".
    """

    @property
    def protected(self) -> bool:
        return not getattr(_lifted, "now", False)

    @protected.setter
    def protected(self, protected: bool) -> None:
        _lifted.now = not protected

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django_fsm.FSMField", args, kwargs  # migrations know columns, and this one is the same


class RunQuerySet(models.QuerySet["Run"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Runs of the user's teams; everything else answers 404 at every door."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if getattr(user, "is_superuser", False):
            return self
        return self.filter(team__memberships__user=user)

    def movable(self, now: datetime) -> Self:
        """Runs that somebody should be driving: active, not held, or held until a time that has passed."""
        return self.filter(state__in=ACTIVE).filter(models.Q(hold_reason="") | models.Q(hold_until__lte=now))


class Run(ConcurrentTransitionMixin, models.Model):
    """One investigation. The row is the program counter: state, lease, hold, budget and the head of its chain."""

    team = models.ForeignKey(Team, models.PROTECT, related_name="runs", db_index=False)  # (team, -id) serves
    goal = models.TextField(max_length=4_000)
    starter = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="started_runs"
    )
    started_by = models.CharField(max_length=150, help_text="user:alice, cli:root, alert:pagerduty")
    origin = models.CharField(max_length=16, default="web")  # web, api, cli, alert, demo
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)

    state = StateField(default=S.QUEUED, choices=S.choices, protected=True)
    planner = models.CharField(max_length=40)  # analyst, claude
    model = models.CharField(max_length=80, blank=True)
    prompt_version = models.CharField(max_length=40, blank=True)  # of the words that a model was asked with
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="sub_runs")
    place = models.PositiveSmallIntegerField(default=0)  # among its parent's sub-runs: 1 is S1
    follows = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="further")
    sources = models.JSONField(default=list)  # [{"name", "url", "env"}]: the run reads these and no others
    as_of = models.DateTimeField()  # the run's now; every range is judged against it
    focus_at = models.DateTimeField(null=True, blank=True)  # when the alert fired
    alert = models.JSONField(default=dict, blank=True)

    n_steps = models.PositiveIntegerField(default=0)
    head_mac = models.CharField(max_length=64, default="", blank=True)
    cycle = models.PositiveIntegerField(default=0)  # how often it planned
    plan_seq = models.PositiveIntegerField(default=0)  # the Step whose calls are being executed
    sent_back = models.BooleanField(default=False)  # EVALUATE returns a conclusion to the planner only once
    hypotheses = models.JSONField(default=list, blank=True)
    answer = models.CharField(max_length=400, blank=True)  # the best guess so far, or the report's summary

    lease_epoch = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_owner = models.CharField(max_length=80, blank=True)
    lease_alone = models.BooleanField(default=False)  # its driver drives nothing else in that process
    must_be_alone = models.BooleanField(default=False)  # a process died while it drove this run
    deaths = models.PositiveSmallIntegerField(default=0)  # of processes that drove it alone, at died_at
    died_at = models.CharField(max_length=40, blank=True)
    enqueued_at = models.DateTimeField(null=True, blank=True)
    hold_reason = models.CharField(max_length=200, blank=True)
    hold_until = models.DateTimeField(null=True, blank=True)
    held_by = models.CharField(max_length=150, blank=True)
    attempt = models.PositiveIntegerField(default=0)  # of the model call that is being retried

    budget = models.JSONField(
        default=dict
    )  # caps: steps, cycles, tool_calls, model_calls, tokens, micro_usd, driven_ms
    n_tool_calls = models.PositiveIntegerField(default=0)
    n_model_calls = models.PositiveIntegerField(default=0)
    tokens_in = models.PositiveBigIntegerField(default=0)
    tokens_out = models.PositiveBigIntegerField(default=0)
    tokens_cached = models.PositiveBigIntegerField(default=0)
    cost_micro_usd = models.PositiveBigIntegerField(default=0)
    reserved_micro_usd = models.PositiveBigIntegerField(default=0)  # for a model call that is under way
    cost_known = models.BooleanField(default=True)
    driven_ms = models.PositiveBigIntegerField(default=0)

    outcome = models.CharField(max_length=16, choices=Outcome, blank=True)
    severity = models.CharField(max_length=4, blank=True)
    service = models.CharField(max_length=200, blank=True)
    report = models.JSONField(null=True, blank=True)
    stopped_by = models.CharField(max_length=40, blank=True)  # the limit that ended it, if one did
    failure_code = models.CharField(max_length=60, blank=True)
    failure = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    begun_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["team", "started_by", "idempotency_key"], name="one_run_a_key"),
            models.CheckConstraint(condition=models.Q(state__in=S.values), name="run_state_is_known"),
        ]
        indexes = [
            models.Index(fields=["team", "-id"]),
            models.Index(fields=["state", "-id"]),
            models.Index(fields=["created_at"]),
            models.Index(fields=["finished_at"]),
        ]

    def __str__(self) -> str:
        return f"Run {self.pk}: {self.goal[:60]}"

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def is_waiting(self) -> bool:
        return self.state in WAITING

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    def is_held(self, now: datetime) -> bool:
        return bool(self.hold_reason) and (self.hold_until is None or self.hold_until > now)

    @property
    def is_not_started(self) -> bool:
        return self.hold_reason == NOT_STARTED and self.state == S.QUEUED

    @property
    def waits_for_sub_runs(self) -> bool:
        return self.hold_reason == WAITS and not self.is_terminal

    @cached_property
    def sub_runs_under_way(self) -> list[Run]:
        """Those it waits for, in their order. A query for one run that waits; lists fill it for all rows at once."""
        return list(sub_runs_not_ended().filter(parent=self)) if self.waits_for_sub_runs else []

    @cached_property
    def open_requests(self) -> list[Approval]:
        """What waits for people, soonest expiry first. A query for one run; lists fill it for all rows at once."""
        return list(self.approvals.pending()) if self.is_waiting else []

    @transition(state, source=[S.QUEUED], target=S.PLAN)
    def begin(self, **changes: Any) -> None:
        self._assign(changes)

    @transition(state, source=[S.PLAN], target=S.EXECUTE_TOOL)
    def choose_tools(self, **changes: Any) -> None:
        self._assign(changes)

    @transition(state, source=[S.PLAN], target=S.EVALUATE)
    def conclude(self, **changes: Any) -> None:
        self._assign(changes)

    @transition(state, source=[S.EXECUTE_TOOL], target=S.NEEDS_APPROVAL)
    def ask_approval(self, **changes: Any) -> None:
        self._assign(changes)

    @transition(state, source=[S.NEEDS_APPROVAL], target=S.EXECUTE_TOOL)
    def resume(self, **changes: Any) -> None:
        self._assign(changes)

    @transition(state, source=[S.NEEDS_APPROVAL], target=S.EVALUATE)
    def none_approved(self, **changes: Any) -> None:
        self._assign(changes)

    @transition(state, source=[S.EXECUTE_TOOL], target=S.EVALUATE)
    def tools_returned(self, **changes: Any) -> None:
        self._assign(changes)

    @transition(state, source=[S.EVALUATE], target=S.PLAN)
    def replan(self, **changes: Any) -> None:
        self._assign(changes)

    @transition(state, source=[S.EVALUATE], target=S.DONE)
    def finish(self, **changes: Any) -> None:
        self._assign(changes)

    @transition(state, source=[S.QUEUED, S.PLAN, S.EXECUTE_TOOL, S.EVALUATE], target=S.FAILED)
    def fail(self, **changes: Any) -> None:
        self._assign(changes)

    @transition(state, source=[S.QUEUED, S.PLAN, S.EXECUTE_TOOL, S.EVALUATE, S.NEEDS_APPROVAL], target=S.CANCELLED)
    def cancel(self, **changes: Any) -> None:
        self._assign(changes)

    def _assign(self, changes: dict[str, Any]) -> None:
        for name, value in changes.items():
            setattr(self, name, value)


def sub_runs_not_ended() -> RunQuerySet:
    """Sub-runs that still go, each run's in their order, without what is large."""
    going: RunQuerySet = Run.objects.exclude(parent=None).exclude(state__in=TERMINAL)
    return going.only("parent", "place").order_by("place")


def sub_runs_under_way_of_runs() -> models.Prefetch[Any]:
    """What fills `Run.sub_runs_under_way` of a whole list with one query."""
    return models.Prefetch("sub_runs", sub_runs_not_ended(), to_attr="sub_runs_under_way")
