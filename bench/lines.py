"""Log lines of statements that services write, with the statement of each; the same every time. For benches alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

STATEMENTS = (
    "request {uuid} completed in {ms} ms with status {status}",
    "GET {path} {status} {ms}ms {ip}",
    "POST {path} {status} {ms}ms {ip}",
    "connection to {ip} refused after {n} attempts",
    "connection from {ip} accepted",
    "connection from {ip} closed, {n} bytes sent, {n} bytes received",
    "cache miss for key user:{n}",
    "cache hit ratio {float} over the last {n} requests",
    "user {name} logged in from {ip}",
    "user {name} logged out after {n} s",
    "session {hex} expired",
    "session {hex} renewed by user {name}",
    "order {n} placed by customer {n}, total {float} EUR",
    "order {n} cancelled: payment {uuid} was declined",
    "payment {uuid} authorized in {ms} ms",
    "slow query took {ms} ms: SELECT * FROM orders WHERE id = {n}",
    "slow query took {ms} ms: UPDATE carts SET total = {float} WHERE id = {n}",
    "checkpoint complete: wrote {n} buffers in {float} s",
    "checkpoint starting: time",
    "worker {n} started",
    "worker {n} exited with code {status}",
    "job {uuid} queued on {queue}",
    "job {uuid} failed on {queue} after {n} retries, last error: deadline exceeded",
    "consumer lag on topic shop.{queue}.v1 is {n} messages",
    "rebalanced partitions of topic shop.{queue}.v1 in {ms} ms",
    "wrote {path}/part-{n} ({n} kB)",
    "deleted {path}/part-{n}",
    "config reloaded from {path}",
    "GC pause {float} ms, heap {n}M of {n}M",
    "circuit breaker for {queue} opened after {n} failures",
    "circuit breaker for {queue} closed",
    "token for client {hex} issued, expires in {n} s",
    "token for client {hex} rejected: signature mismatch",
    "health check of {ip} failed: timeout after {ms} ms",
    "health check of {ip} passed",
    "retry {n} of call to {queue}: upstream connect error, reset reason: connection failure",
    "published event {uuid} to {queue}",
    "leader election won for term {n}",
    "leader election lost to node-{n} for term {n}",
    "shutting down",
)
_NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "ken", "lea")
_QUEUES = ("mail", "invoices", "search", "stock", "carts", "reports", "audit", "exports")


def statement_lines(count: int, seed: int = 1) -> Iterator[tuple[str, int]]:
    """(message, number of its statement); common statements are written far more often than rare ones."""
    draw = random.Random(seed)
    weights = [1 / (place + 3) for place in range(len(STATEMENTS))]
    fields = _fields(draw)
    for number in draw.choices(range(len(STATEMENTS)), weights, k=count):
        text = STATEMENTS[number]
        for name, value in fields.items():
            while f"{{{name}}}" in text:
                text = text.replace(f"{{{name}}}", value(), 1)
        yield text, number


def _fields(draw: random.Random) -> dict[str, Callable[[], str]]:
    def hexadecimal(digits: int) -> str:
        return f"{draw.getrandbits(4 * digits):0{digits}x}"

    return {
        "n": lambda: str(draw.randrange(10 ** draw.randint(1, 6))),
        "ms": lambda: str(int(draw.expovariate(1 / 80))),
        "float": lambda: f"{draw.expovariate(1 / 40):.2f}",
        "status": lambda: str(draw.choice((0, 1, 200, 201, 204, 404, 500, 503))),
        "ip": lambda: (
            f"10.{draw.randrange(256)}.{draw.randrange(256)}.{draw.randrange(256)}:{draw.randrange(1024, 65536)}"
        ),
        "uuid": lambda: "-".join(map(hexadecimal, (8, 4, 4, 4, 12))),
        "hex": lambda: hexadecimal(16),
        "name": lambda: draw.choice(_NAMES),
        "queue": lambda: draw.choice(_QUEUES),
        "path": lambda: "/" + "/".join(draw.choice(_QUEUES) for _ in range(draw.randint(1, 3))),
    }


def day_of_lines(count: int, hours: float = 24.0) -> Iterator[bytes]:
    """Text lines that rise evenly up to the end of 2026-03-01; one in 5,000 is a time-out."""
    begin = datetime(2026, 3, 2, tzinfo=UTC) - timedelta(hours=hours)
    texts = [f"INFO shop: {text} trace={number:016x}" for number, (text, _) in enumerate(statement_lines(20_000))]
    step = timedelta(hours=hours) / count
    for number in range(count):
        when = (begin + number * step).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        late = number % 5_000 == 7
        text = (
            f"ERROR payments: call to the bank timed out after {number % 9_000} ms"
            if late
            else texts[number % len(texts)]
        )
        yield f"{when} {text}\n".encode()
