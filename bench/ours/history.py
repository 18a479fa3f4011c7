"""Our side of `history`: the time that pages spend in the database and the ORM, over a record of a given size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model
from django.db.models.query import QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.test import Client

from bench.answering import serve
from bench.ours.bulk import STEPS_A_RUN, fill
from opspilot_site.database import prepare_database
from runs.models import Run, Step
from runs.services.teams import default_team

PAGE = 50


@dataclass(frozen=True, slots=True)
class Page:
    """A page by its address, and the table that it lists. `is_deep`: half-way back in the history."""

    path: str
    model: type[Model]
    is_deep: bool = False


class Clock:
    """Time inside of the database and the ORM. Patched in from outside: what they do within one another counts once."""

    def __init__(self) -> None:
        self.spent_s = 0.0
        self._depth = 0

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            self._depth += 1
            try:
                return call(*args, **kwargs)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.spent_s += time.perf_counter() - started

        return timed


_pages: dict[str, Page] = {}
_client = Client(SERVER_NAME="127.0.0.1")


def prepare(steps: int) -> dict[str, Any]:
    """Migrate, fill, and note the addresses of the pages to be measured."""
    prepare_database()
    runs = fill(steps, default_team().pk)
    user, _ = User.objects.get_or_create(username="bench", defaults={"is_superuser": True})
    _client.force_login(user)
    run, step = max(2, runs // 2), max(2, runs * STEPS_A_RUN // 2)
    _pages.update({
        "run list": Page("/?tab=all", Run),
        "run list, half-way back": Page(f"/?tab=all&before={run}", Run, is_deep=True),
        "run list, what needs you": Page("/?tab=needs", Run),
        "audit browser": Page("/admin/audit/", Step),
        "audit browser, half-way back": Page(f"/admin/audit/?before={step}", Step, is_deep=True),
        "audit browser, votes only": Page("/admin/audit/?kind=vote", Step),
        "audit browser, one person": Page("/admin/audit/?actor=bob", Step),
        "admin list of runs": Page("/admin/runs/run/", Run),
        "admin list of steps": Page("/admin/runs/step/", Step),
        "admin list of steps, votes only": Page("/admin/runs/step/?kind__exact=vote", Step),
    })  # fmt: skip
    return {"pages": list(_pages), "steps": runs * STEPS_A_RUN}


def look(name: str) -> dict[str, Any]:
    """One look at a page: `ms` in the database and ORM, `whole_ms` until the response was there."""
    started = time.perf_counter()
    with _orm_clock() as clock:
        response = _client.get(_pages[name].path)
    if response.status_code != 200:
        raise RuntimeError(f"{_pages[name].path} answers {response.status_code}")
    return {"ms": clock.spent_s * 1_000, "whole_ms": (time.perf_counter() - started) * 1_000}


def floor(name: str) -> dict[str, Any]:
    """As many rows of the table by key, by the driver alone."""
    table = connection.ops.quote_name(_pages[name].model._meta.db_table)
    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY id DESC LIMIT {PAGE}")  # noqa: S608  of our own tables
        cursor.fetchall()
    return {"ms": (time.perf_counter() - started) * 1_000}


def stock(name: str) -> dict[str, Any]:
    """The rows as Django's own lists get them: all counted, then an offset."""
    page = _pages[name]
    started = time.perf_counter()
    pages = Paginator(page.model._default_manager.order_by("-pk"), PAGE)
    list(pages.page(pages.num_pages // 2 + 1 if page.is_deep else 1))
    return {"ms": (time.perf_counter() - started) * 1_000}


@contextmanager
def _orm_clock() -> Iterator[Clock]:
    clock = Clock()
    with (
        patch.object(QuerySet, "_fetch_all", clock.around(QuerySet._fetch_all)),
        patch.object(SQLCompiler, "execute_sql", clock.around(SQLCompiler.execute_sql)),
    ):
        yield clock


if __name__ == "__main__":
    serve(prepare=prepare, look=look, floor=floor, stock=stock)
