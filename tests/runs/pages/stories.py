"""One investigation as the driver writes it, stopped wherever a test wants to look. No page is asked here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from runs.models import Run, Team, ToolCall
from runs.services import calls as ledger
from runs.services import drive, model_calls
from runs.services.actors import Actor
from runs.services.leases import Lease
from runs.services.policies import Ruling
from runs.services.runs import create_run
from runs.services.taint import taint_of
from runs.states import CallStatus, Effect

SOURCES = [{"name": "shop", "url": "file:///srv/shop", "env": "prod"}]
VOTES = Ruling(Effect.APPROVE, 1, "approver", "writes need one vote")
READS = Ruling(Effect.RUN, 1, "approver", "reading is free")

GOAL = "Investigate database timeouts in the last 5 hours and create a ticket if required"
LINE = "Connection is not available, request timed out after 5000ms"


@dataclass
class Story:
    """A run, its lease, and how far it has come."""

    run: Run
    lease: Lease

    @property
    def onset(self) -> datetime:
        return self.run.as_of - timedelta(minutes=58)

    def at(self, minutes: float) -> str:
        """ISO time, minutes after the onset."""
        return (self.onset + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def begin(starter: User, team: Team, goal: str = GOAL, as_of: datetime | None = None) -> Story:
    """A run in PLAN, leased to us, so that no worker touches it."""
    as_of = as_of or datetime.now(UTC).replace(microsecond=0)
    run = create_run(
        goal=goal, team=team, actor=Actor.person(starter), origin="web", sources=SOURCES, as_of=as_of, leased_to="test"
    ).run
    story = Story(run, Lease(run.pk, 1, "test"))
    drive.begin(run, story.lease, [{"name": "shop", "kind": "folder", "services": ["orders-api", "checkout"]}], {})
    return story


def created(starter: User, team: Team, **more: Any) -> Run:
    """A run that nobody drives yet."""
    return create_run(goal=GOAL, team=team, actor=Actor.person(starter), origin="web", sources=SOURCES, **more).run


def look(story: Story) -> None:
    """The first plan, without an answer yet; its one search is on its way."""
    words = "What changed its behaviour, and when?"
    _think(story, words)
    args = {"level": "ERROR", "service": "orders-api", "since": "last 5 hours"}
    [call] = _choose(story, words, [("search_logs", args, READS, "read")], answer="", hypotheses=[])
    ledger.start_call(story.run, story.lease, call)


def gather(story: Story) -> None:
    """First cycle: three reads, one of them without data; then back to PLAN."""
    _think(story, "What changed its behaviour, and when?")
    calls = _choose(
        story,
        "What changed its behaviour, and when?",
        [
            ("search_logs", {"pattern": "timed out", "level": "ERROR", "since": "last 5 hours"}, READS, "read"),
            ("query_metrics", {"name": "db_pool_*", "service": "orders-api"}, READS, "read"),
            ("list_changes", {"since": "last 5 hours"}, READS, "read"),
            ("query_traces", {"caller": "search-api", "callee": "orders-api"}, READS, "read"),
        ],
        answer="orders-api runs out of database connections.",
        hypotheses=hypotheses("open"),
    )
    for call, result in zip(calls, (_logs(story), _metrics(story), _changes(story), _no_traces(story)), strict=True):
        ledger.start_call(story.run, story.lease, call)
        ledger.record_results(story.run, story.lease, [(call, result)])
    ledger.tools_returned(story.run, story.lease, len(calls))
    drive.replan(story.run, story.lease, words="4 results kept", problems=[], partial=None)


def ask(story: Story) -> None:
    """Second cycle: the ticket needs a vote, so the run parks."""
    _think(story, "The pool is exhausted; a ticket is wanted.")
    ticket = {
        "title": "orders-api: database pool exhausted",
        "body": f"Since 02:14.\n\n> {LINE}",
        "service": "orders-api",
        "severity": "SEV2",
    }
    calls = _choose(
        story,
        "The goal asks for a ticket.",
        [("create_ticket", ticket, VOTES, "write")],
        answer="orders-api runs out of database connections since its pool was cut from 40 to 10.",
        hypotheses=hypotheses("supported"),
    )
    partial = report(story) | {"partial": True, "outcome": "LIKELY"}
    drive.ask_approval(story.run, story.lease, [calls[0]], "The goal asks for a ticket.", partial)


def conclude(story: Story, outcome: str = "LIKELY", **changes: Any) -> None:
    """From PLAN to DONE with a checked report."""
    _think(story, "The evidence is enough.")
    request = {"id": "r9", "tool": "generate_report", "args": {}}
    drive.conclude(
        story.run, story.lease, rationale="The evidence is enough.", hypotheses=hypotheses("supported"), request=request
    )
    drive.finish(story.run, story.lease, report(story) | {"outcome": outcome} | changes)


def _think(story: Story, words: str) -> None:
    payload = {"model": "analyst", "usage": {}, "reply": [{"type": "text", "text": words}], "sent": {}}
    model_calls.record_model_call(story.run, story.lease, payload, model_calls.Spent())


def _choose(
    story: Story,
    rationale: str,
    requests: list[tuple[str, dict[str, Any], Ruling, str]],
    *,
    answer: str,
    hypotheses: list[dict[str, Any]],
) -> list[ToolCall]:
    calls = [
        ledger.PlannedCall(f"r{index}", tool, args, risk, ruling, taint=taint_of(story.run, [args])[0])
        for index, (tool, args, ruling, risk) in enumerate(requests)
    ]
    drive.choose_tools(story.run, story.lease, calls, rationale=rationale, answer=answer, hypotheses=hypotheses)
    return list(ToolCall.objects.filter(run=story.run, plan_seq=story.run.plan_seq))


def _query(story: Story, **asked: Any) -> dict[str, Any]:
    until = story.run.as_of.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"source": "shop", "since": story.at(-242), "until": until} | asked


def _logs(story: Story) -> ledger.CallResult:
    per_minute = [[story.at(minute), 30 + minute * 7 % 11] for minute in range(58)]
    matches = [
        {
            "at": story.at(57 - n),
            "service": "orders-api",
            "level": "ERROR",
            "message": f"pool-1 - {LINE}",
            "where": f"orders.log:{4100 - n}",
            "fields": {},
        }
        for n in range(12)
    ]
    total = sum(count for _, count in per_minute)
    template = {
        "template": "pool-<n> - Connection is not available, request timed out after <n>ms",
        "count": total,
        "first_at": story.at(0),
        "last_at": story.at(57),
        "service": "orders-api",
        "example": f"pool-1 - {LINE}",
    }
    return ledger.CallResult(
        status=CallStatus.SUCCESS,
        summary=f"{total:,} lines match since {story.at(0)[11:16]}; before: 0",
        data={
            "total": total,
            "searched": 48_210,
            "per_minute": per_minute,
            "bucket_s": 60,
            "services": {"orders-api": total},
            "levels": {"ERROR": total},
            "templates": [template],
            "matches": matches,
            "first_at": story.at(0),
            "last_at": story.at(57),
        },
        figures={"total": float(total), "searched": 48_210.0},
        query=_query(story, pattern="timed out", level="ERROR"),
        source="shop:logs",
        freshness=story.run.as_of - timedelta(seconds=8),
        skipped=3,
        duration_ms=41,
    )


def _series(story: Story, name: str, unit: str, before: float, after: float) -> dict[str, Any]:
    values = [before + minute % 3 if minute < 0 else after for minute in range(-180, 58)]
    points = [[story.at(minute), value] for minute, value in zip(range(-180, 58), values, strict=True)]
    ordered = sorted(values)
    return {
        "id": f"orders-api {name}",
        "name": name,
        "service": "orders-api",
        "labels": {},
        "unit": unit,
        "points": points,
        "stats": {
            "min": ordered[0],
            "max": ordered[-1],
            "mean": sum(values) / len(values),
            "median": ordered[len(values) // 2],
            "first": values[0],
            "last": values[-1],
            "count": len(values),
        },
    }


def _metrics(story: Story) -> ledger.CallResult:
    series = [
        _series(story, "db_pool_active", "connections", 14, 10),
        _series(story, "db_pool_pending", "requests", 0, 87),
        _series(story, "p99", "s", 0.18, 5.02),
    ]
    return ledger.CallResult(
        status=CallStatus.SUCCESS,
        summary="active 10 of 10; pending 0 → 87",
        data={"series": series, "step_s": 60},
        figures={"orders-api db_pool_pending max": 89.0},
        query=_query(story, name="db_pool_*", service="orders-api"),
        source="shop:metrics",
        freshness=story.run.as_of - timedelta(seconds=20),
        duration_ms=12,
    )


def _changes(story: Story) -> ledger.CallResult:
    deploy = {
        "id": "deploy:orders-api:4.18.0",
        "kind": "deploy",
        "at": story.at(-3),
        "service": "orders-api",
        "title": "orders-api 4.18.0",
        "author": "dana",
        "version": "4.18.0",
        "commit": "8c1f0aa",
        "files": ["app.yaml"],
        "diff": "-DB_POOL_MAX: 40\n+DB_POOL_MAX: 10",
        "text": "orders-api 4.18.0 released by dana",
    }
    other = deploy | {
        "id": "deploy:search-api:2.9.1",
        "at": story.at(-9),
        "service": "search-api",
        "version": "2.9.1",
        "title": "search-api 2.9.1",
        "diff": "",
        "files": [],
        "text": "search-api 2.9.1 released",
    }
    return ledger.CallResult(
        status=CallStatus.SUCCESS,
        summary="2 changes: search-api 2.9.1, orders-api 4.18.0",
        data={"changes": [other, deploy]},
        figures={"total": 2.0, "deploys": 2.0},
        query=_query(story),
        source="shop:changes",
        freshness=story.onset,
        duration_ms=4,
    )


def _no_traces(story: Story) -> ledger.CallResult:
    return ledger.CallResult(
        status=CallStatus.NO_DATA,
        summary="0 of 2,140 traces hold a call from search-api to orders-api",
        data={"traces": 0, "spans": 0, "services": [], "edges": [], "errors": [], "slowest": [], "per_minute": []},
        figures={"traces": 0.0},
        query=_query(story, caller="search-api", callee="orders-api"),
        source="shop:traces",
        freshness=story.run.as_of,
        duration_ms=9,
    )


def claims(story: Story) -> list[dict[str, Any]]:
    common = {"role": "symptom", "quote": "", "figure": "", "value": None, "unit": "", "at": "", "based_on": []}
    return [
        common
        | {
            "id": "C1",
            "statement": "Requests wait for a connection",
            "kind": "number",
            "evidence": "E2",
            "figure": "orders-api db_pool_pending",
            "value": 87,
            "unit": "requests",
            "at": story.at(1),
            "verdict": "number_matches",
            "detail": "",
        },
        common
        | {
            "id": "C2",
            "statement": "Requests time out waiting for one",
            "kind": "quote",
            "evidence": "E1",
            "quote": LINE,
            "verdict": "quote_found",
            "detail": "",
        },
        common
        | {
            "id": "C3",
            "statement": "The limit was lowered three minutes before",
            "kind": "quote",
            "role": "change",
            "evidence": "E3",
            "quote": "+DB_POOL_MAX: 10",
            "verdict": "quote_found",
            "detail": "",
        },
        common
        | {
            "id": "C4",
            "statement": "search-api does not call it",
            "kind": "absence",
            "role": "against",
            "evidence": "E4",
            "verdict": "nothing_found",
            "detail": "",
        },
        common
        | {
            "id": "C5",
            "statement": "The lowered limit causes the time-outs",
            "kind": "inference",
            "role": "mechanism",
            "evidence": "",
            "based_on": ["C1", "C2", "C3"],
            "verdict": "inference",
            "detail": "",
        },
    ]


def hypotheses(status: str) -> list[dict[str, Any]]:
    common = {"role": "symptom", "quote": "", "figure": "", "value": None, "unit": "", "at": "", "based_on": []}
    fact = common | {
        "id": "C2",
        "statement": "Requests time out waiting for one",
        "kind": "quote",
        "evidence": "E1",
        "quote": LINE,
        "verdict": "quote_found",
        "detail": "",
    }
    against = common | {
        "id": "C4",
        "statement": "search-api does not call it",
        "kind": "absence",
        "role": "against",
        "evidence": "E4",
        "verdict": "nothing_found",
        "detail": "",
    }
    return [
        {
            "id": "H1",
            "statement": "The connection pool of orders-api is exhausted",
            "status": status,
            "why": "all 10 connections in use since 02:14",
            "facts": [fact],
        },
        {"id": "H2", "statement": "The database itself is slow", "status": "open", "why": "", "facts": []},
        {
            "id": "H3",
            "statement": "search-api 2.9.1 floods orders-api",
            "status": "open" if status == "open" else "refuted",
            "why": "no trace holds such a call",
            "facts": [against],
        },
    ]


def report(story: Story) -> dict[str, Any]:
    return {
        "verdict": "cause",
        "outcome": "LIKELY",
        "severity": "SEV2",
        "partial": False,
        "stopped_by": "",
        "summary": "orders-api ran out of database connections after release 4.18.0 cut its pool from 40 to 10.",
        "root_cause": {
            "entity": "orders-api",
            "kind": "configuration",
            "change_id": "deploy:orders-api:4.18.0",
            "mechanism": "Release 4.18.0 cut the connection pool from 40 to 10. Since then all 10 are in use, "
            "requests wait 5 s for one and fail. The database itself is healthy.",
        },
        "suspects": [{"entity": "orders-api", "score": 0.9, "evidence": ["E1", "E2", "E3"], "why": "leads"}],
        "onset": story.at(0),
        "still_happening": {"ongoing": True, "latest": "p99 5.02 s", "normal": "0.18 s"},
        "first_failing": "orders-api",
        "affected": ["orders-api", "checkout", "mobile-gateway"],
        "remediation": "rollback",
        "timeline": [
            {"at": story.at(-9), "text": "search-api 2.9.1 released (not related, see R1)", "evidence": ["E3"]},
            {"at": story.at(-3), "text": "orders-api 4.18.0 released", "evidence": ["E3"]},
            {"at": story.at(0), "text": "pool full, first timeout", "evidence": ["E1", "E2"]},
        ],
        "claims": claims(story),
        "did_not_hold": [
            claims(story)[1]
            | {
                "id": "C6",
                "statement": "The disk of the database is full",
                "quote": "No space left on device",
                "verdict": "not_in_evidence",
                "detail": "E1 holds no such text",
            }
        ],
        "ruled_out": [{"statement": "search-api 2.9.1", "why": "no trace holds a call from it", "evidence": ["E4"]}],
        "not_checked": [
            {
                "what": "Connection leaks",
                "why": "no source holds heap or thread data",
                "would_decide": "db_pool_acquired_total per caller",
            }
        ],
        "actions": [
            {
                "text": "Roll back orders-api to 4.17.2",
                "undo": "redeploy 4.18.0",
                "command": "kubectl rollout undo deploy/orders-api",
            },
            {"text": "Watch db_pool_pending: it should fall below 1 within 5 minutes", "undo": "", "command": ""},
        ],
        "why_label": {
            "met": ["the order in time and the diff agree", "no fact speaks against it"],
            "unmet": ["the old pool size, under this load, without the symptom"],
        },
        "checked": {"held": 5, "total": 6},
    }
