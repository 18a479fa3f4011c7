"""`web`: the web process alone. `up`, docker-compose and systemd start it."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from daphne.cli import CommandLineInterface
from django.conf import settings
from django.core.management.base import BaseCommand

SOCKET_MESSAGE_BYTES = 4_096  # a page sends a run's id and a seq, nothing longer


class Command(BaseCommand):
    help = "Serve the dashboard, the API and the sockets; nothing else."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: this machine only)")
        parser.add_argument("--port", type=int, default=settings.PORT, help=f"default {settings.PORT}")

    def handle(self, *args: Any, **options: Any) -> None:
        limit = str(SOCKET_MESSAGE_BYTES)
        CommandLineInterface().run([
            *("--bind", options["host"], "--port", str(options["port"])),
            *("--websocket-max-message-size", limit, "--websocket-max-frame-size", limit),
            *("--no-server-name", "--access-log", os.devnull, "--verbosity", "0"),
            *(("--proxy-headers",) if settings.SECURE_PROXY_SSL_HEADER else ()),
            "opspilot_site.asgi:application",
        ])  # fmt: skip
