"""`./opspilot demo`: a fresh incident, investigated before your eyes, with everything around it running."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from opspilot_site.cast import seed_cast
from opspilot_site.database import WrongDatabase, prepare_database
from opspilot_site.follow import Follower, look_of
from opspilot_site.greeting import forwarding_hint, headline, short
from opspilot_site.incident import DEFAULT_SCENARIO, Incident, ScenarioError, make_incident, scenario_names
from opspilot_site.redis_server import NoRedis
from opspilot_site.stack import Address, CannotStart, check_machine, data_folder, start_stack
from opspilot_site.supervisor import StartFailed, Supervisor
from opspilot_site.terminal import closing, opening
from runs.demo_links import demo_link
from runs.models import Run
from runs.presentation.report_text import report_markdown
from runs.services.actors import Actor
from runs.services.approvals import decide_approval
from runs.services.errors import Refused
from runs.services.runs import create_run
from runs.services.teams import default_team
from runs.sources import chosen_sources
from runs.states import ApprovalState, RunState

PATIENCE_S = 600  # for --once: a demo that has not ended by then never will


class Command(BaseCommand):
    help = "Make an incident, investigate it before your eyes, and wait for your approval to file a ticket."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="approve as bob, print the report, stop everything")
        parser.add_argument("--scenario", default=DEFAULT_SCENARIO, help=", ".join(scenario_names()))
        parser.add_argument("--seed", type=int, help="the same seed makes the same incident")
        parser.add_argument("--port", type=int, default=settings.PORT, help=f"default {settings.PORT}")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("Start the demo as ./opspilot demo: it needs its own settings.", returncode=2)
        supervisor = Supervisor(self._say)
        address = Address("127.0.0.1", options["port"])
        try:
            with data_folder(), supervisor.signals():
                follower = self._begin(supervisor, address, options["scenario"], options["seed"])
                if options["once"]:
                    self._finish_once(supervisor, follower)
                else:
                    self._stay(supervisor, follower)
        except (CannotStart, NoRedis, WrongDatabase, ScenarioError) as error:
            raise CommandError(str(error), returncode=2) from None
        except StartFailed as error:
            raise CommandError(str(error), returncode=1) from None

    def _begin(self, supervisor: Supervisor, address: Address, scenario: str, seed: int | None) -> Follower:
        check_machine(address)
        self._say(headline())
        with self._timed("database"):
            prepare_database(demo=True)
            people = seed_cast()
        with self._timed("incident") as timed:
            incident = make_incident(scenario, seed)
            timed.words = incident.in_words()
        with self._timed("web, worker, reconciler"):
            start_stack(supervisor, address, settings.WORKERS)
        self._greet(address, people)
        return self._investigate(incident, people[0], address)

    def _greet(self, address: Address, people: list[User]) -> None:
        self._say(f"Dashboard    {address.url}        Ctrl-C stops everything; data in {short(settings.DATA_DIR)}")
        for user in people:
            role = "administrator" if user.is_superuser else user.memberships.get().role
            self._say(f"  {f'{user.username} ({role})':<22}  {address.url}{demo_link(user)}")
        if settings.OVER_SSH:
            self._say(forwarding_hint(address.port))

    def _investigate(self, incident: Incident, starter: User, address: Address) -> Follower:
        run = create_run(
            goal=incident.goal, team=default_team(), actor=Actor.person(starter), origin="demo",
            sources=chosen_sources(["demo"]), as_of=incident.as_of,
        ).run  # fmt: skip
        self._say("\n" + "\n".join(opening(run)))
        return Follower(run.pk, sys.stdout, address.url)

    def _stay(self, supervisor: Supervisor, follower: Follower) -> None:
        """Stream until the run waits or ends, say what can be done next, and go on streaming until Ctrl-C."""
        self._follow(supervisor, follower, lambda run: run.is_waiting or run.is_terminal)
        if supervisor.is_stopping:
            return
        self._say_where(follower.run())
        self._say('Next:   your own data   ./opspilot investigate --data DIR "why did checkout page?"')
        self._say("        your stack      ./opspilot up        Ctrl-C ends the demo.\n")
        if follower.run().is_waiting and self._follow(supervisor, follower, lambda run: run.is_terminal):
            self._say_where(follower.run())
        supervisor.watch()

    def _finish_once(self, supervisor: Supervisor, follower: Follower) -> None:
        """Approve what is asked as bob, then print the report and the ticket. Exit 1 unless the run ends DONE."""
        deadline = time.monotonic() + PATIENCE_S
        run = follower.run()
        while not run.is_terminal and not supervisor.is_stopping and time.monotonic() < deadline:
            self._follow(supervisor, follower, lambda run: run.is_waiting or run.is_terminal, deadline)
            self._approve_as("bob", follower.run())
            run = follower.run()
        follower.catch_up()
        if not run.is_terminal:
            raise CommandError(f"Run {run.pk} did not end ({run.state}); logs in {short(settings.DATA_DIR)}/logs.")
        self._say_where(run)
        self._say("\n" + report_markdown(run))
        for ticket in run.tickets.all():
            self._say(f"Ticket {ticket.name} ({ticket.get_state_display().lower()}): {ticket.title}\n\n{ticket.body}")
        if run.state != RunState.DONE:
            raise CommandError(f"Run {run.pk} ended {run.state}: {run.failure or 'see above'}")

    def _approve_as(self, name: str, run: Run) -> None:
        voter = User.objects.get(username=name)
        for request in run.approvals.filter(state=ApprovalState.PENDING):
            try:
                decide_approval(
                    request.pk, user=voter, approve=True, args_sha256=request.args_sha256, door="cli",
                    reason="The demo approves by itself.",
                )  # fmt: skip
            except Refused as refused:
                raise CommandError(f"{name} cannot approve request {request.pk}: {refused}") from None

    def _follow(
        self, supervisor: Supervisor, follower: Follower, is_enough: Any, deadline: float = float("inf")
    ) -> bool:
        """Print new Steps and keep the processes running until it is enough. False when it was stopped before."""

        def look() -> bool:
            run = follower.run()  # read first: Steps that the row already counts are then printed
            follower.catch_up()
            return bool(is_enough(run)) or time.monotonic() > deadline

        supervisor.watch(until=look)
        return not supervisor.is_stopping

    def _say_where(self, run: Run) -> None:
        self._say("\n".join(closing(run, timezone.now(), look_of(sys.stdout), run.sub_runs.all())))

    def _timed(self, what: str) -> _Timed:
        return _Timed(what, self._say)

    def _say(self, text: str) -> None:
        print(text, flush=True)


class _Timed:
    """`✓ database   0.9 s`, said when the block ends well."""

    def __init__(self, what: str, say: Any):
        self.words = ""
        self._what, self._say = what, say
        self._began = time.monotonic()

    def __enter__(self) -> _Timed:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if kind is None:
            took = f"{time.monotonic() - self._began:.1f} s"
            self._say(f"✓ {self._what}   {self.words + '   ' if self.words else ''}{took}")
