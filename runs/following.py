"""Asks the tracker what became of the tickets there, in a thread of the reconciler's own.

Several are harmless: they ask twice. What a run finds out itself is recorded with its call.
"""

from __future__ import annotations

import logging
import threading
import time

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection

from runs import toolbox
from runs.services.tickets import note_looked_up, tickets_to_look_up

PASS_S = 60.0
AT_ONCE = 40  # of one pass: one request each, and one deadline for all
log = logging.getLogger(__name__)


def look_up_tickets() -> int:
    """One pass; answers how many tickets changed. Safe to repeat."""
    tickets = tickets_to_look_up(AT_ONCE)
    if not tickets:
        return 0
    asked = [{"name": one.name, "url": one.url, "tracker": one.tracker} for one in tickets]
    states, problem = toolbox.ticket_states(asked)
    if problem:
        log.warning("tickets were not all looked up: %s", problem)
    return note_looked_up(tickets, states)


class Follower:
    """The thread. Without a tracker there is none."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def keep_going(self) -> None:
        """Start the thread, or start it again if an error of ours has ended it. Returns at once; safe to repeat."""
        if settings.TICKETS and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._forever, name="tickets", daemon=True)
            self._thread.start()

    def _forever(self) -> None:
        while True:
            time.sleep(PASS_S)  # first, so that a thread that breaks at once asks no more often
            try:
                close_old_connections()
                look_up_tickets()
            except DatabaseError as error:
                log.warning("tickets wait: the database does not answer: %s", error)
            finally:
                connection.close()
