"""The tools of the trust tests: a read, and two orders that take effect outside; one honours keys, one does not."""

from __future__ import annotations

import time
from functools import partial

import trust_outside

from tools.base import Params, Risk, Status, Tool, ToolContext, ToolError, ToolResult


class Look(Params):
    what: str
    slow_s: float = 0.0


class Order(Params):
    item: str
    outside: str  # the socket of the outside world
    case: str
    slow_s: float = 0.0


def look(context: ToolContext, params: Look) -> ToolResult:
    time.sleep(params.slow_s)
    if params.what == "nothing":
        raise ToolError("There is nothing of that name; there are doors and lamps.")
    return ToolResult(
        status=Status.SUCCESS,
        summary=f"The {params.what} were seen.",
        data={"words": f"the {params.what} are open"},
        figures={"count": float(len(params.what))},
        query={"what": params.what},
        source=f"house:{params.what}",
        freshness=context.as_of,
    )


def order(context: ToolContext, params: Order, honours_keys: bool) -> ToolResult:
    time.sleep(params.slow_s)
    key = context.key if honours_keys else f"{context.key} {time.monotonic_ns()}"
    trust_outside.tell(params.outside, {"kind": "order", "case": params.case, "item": params.item, "key": key})
    return ToolResult(status=Status.SUCCESS, summary=f"Ordered {params.item}.", data={"item": params.item})


LOOK = Tool("look", "Look at something.", Look, Risk.READ, look)
ORDER = Tool("order", "Order something outside.", Order, Risk.WRITE, partial(order, honours_keys=True), settle="by_key")
ORDER_BLIND = Tool("order_blind", "Order where no key is known.", Order, Risk.WRITE, partial(order, honours_keys=False))
