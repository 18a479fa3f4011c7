"""The only code that touches RQ."""

from rq import Worker
from rq.job import Job


class DriveJob(Job):
    """A job that drives a run."""


class RunWorker(Worker):
    """The worker."""
