"""The RQ entry: maps what escapes a drive to a state of the run."""

from __future__ import annotations


def drive_run(run_id: int) -> None:
    """Drive one run until it waits or ends. Idempotent: without the lease it returns at once."""
