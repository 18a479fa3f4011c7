"""The threads in which a worker drives its runs. Knows neither runs nor the queue."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.db import close_old_connections, connection

log = logging.getLogger(__name__)


class Slots:
    """As many threads at most as there are slots; each closes its own database connection when it ends."""

    def __init__(self, count: int):
        self.count = count
        self._free = threading.Semaphore(count)
        self._busy: set[threading.Thread] = set()

    def wait_for_one(self, timeout_s: float) -> bool:
        """Whether a slot is or becomes free within the time. It is not taken."""
        if not self._free.acquire(timeout=timeout_s):
            return False
        self._free.release()
        return True

    def fill(self, work: Callable[[int], None], run_id: int) -> None:
        """Do `work(run_id)` in a slot, waiting for one if need be; returns once it has begun."""
        self._free.acquire()
        thread = threading.Thread(target=self._in_slot, args=(work, run_id), name=f"run-{run_id}", daemon=True)
        self._busy.add(thread)
        thread.start()

    def drain(self, timeout_s: float) -> bool:
        """Wait until every slot is empty; False when some are not in time."""
        deadline = time.monotonic() + timeout_s
        for thread in list(self._busy):
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._busy)

    def _in_slot(self, work: Callable[[int], None], run_id: int) -> None:
        try:
            close_old_connections()
            work(run_id)
        except Exception:  # a thread has nobody above it: without this line its end would be silent
            log.exception("driving run %s ended in an error", run_id)
        finally:
            connection.close()
            self._busy.discard(threading.current_thread())
            self._free.release()
