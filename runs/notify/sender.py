"""Sends what is due, beside the reconciler: one thread with a connection of its own, and one thread a message.

A thread that waits for a mail server holds neither a transaction nor a connection, and only its own target waits for
it. Several senders are harmless: each message is claimed before it is sent.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from django.contrib.auth.models import User
from django.db import DatabaseError, close_old_connections, connection

from runs import faults
from runs.models import Notification
from runs.notify import courier
from runs.notify.targets import Target
from runs.notify.wording import Message, message_of
from runs.services.notifications import claim_next, drop, mark_failed, mark_sent, note_due, pause

PASS_S = 5.0  # between two looks at the record
DEADLINE_S = 45.0  # of one message, whatever drips in meanwhile
BROKE = "it could not be handed over; the reconciler's log has the details"
Send = Callable[[Target, Message, str], str]
log = logging.getLogger(__name__)


class Flight(threading.Thread):
    """One message on its way. Touches no database; ends by telling `landed` of itself."""

    def __init__(self, target: Target, note: Notification, message: Message, address: str, landed: queue.Queue[Flight]):
        super().__init__(name=f"notify-{note.pk}", daemon=True)
        self.target, self.note, self.why = target, note, BROKE
        self.began = time.monotonic()
        self._message, self._address, self._landed = message, address, landed

    def run(self) -> None:
        try:
            with faults.at("notify.send"):
                why = courier.send(self.target, self._message, self._address)
            self.why = why
        finally:
            self._landed.put(self)


class Sender:
    """At most one message under way to each target; one that fails rests longer each time."""

    def __init__(self, targets: Sequence[Target], deadline_s: float = DEADLINE_S):
        self._targets, self._deadline_s = targets, deadline_s
        self._flights: dict[Target, Flight] = {}  # those that are late too, for as long as they live
        self._late: set[Flight] = set()
        self._landed: queue.Queue[Flight] = queue.Queue()
        self._failures: dict[Target, int] = {}
        self._rests_until: dict[Target, float] = {}
        self._looks_at = 0.0
        self._thread: threading.Thread | None = None
        self._is_done = False

    def keep_going(self) -> None:
        """Start the thread, or start it again if an error of ours has ended it. Returns at once; safe to repeat."""
        if not self._is_done and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._forever, name="notify", daemon=True)
            self._thread.start()

    def _forever(self) -> None:
        """Without targets one look is enough: it lets go of what was meant for former ones."""
        while True:
            try:
                close_old_connections()
                self.turn()
            except DatabaseError as error:
                log.warning("notifications wait: the database does not answer: %s", error)
                connection.close()
                time.sleep(PASS_S)
            else:
                self._is_done = not self._targets
            if self._is_done:
                connection.close()
                return

    def deliver_due(self) -> None:
        """Send everything that is due now and wait for it: for tests and for a single pass."""
        self._looks_at = 0.0
        while self.turn(patience_s=0):
            pass

    def turn(self, patience_s: float = PASS_S) -> bool:
        """Note what is due, start what can start, record what ended. False when nothing is under way.

        Waits for a message to end; where none is under way for `patience_s`.
        """
        if time.monotonic() >= self._looks_at:
            self._looks_at = time.monotonic() + PASS_S
            note_due(self._targets)
        for target in self._targets:
            self._launch(target)
        waiting = [flight for flight in self._flights.values() if flight not in self._late]
        self._await(min(PASS_S, self._deadline_s) if waiting else patience_s)
        self._name_late()
        return bool(waiting)

    def _launch(self, target: Target) -> None:
        if target in self._flights or time.monotonic() < self._rests_until.get(target, 0):
            return
        while note := claim_next(target):
            if (message := message_of(note)) is None:
                drop(note, "the request was decided or a later reminder is due")
                continue
            if target.is_personal and not (address := _address(note)):
                drop(note, "the person can no longer be reached")
                continue
            self._flights[target] = Flight(target, note, message, address if target.is_personal else "", self._landed)
            self._flights[target].start()
            return

    def _await(self, patience_s: float) -> None:
        """Record the next message that ends, and all that ended with it."""
        try:
            self._record(self._landed.get(timeout=patience_s))
            while True:
                self._record(self._landed.get_nowait())
        except queue.Empty:
            return

    def _record(self, flight: Flight) -> None:
        self._flights.pop(flight.target, None)
        self._late.discard(flight)
        if flight.why:
            self._rest(flight.target)
            mark_failed(flight.note, flight.why)
        else:
            self._failures.pop(flight.target, None)
            mark_sent(flight.note)

    def _name_late(self) -> None:
        """A message that is not through by its deadline has failed; its target waits until its thread ends."""
        for flight in self._flights.values():
            if flight not in self._late and time.monotonic() - flight.began > self._deadline_s:
                self._late.add(flight)
                mark_failed(flight.note, f"no answer within {self._deadline_s:g} s")

    def _rest(self, target: Target) -> None:
        self._failures[target] = self._failures.get(target, 0) + 1
        self._rests_until[target] = time.monotonic() + min(pause(self._failures[target]).total_seconds(), 300)


def _address(note: Notification) -> str:
    person = User.objects.filter(pk=note.person_id or 0, is_active=True).first()
    return person.email if person else ""
