"""The driver's verbs around a model call: money set aside, the answer kept, the wait after a fault.

Each is one transaction, fenced by the epoch; raises append.Overtaken when the row moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from runs import faults
from runs.models import Run, Step
from runs.redaction import redact, redact_json
from runs.services import spending
from runs.services.append import Overtaken, append
from runs.services.driven import insisting
from runs.services.leases import Lease
from runs.states import StepKind


@dataclass(frozen=True, slots=True)
class Spent:
    """What a model call cost; `micro_usd` None where the price is not known, `is_exact` False for an estimate."""

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    micro_usd: int | None = 0
    is_exact: bool = True

    @property
    def is_known(self) -> bool:
        return self.micro_usd is not None and self.is_exact


NOTHING, UNKNOWN = Spent(), Spent(micro_usd=None)


@faults.point("money.reserve")
def reserve(run: Run, lease: Lease, micro_usd: int) -> bool:
    """Set aside what the next model call may cost; False when the day's cap does not allow it.

    A reservation that a dead driver left behind is settled first as if all of it had been spent: nobody can know.
    """
    if not micro_usd and not run.reserved_micro_usd:
        return True  # a planner that costs nothing costs no transaction either
    with transaction.atomic():
        if run.reserved_micro_usd:
            settle_reservation(run, lease, spent=run.reserved_micro_usd)
        if micro_usd and not spending.reserve(micro_usd):
            return False
        if micro_usd:
            _account(run, lease, reserved_micro_usd=micro_usd)
    return True


def settle_reservation(run: Run, lease: Lease, spent: int) -> None:
    """The run's row before the day's, as whoever cancels it takes them: the other way round they would block."""
    reserved = run.reserved_micro_usd
    _account(run, lease, reserved_micro_usd=0, cost_micro_usd=run.cost_micro_usd + spent)
    spending.settle(reserved, spent)


def _account(run: Run, lease: Lease, **amounts: int) -> None:
    if not Run.objects.filter(pk=run.pk, lease_epoch=lease.epoch).update(**amounts):
        raise Overtaken(f"run {run.pk} is driven by somebody else, who accounts for it")
    for name, amount in amounts.items():
        setattr(run, name, amount)


@faults.point("model.record")
@insisting
def record_model_call(run: Run, lease: Lease, payload: Mapping[str, Any], spent: Spent) -> Step:
    """A planner's answer, committed before anything acts on it. Ends a retry and settles the reservation.

    A person's hold that came while the model thought stays.
    """
    pay(run, lease, spent)
    return append(
        run, StepKind.MODEL_CALL, run.planner, actor="driver", payload=redact_json(dict(payload)), epoch=lease.epoch,
        n_model_calls=run.n_model_calls + 1, driven_ms=run.driven_ms + lease.lap_ms(), attempt=0,
        prompt_version=str(payload.get("sent", {}).get("prompt", ""))[:40] or run.prompt_version,
        **tokens_of(run, spent),
        **({} if run.held_by else {"hold_reason": "", "hold_until": None}),
    )  # fmt: skip


@faults.point("run.hold")
@transaction.atomic
def hold_for_retry(
    run: Run, lease: Lease, until: datetime, reason: str, attempt: int | None = None, spent: Spent = NOTHING
) -> Step:
    """The model's API had a fault, or is being left alone: the run waits until then, no worker does."""
    pay(run, lease, spent)
    reason, attempt = redact(reason)[:200], run.attempt if attempt is None else attempt
    return append(
        run, StepKind.HOLD, "retry", actor="driver", epoch=lease.epoch,
        payload={"reason": reason, "until": until.isoformat(), "attempt": attempt, **paid_for(spent)},
        hold_reason=reason, hold_until=until, attempt=attempt, lease_until=None, lease_owner="",
        **tokens_of(run, spent),
    )  # fmt: skip


def pay(run: Run, lease: Lease, spent: Spent) -> None:
    """Settle what was set aside; a call whose price is not known costs all of it."""
    micro_usd = run.reserved_micro_usd if spent.micro_usd is None else spent.micro_usd
    if run.reserved_micro_usd or micro_usd:
        settle_reservation(run, lease, micro_usd)


def tokens_of(run: Run, spent: Spent) -> dict[str, Any]:
    return {
        "tokens_in": run.tokens_in + spent.tokens_in, "tokens_out": run.tokens_out + spent.tokens_out,
        "tokens_cached": run.tokens_cached + spent.tokens_cached, "cost_known": run.cost_known and spent.is_known,
    }  # fmt: skip


def paid_for(spent: Spent) -> dict[str, Any]:
    """What a call that gave no answer cost all the same, for its Step."""
    if spent == NOTHING:
        return {}
    return {"tokens_in": spent.tokens_in, "tokens_out": spent.tokens_out, "cost_micro_usd": spent.micro_usd}
