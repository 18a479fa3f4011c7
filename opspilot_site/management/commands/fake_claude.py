"""`fake-claude`: a stand-in of Anthropic's Messages API, so that the Claude planner can be tried with no key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agent.claude.fake.script import Investigation, Turns
from agent.claude.fake.server import FakeMessagesApi


class Command(BaseCommand):
    help = "Serve a stand-in of the Messages API on 127.0.0.1. It is no model: it plays a script."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8799, help="0 takes a free one")
        parser.add_argument("--script", type=Path, help="JSON file of turns; without it, a small investigation")
        parser.add_argument("--seconds", type=float, default=0, help="how long every answer takes")
        parser.add_argument("--lacks", default="", help="strict, cache, stream: refuse what uses them; commas between")
        parser.add_argument("--lenient", action="store_true", help="take requests of other shapes than a planner's too")
        parser.add_argument("--record", type=Path, help="append each request to this file, one JSON line each")

    def handle(self, **options: Any) -> None:
        try:
            script = Turns.from_file(options["script"]) if options["script"] else Investigation()
        except (OSError, ValueError, KeyError) as error:
            raise CommandError(f"The script {options['script']} cannot be read: {error}") from error
        try:
            server = FakeMessagesApi(options["port"], script, options["record"], options["seconds"])
            server.is_lenient = options["lenient"]
            server.lacks = frozenset(name for name in options["lacks"].split(",") if name)
        except OSError as error:
            raise CommandError(f"Port {options['port']} cannot be opened: {error.strerror}.") from error
        self.stdout.write(f"Stand-in of the Messages API at {server.url}\n")
        self.stdout.write(f"Use it: ANTHROPIC_BASE_URL={server.url} ANTHROPIC_API_KEY=any ./opspilot investigate …\n")
        self.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            self.stdout.write("Stopped.\n")
        finally:
            server.server_close()
