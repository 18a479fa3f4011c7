"""A machine whose clock is ten minutes off ends no request early, runs none late, and takes no run from its driver.

On PostgreSQL the database's clock decides. SQLite has one machine, whose clock is the only one there is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from runs import clock
from runs.models import Approval, Run, Team
from runs.reconcile import stranded
from runs.services.approvals import decide_approval, expire_approvals
from runs.services.errors import Refused
from runs.services.leases import claim_run
from runs.states import ApprovalState
from tests.runs.making import make_request, make_run

pytestmark = pytest.mark.django_db(transaction=True)
OFF = timedelta(minutes=10)
Skew = Callable[[timedelta], None]


@pytest.fixture
def skew(monkeypatch: pytest.MonkeyPatch) -> Skew:
    """Puts this machine's clock off."""
    right = timezone.now
    return lambda by: monkeypatch.setattr(timezone, "now", lambda: right() + by)


def is_shared() -> bool:
    return connection.vendor == "postgresql"


def asked(team: Team, alice: User, left: timedelta) -> Approval:
    approval = make_request(team, alice)
    Approval.objects.filter(pk=approval.pk).update(expires_at=clock.now() + left)
    approval.refresh_from_db()
    return approval


def decide(approval: Approval, user: User) -> None:
    decide_approval(approval.pk, user=user, approve=True, args_sha256=approval.args_sha256)


def test_a_fast_clock_ends_no_request_early(team: Team, alice: User, bob: User, skew: Skew) -> None:
    approval = asked(team, alice, timedelta(minutes=5))
    skew(OFF)
    assert expire_approvals() == (0 if is_shared() else 1)
    if is_shared():
        decide(approval, bob)
        approval.refresh_from_db()
        assert approval.state == ApprovalState.APPROVED


def test_a_slow_clock_lets_nobody_decide_late(team: Team, alice: User, bob: User, skew: Skew) -> None:
    approval = asked(team, alice, timedelta(seconds=-1))
    skew(-OFF)
    if is_shared():
        with pytest.raises(Refused, match="Nobody decided in time"):
            decide(approval, bob)
    else:
        decide(approval, bob)  # by the only clock there is it was in time


def test_a_fast_clock_takes_no_run_from_its_driver(team: Team, alice: User, skew: Skew) -> None:
    run = make_run(team, alice)
    assert claim_run(run.pk, "right") is not None
    skew(OFF)
    assert claim_run(run.pk, "fast") is None, "the lease is compared in the database, whatever this machine believes"
    assert stranded() == ([] if is_shared() else [run.pk])


def test_a_slow_clock_leaves_no_run_behind_whose_lease_has_lapsed(team: Team, alice: User, skew: Skew) -> None:
    run = make_run(team, alice)
    assert claim_run(run.pk, "gone") is not None
    Run.objects.filter(pk=run.pk).update(lease_until=clock.now() - timedelta(seconds=1))
    skew(-OFF)
    assert stranded() == ([run.pk] if is_shared() else [])
    assert claim_run(run.pk, "slow", alone=True) is not None
