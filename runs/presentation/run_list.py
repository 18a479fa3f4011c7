"""What the list page shows: rows of a tab under the URL's filters, by key and not by offset, and the strip above."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.core.cache import cache
from django.db.models import Count, Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from runs import queue
from runs.models import Run
from runs.models.approval import open_requests_of_runs
from runs.models.run import sub_runs_under_way_of_runs
from runs.presentation.today import Today, today_of
from runs.states import ACTIVE, TERMINAL, WAITING

PAGE_SIZE = 50
QUEUE_LOOK_S = 5  # seconds that a look at the queue is kept: the list must not wait for a Redis that is away
SILENCE_S = 120  # a worker that has not said anything for so long counts as gone (RQ says so every 60 s at most)
TABS = {"needs": "Needs you", "running": "Running", "finished": "Finished", "all": "All"}
STATES = {"needs": WAITING, "running": ACTIVE, "finished": TERMINAL}


@dataclass(frozen=True, slots=True)
class Filters:
    """What the URL asks for. Empty means everything."""

    tab: str
    query: str = ""
    service: str = ""
    starter: str = ""
    parts: str = ""  # "1" shows sub-runs too, each as a row of its own
    before: int = 0

    @classmethod
    def of(cls, asked: QueryDict, default_tab: str) -> Filters:
        tab, before = asked.get("tab", ""), asked.get("before", "")
        return cls(
            tab=tab if tab in TABS else default_tab,
            query=_typed(asked, "q", 200),
            service=_typed(asked, "service", 200),
            starter=_typed(asked, "starter", 150),
            parts="1" if asked.get("parts") == "1" else "",
            before=int(before) if before.isdecimal() and len(before) < 18 else 0,
        )

    @property
    def is_narrow(self) -> bool:
        return bool(self.query or self.service or self.starter)

    def url(self, **changes: str | int) -> str:
        """The query string of these filters with some changed."""
        asked = {
            "tab": self.tab, "q": self.query, "service": self.service, "starter": self.starter, "parts": self.parts,
        } | changes  # fmt: skip
        return "?" + urlencode({name: value for name, value in asked.items() if value})

    def apply(self, runs: QuerySet[Run]) -> QuerySet[Run]:
        if self.tab in STATES:
            runs = runs.filter(state__in=STATES[self.tab])
        if not self.parts:
            runs = runs.filter(parent=None)
        if self.query:
            runs = runs.filter(Q(goal__icontains=self.query) | Q(answer__icontains=self.query))
        if self.service:
            runs = runs.filter(service=self.service)
        if self.starter:
            runs = runs.filter(started_by__endswith=f":{self.starter}")
        return runs


def _typed(asked: QueryDict, name: str, limit: int) -> str:
    # PostgreSQL refuses NUL in a parameter.
    return asked.get(name, "").replace("\x00", "").strip()[:limit]


@dataclass(frozen=True, slots=True)
class Page:
    runs: list[Run]
    next_before: int  # 0 on the last page


def page_of(user: User, filters: Filters) -> Page:
    """One page of rows, newest first: one query and one for their requests, whatever lies before it."""
    runs = filters.apply(Run.objects.visible_to(user)).select_related("starter", "team").order_by("-id")
    runs = runs.defer("report", "hypotheses", "alert", "sources", "budget").prefetch_related(
        open_requests_of_runs(), sub_runs_under_way_of_runs()
    )
    if filters.before:
        runs = runs.filter(id__lt=filters.before)
    rows = list(runs[: PAGE_SIZE + 1])
    return Page(rows[:PAGE_SIZE], rows[PAGE_SIZE - 1].pk if len(rows) > PAGE_SIZE else 0)


def newer_than(user: User, filters: Filters, newest: int) -> int:
    """How many rows of this tab came after the newest one shown."""
    return filters.apply(Run.objects.visible_to(user)).filter(id__gt=newest).count()


@dataclass(frozen=True, slots=True)
class Strip:
    """The line above the list."""

    needs: int
    running: int
    finished_today: int
    today: Today
    pending: int | None
    workers: int | None
    is_worker_alive: bool


def strip_of(user: User, now: datetime) -> Strip:
    """Counts of the person's runs, each question by an index of its own, and how the queue does."""
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    mine = Run.objects.visible_to(user).filter(parent=None)
    is_open = mine.filter(state__in=ACTIVE | WAITING).aggregate(
        needs=Count("pk", filter=Q(state__in=WAITING)), running=Count("pk", filter=Q(state__in=ACTIVE))
    )
    finished = mine.filter(state__in=TERMINAL, finished_at__gte=midnight).count()
    pending, workers, beat = cache.get_or_set("queue-look", _look_at_queue, QUEUE_LOOK_S) or (None, None, None)
    is_alive = beat is not None and now - beat < timedelta(seconds=SILENCE_S)
    return Strip(
        is_open["needs"], is_open["running"], finished, today_of(user), pending, workers,
        is_alive,
    )  # fmt: skip


def _look_at_queue() -> tuple[int | None, int | None, datetime | None]:
    names = queue.worker_names()
    if names is None:
        return None, None, None
    beat = queue.newest_heartbeat()
    return queue.pending_jobs(), len(names), beat if beat is None or beat.tzinfo else timezone.make_aware(beat)
