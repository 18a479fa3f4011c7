"""What is configured, what answers, what is missing: the findings of `doctor`. Changes nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from importlib import import_module
from typing import Any

import django.core.checks
from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from agent.errors import PlannerFault, Temporary
from agent.execute import look_at_sources
from agent.jobs import tool_host
from agent.planners import claude_settings
from opspilot_site.greeting import database_word, planner_words
from runs import queue
from runs.models import Membership, Notification, NotificationTarget, Run, Team
from runs.notify.courier import is_understood
from runs.notify.targets import Target, configured_targets
from runs.presentation.formats import ago, duration, number, plural
from runs.presentation.words import said_by
from runs.reconcile import stranded
from runs.services.halt import current_halt
from runs.services.notifications import overdue
from runs.sources import configured_sources
from runs.states import NotificationState, Role
from tools import registry
from tools.base import ToolError
from tools.configuration import current
from tools.declared.loading import switched_off
from tools.tickets.opening import destination

LEAST_FREE = 200_000_000  # bytes: a database and its copy need room
RECENT = timedelta(days=7)  # how long doctor speaks of a message that was given up
STALE_S = 3_600  # telemetry that is older answers questions about yesterday
AHEAD_S = 120  # clocks differ by seconds; more is a zone that was read wrongly


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"  # works, but not as well as it could
    BROKEN = "broken"  # something that is needed does not work

    @property
    def glyph(self) -> str:
        return {"ok": "✓", "warning": "⚠", "broken": "✗"}[self.value]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `doctor`; `hint` says what to do where something is not well."""

    name: str
    verdict: Verdict
    words: str
    hint: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def examine(asks_model: bool = False) -> list[Finding]:
    """Every finding, in the order in which they matter. The model is asked on request only."""
    database = list(_database())
    findings = [
        *_settings(),
        *_disk(),
        *database,
        *_redis(),
        *_planner(asks_model),
        *(ask_model() if asks_model else []),
        *_tools(),
        *_tickets(),
        *_sources(),
        *_addresses(),
    ]
    is_ready = all(finding.verdict == Verdict.OK for finding in database)
    return [*findings, *_notifications(), *_record()] if is_ready else findings


def _settings() -> Iterator[Finding]:
    problems = [
        found
        for found in django.core.checks.run_checks(databases=[connection.alias])
        if found.level >= django.core.checks.WARNING
    ]
    for problem in problems:
        verdict = Verdict.BROKEN if problem.is_serious() else Verdict.WARNING
        yield Finding("settings", verdict, f"{problem.msg} ({problem.id})", problem.hint or "")
    if not problems:
        yield Finding("settings", Verdict.OK, "Django's and our own checks pass")


def _disk() -> Iterator[Finding]:
    folder = settings.DATA_DIR
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    words = f"{folder}, {free / 1e9:.1f} GB free"
    if not os.access(folder, os.W_OK):
        yield Finding("data folder", Verdict.BROKEN, f"{folder} cannot be written", "Set OPSPILOT_DATA_DIR.")
    elif free < LEAST_FREE:
        yield Finding("data folder", Verdict.BROKEN, words, "Make room, or set OPSPILOT_DATA_DIR.")
    else:
        yield Finding("data folder", Verdict.OK, words)


def _database() -> Iterator[Finding]:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        yield Finding("database", Verdict.BROKEN, " ".join(str(error).split())[:300], "Look at DATABASE_URL.")
        return
    if not executor.loader.applied_migrations:
        yield Finding("database", Verdict.WARNING, "not made yet", "./opspilot up (or investigate) makes it.")
    elif missing:
        words = f"{database_word()}, {plural(len(missing), 'migration')} not applied"
        yield Finding("database", Verdict.BROKEN, words, "./opspilot up (or investigate) applies them.")
    else:
        yield Finding("database", Verdict.OK, f"{database_word()} answers, up to date")


def _redis() -> Iterator[Finding]:
    pending, workers = queue.pending_jobs(), queue.worker_names()
    if pending is None:
        hint = "./opspilot up starts it." if settings.EMBEDDED_REDIS else "Look at REDIS_URL. Runs are safe meanwhile."
        verdict = Verdict.WARNING if settings.EMBEDDED_REDIS else Verdict.BROKEN
        yield Finding("redis", verdict, "does not answer", hint)
        return
    yield Finding("redis", Verdict.OK, f"answers, {plural(pending, 'job')} waiting")
    if workers:
        yield Finding("workers", Verdict.OK, plural(len(workers), "worker"))
    else:
        yield Finding("workers", Verdict.BROKEN, "none", "Runs are safe and go on when one starts: ./opspilot up.")


