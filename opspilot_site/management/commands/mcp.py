"""`mcp look [NAME]`: takes the definitions of the tools of the MCP servers in tools.yaml, and shows them."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from opspilot_site.tools_file import kept_at
from runs.presentation.display import reveal
from tools.base import ToolError
from tools.declared.mcp_servers import look

FAILED, USAGE = 1, 2


class Command(BaseCommand):
    help = (
        "Ask the MCP servers of tools.yaml for their tools, keep what they say and show it. Only tools that were "
        "looked at and have a risk in tools.yaml are offered; one that later says something else is not called."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verb = verbs.add_parser("look", help="ask the servers and keep their answers")
        verb.add_argument("name", nargs="?", default="", help="of a server; else all of them")

    def handle(self, *args: Any, **options: Any) -> None:
        servers = [one for one in settings.TOOLS_FILE.servers if options["name"] in ("", one["name"])]
        if not servers:
            names = ", ".join(one["name"] for one in settings.TOOLS_FILE.servers) or "none"
            raise CommandError(f"No such server in tools.yaml. Servers: {names}.", returncode=USAGE)
        for server in servers:
            try:
                found = look(server)
            except ToolError as error:
                raise CommandError(str(error), returncode=FAILED) from None
            path = kept_at(settings.MCP_DIR, server["name"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found, ensure_ascii=False, indent=2))
            for definition in found:
                risk = server["risks"].get(definition["name"], "not offered: no risk is set for it in tools.yaml")
                words = " ".join(definition["description"].split())[:160]
                self.stdout.write(reveal(f"{server['name']}_{definition['name']}  [{risk}]  {words}"))
