"""Every route of the site, with an address that leads somewhere and a body that would do something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from runs.links import approval_link
from runs.models import Approval, PolicyRule, Run, Team, Ticket
from runs.services.teams import add_member, make_team
from runs.services.tokens import issue_token
from runs.states import Role
from tests.runs.story import TICKET, approved, finished, parked

ROLES = ("anonymous", "viewer", "operator", "approver", "administrator", "outsider", "service", "superuser")
PASSWORD = "correct horse battery"
REASON = "not needed any more"
DJANGOS = ("admin/runs/", "admin/auth/")  # Django's own pages, five a table


def routes() -> list[str]:
    """All routes as the resolver has them, in its order."""
    return list(_walk(get_resolver().url_patterns))


def _walk(patterns: list[Any], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        elif isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)


@dataclass(frozen=True)
class World:
    """A run that waits, a run that ended, and one person of every role. `sam` started both runs and is none of them."""

    people: dict[str, User | None]
    waiting: Approval
    ended: Run

    def ask(self, role: str, method: str, route: str) -> int:
        """The status code that this role gets; whatever the request changed is taken back."""
        person = self.people[role]
        client = Client(raise_request_exception=False)
        if person is not None:
            client.force_login(person)
        address = self.address(route, person)
        with transaction.atomic():
            if method == "POST":
                body, kind = self.body(route)
                status = client.post(address, body, **kind).status_code
            else:
                status = client.generic(method, address).status_code
            transaction.set_rollback(True)
        return status

    def address(self, route: str, person: User | None) -> str:
        address = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", r"<\1>", route).replace("^", "").replace("$", "")
        return "/" + re.sub(
            r"<(?:\w+:)?(\w+)>", lambda match: str(self._captured(match[1], address, person)), address
        ).replace("\\", "")

    def _captured(self, name: str, route: str, person: User | None) -> Any:
        run = self.waiting.run_id if re.search("cancel|start|hold|release|note|execute", route) else self.ended.pk
        match name, route.split("/")[0:2]:
            case "pk", ["runs" | "api", "<pk>" | "runs" | "<int:pk>"]:
                return run
            case "pk", ["approvals", _] | ["api", "approvals"]:
                return self.waiting.pk
            case "pk", ["api", "tickets"]:
                return Ticket.objects.get().pk
            case "pk", ["account", _]:
                token = person.api_tokens.first() if person else None
                return token.pk if token else 1
            case "name", _:
                return Ticket.objects.get().name if route.startswith("tickets") else "E1"
            case "object_id", ["admin", "r"]:
                return self.ended.pk
            case "object_id" | "id", ["admin", app]:
                return _first(app, route.split("/")[2])
            case "content_type_id", _:
                return ContentType.objects.get_for_model(Run).pk
            case "word", _:
                someone = person or self.people["viewer"]
                assert someone is not None
                return urlsplit(approval_link(self.waiting, someone)).path.rsplit("/", 1)[1]
        return {"kind": "jsonl", "app_label": "runs", "url": "nothing-here"}.get(name, "x")

    def body(self, route: str) -> tuple[Any, dict[str, Any]]:
        """What a POST there would do something with."""
        sha256 = self.waiting.args_sha256
        if route.startswith("api/"):
            bodies: dict[str, dict[str, Any]] = {
                "decide": {"decision": "deny", "reason": REASON, "args_sha256": sha256},
                "edit": {"args": {**TICKET, "title": "another title"}, "args_sha256": sha256},
                "notes": {"text": "look at E1"}, "runs": {"goal": "why?", "sources": []},
            }  # fmt: skip
            return bodies.get(route.strip("$").rsplit("/", 1)[-1].strip("^"), {}), {"content_type": "application/json"}
        form = {
            "decision": "deny", "reason": REASON, "args_sha256": sha256, "id": [self.waiting.pk], "text": "look at E1",
            f"args_sha256-{self.waiting.pk}": sha256, "arg-title": "another title", "name": "laptop", "days": "7",
            "scope": ["runs:read"], "rule": PolicyRule.objects.filter(team=None).latest("order").pk, "to": "up",
        }  # fmt: skip
        return form, {}


def make_world(team: Team) -> World:
    add = User.objects.create_user
    people: dict[str, User | None] = {"anonymous": None}
    for role in ("viewer", "operator", "approver", "administrator", "service"):
        person = people[role] = add(role, password=PASSWORD)
        known = Role.APPROVER if role == "service" else Role(role)
        add_member(team, person, known, is_service=role == "service")
    people["outsider"] = add("outsider", password=PASSWORD)
    add_member(make_team("other", "Other"), people["outsider"], Role.ADMINISTRATOR)
    people["superuser"] = User.objects.create_superuser("superuser", password=PASSWORD)
    sam, voter = add("sam"), people["approver"]
    add_member(team, sam, Role.OPERATOR)
    done = parked(team, sam)
    approved(done, voter)
    ended = finished(done)
    for person in filter(None, people.values()):
        issue_token(person, "own")
    return World(people, parked(team, sam), ended)


def _first(app: str, model: str) -> int:
    rows: type[models.Model] = ContentType.objects.get(app_label=app, model=model).model_class()
    row = rows._default_manager.order_by("pk").first()
    return row.pk if row else 1