def _planner(asks_model: bool) -> Iterator[Finding]:
    if settings.PLANNER == "claude" and not settings.ANTHROPIC_API_KEY:
        yield Finding("planner", Verdict.BROKEN, "claude without a key", "Set ANTHROPIC_API_KEY, or OPSPILOT_PLANNER.")
    elif settings.PLANNER == "claude":
        not_called = "" if asks_model else "; not called, since a call costs money (--ask-model does)"
        yield Finding("planner", Verdict.OK, f"{planner_words()}, a key is set{not_called}")
    else:
        yield Finding("planner", Verdict.OK, planner_words())


def ask_model() -> Iterator[Finding]:
    """Whether the model's address answers, and what it does not know. Costs a few tokens, so only on request."""
    if settings.PLANNER != "claude" and not settings.ANTHROPIC_API_KEY:
        yield Finding("model", Verdict.WARNING, "there is none to ask: no key is set", "Set ANTHROPIC_API_KEY.")
        return
    where = settings.ANTHROPIC_BASE_URL or "api.anthropic.com"
    try:
        told = claude_settings()
        lacks = import_module("agent.claude.probe").lacking(told)
    except Temporary as fault:
        hint = "Runs wait and try again by themselves. Is that the address, and does this machine reach it?"
        yield Finding("model", Verdict.BROKEN, f"{where}: {fault}", hint)
    except PlannerFault as fault:
        hint = "Look at ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL, OPSPILOT_MODEL."
        yield Finding("model", Verdict.BROKEN, f"{where}: {fault}", hint)
    else:
        yield from _answering(where, lacks)


def _answering(where: str, lacks: Sequence[str]) -> Iterator[Finding]:
    if set(lacks) <= set(settings.MODEL_LACKS):
        yield Finding("model", Verdict.OK, f"{settings.MODEL} answers at {where}{_without(settings.MODEL_LACKS)}")
    else:
        words = f"{settings.MODEL} answers at {where} only{_without(lacks)}"
        yield Finding("model", Verdict.BROKEN, words, f"Set OPSPILOT_MODEL_LACKS={','.join(lacks)}.")
    if not import_module("agent.claude.prices").is_known(settings.MODEL):
        words = f"that of {settings.MODEL} is not known"
        yield Finding("price", Verdict.WARNING, words, "Caps on tokens and calls hold for it; those on money cannot.")


def _without(lacks: Sequence[str]) -> str:
    names = {"strict": "strict tool schemas", "cache": "cache marks", "stream": "streaming"}
    return f" without {', '.join(names[lack] for lack in lacks)}" if lacks else ""


def _tools() -> Iterator[Finding]:
    yield Finding("tools", Verdict.OK, ", ".join(registry.names()))
    for name, why in switched_off(current()).items():
        yield Finding(f"tool {name}", Verdict.WARNING, f"switched off: {why}", "It is declared in tools.yaml.")


def _tickets() -> Iterator[Finding]:
    if not settings.TICKETS:
        return
    try:
        yield Finding("tickets", Verdict.OK, f"{destination()}; not asked")
    except ToolError as error:
        yield Finding("tickets", Verdict.BROKEN, str(error), "Look at OPSPILOT_TICKETS; docs/sources.md shows how.")


def _sources() -> Iterator[Finding]:
    sources = configured_sources()
    if not sources:
        hint = "Name a folder with investigate --data DIR, or add one: ./opspilot source add file:///var/log/shop"
        yield Finding("sources", Verdict.WARNING, "none is configured", hint)
        return
    # The tools look, in their own process: a hostile folder costs a call, not this command.
    now = timezone.now()
    for state in look_at_sources(Run(pk=0, sources=sources, as_of=now), tool_host(), lambda s: None)["sources"]:
        yield finding_of(state, now)


def finding_of(state: dict[str, Any], now: datetime) -> Finding:
    """One kind of one source: rows, services, the age of its newest row."""
    name = f"source {state['name']}"
    if state["problem"]:
        return Finding(name, Verdict.BROKEN, f"{state['kind']}: {state['problem']}")
    parts = [state["kind"]]
    if state["rows"] is not None:
        parts.append(f"{number(state['rows'])} rows")
    if state["services"]:
        parts.append(plural(len(state["services"]), "service"))
    if state["skipped"]:
        parts.append(f"{plural(state['skipped'], 'malformed row')} skipped")
    if not state["newest"]:
        return Finding(name, Verdict.WARNING, ", ".join([*parts, "nothing in it"]))
    age_s = (now - datetime.fromisoformat(state["newest"])).total_seconds()
    if age_s < -AHEAD_S:
        words = ", ".join([*parts, f"newest row {duration(-age_s)} ahead of now"])
        hint = (
            "Are its times local? Name their zone: timezone: Europe/Berlin in sources.yaml, or ?timezone= in its URL."
        )
        return Finding(name, Verdict.WARNING, words, hint)
    parts.append(f"newest row {duration(max(age_s, 0))} old")
    # Changes are rare, and a folder may be a dump of last year on purpose: old is worth a word, not an alarm.
    is_stale = age_s > STALE_S and state["kind"] != "changes"
    return Finding(name, Verdict.WARNING if is_stale else Verdict.OK, ", ".join(parts))


def _addresses() -> Iterator[Finding]:
    """Addresses of OPSPILOT_NOTIFY that cannot be read at all. Sends nothing; `notify test` does."""
    for target in configured_targets():
        if not is_understood(target):
            yield Finding("notifications", Verdict.BROKEN, f"{target.label}: no address that apprise understands")


def _notifications() -> Iterator[Finding]:
    targets = {target.key: target for target in configured_targets()}
    if not targets:
        yield Finding("notifications", Verdict.OK, "none; OPSPILOT_NOTIFY names e-mail, chat or webhook")
    rows = {row.key: row for row in NotificationTarget.objects.filter(key__in=targets)}
    for key, target in targets.items():
        yield _target_finding(target, rows.get(key))
    lost = Notification.objects.filter(state=NotificationState.GIVEN_UP, ended_at__gte=timezone.now() - RECENT).count()
    if lost:
        words = f"{plural(lost, 'message')} given up within {RECENT.days} days"
        yield Finding("notifications", Verdict.WARNING, words, "Which, and why: Admin → Notifications.")
    if waiting := overdue().count():
        hint = "The reconciler sends them: ./opspilot up."
        yield Finding("notifications", Verdict.WARNING, f"{plural(waiting, 'message')} due and nobody sends", hint)


def _target_finding(target: Target, row: NotificationTarget | None) -> Finding:
    if target.team and not Team.objects.filter(slug=target.team).exists():
        return Finding("notifications", Verdict.WARNING, f"{target.label}: there is no team {target.team}")
    if row is None:
        return Finding("notifications", Verdict.OK, f"{target.label}: from the reconciler's next start on")
    now = timezone.now()
    if row.failing_since:
        failing = f"{target.label}: failing for {duration((now - row.failing_since).total_seconds())}: {row.error}"
        return Finding("notifications", Verdict.WARNING, failing, "./opspilot notify test tries it now.")
    last = f"last message {ago(row.sent_at, now)}" if row.sent_at else "nothing sent yet"
    return Finding("notifications", Verdict.OK, f"{target.label}: {last}")


def _record() -> Iterator[Finding]:
    yield _people()
    if halt := current_halt():
        words = f"everything is stopped by {said_by(halt.by)}: {halt.reason}"
        yield Finding("stop switch", Verdict.WARNING, words, "./opspilot halt --release lets runs go on.")
        return
    waiting = len(stranded())
    if waiting:
        hint = "A reconciler enqueues them: ./opspilot up."
        yield Finding("runs", Verdict.WARNING, f"{plural(waiting, 'run')} should move and nobody drives them", hint)
    else:
        yield Finding("runs", Verdict.OK, f"{plural(Run.objects.count(), 'run')}, none is left behind")


def _people() -> Finding:
    voters = Membership.objects.filter(
        role__in=[Role.APPROVER, Role.ADMINISTRATOR], is_service=False, user__is_active=True
    ).count()
    if not User.objects.filter(is_active=True).exists():
        return Finding("people", Verdict.WARNING, "nobody can log in yet", "./opspilot up prints the set-up link.")
    if voters < 2:
        hint = "Whoever starts a run cannot approve its writes: name a second approver, or choose the preset solo."
        return Finding("people", Verdict.WARNING, f"{plural(voters, 'person')} can vote on requests", hint)
    return Finding("people", Verdict.OK, f"{voters} people can vote on requests")
