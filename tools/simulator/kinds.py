"""What a service of a kind measures and chats about while nothing is wrong. Scenarios add to it, faults change it."""

from __future__ import annotations

from dataclasses import dataclass

from tools.simulator.scenario import Gauge, LogLine


@dataclass(frozen=True, slots=True)
class Kind:
    rate: str  # the names under which this kind reports how busy and how slow it is; empty: it does not
    latency: str
    errors: str
    gauges: dict[str, Gauge]
    chatter: tuple[LogLine, ...]  # `per_minute` is a weight here: the total follows from the scenario's log_lines
    trickle: tuple[LogLine, ...]  # errors and warnings that are always there, at this rate
    spans: tuple[str, ...]


def _line(text: str, weight: float = 1.0, level: str = "INFO", **fields: str) -> LogLine:
    named = {name.replace("__", "."): value for name, value in fields.items()}
    return LogLine.model_validate({"text": text, "level": level, "per_minute": weight, "fields": named})


SERVICE = Kind(
    rate="request_rate",
    latency="latency_p99",
    errors="error_rate",
    gauges={
        "cpu": Gauge(base=(18, 34), follows_load=0.7, noise=0.04),
        "memory": Gauge(base=(340, 760), follows_load=0.05, noise=0.01),
    },
    chatter=(
        _line("request completed", 5, http__route="<route>", http__status_code="200", duration_ms="<ms:22>"),
        _line("<method> <route> 200 in <ms:24>ms", 3),
        _line("loaded <int:1:60> rows for account <int:10000:99999>", 1.5),
        _line("cache hit for key <pick:acct|item|cart|price>:<int:1000:99999>", 1.2, "DEBUG"),
        _line("published event <pick:updated|created|viewed> offset=<int:100000:999999>", 0.8),
        _line("validation refused request: field <pick:quantity|postcode|email|phone> is missing", 0.12, "WARN"),
        _line("retrying idempotent call, attempt 2 of 3, after <ms:120>ms", 0.08, "WARN"),
        _line("config reloaded, <int:12:40> keys, checksum <hex:8>", 0.03),
    ),
    trickle=(
        _line("client closed connection before the response was written, request <hex:12>", 0.10, "ERROR"),
        _line("could not parse header Accept-Language: '<pick:xx-|*|en_|und;q=2>'", 0.14, "WARN"),
        _line("unexpected end of JSON input at byte <int:2:900>, body dropped", 0.05, "ERROR"),
    ),
    spans=("handle", "load", "update", "list", "lookup"),
)

GATEWAY = Kind(
    rate="request_rate",
    latency="latency_p99",
    errors="error_rate",
    gauges={
        "cpu": Gauge(base=(14, 26), follows_load=0.9, noise=0.04),
        "memory": Gauge(base=(210, 420), follows_load=0.08, noise=0.01),
        "open_connections": Gauge(base=(420, 900), follows_load=1.0, noise=0.03, whole=True),
    },
    chatter=(
        _line('<ip> "<method> <route> HTTP/1.1" 200 <int:180:9000> <ms:60>ms', 6, http__status_code="200"),
        _line('<ip> "<method> <route> HTTP/1.1" 304 0 <ms:12>ms', 1.2, http__status_code="304"),
        _line('<ip> "GET /wp-login.php HTTP/1.1" 404 153 1ms', 0.1, "WARN", http__status_code="404"),
        _line("rate limit near for client <hex:8>: <int:80:99> of 100 in 10s", 0.2, "WARN"),
        _line("upstream health check passed, <int:3:8> of <int:8:9> endpoints", 0.15),
    ),
    trickle=(
        _line("TLS handshake with <ip> aborted by the client", 0.25, "WARN"),
        _line("request body larger than 1048576 bytes from <ip>, answered 413", 0.06, "ERROR"),
    ),
    spans=("proxy",),
)

DATABASE = Kind(
    rate="queries_per_second",
    latency="query_p95",
    errors="",
    gauges={
        "cpu": Gauge(base=(26, 36), follows_load=0.5, noise=0.03),
        "memory": Gauge(base=(5200, 7400), follows_load=0.01, noise=0.003),
        "connections": Gauge(base=(90, 140), follows_load=0.3, noise=0.02, whole=True),
        "disk_write_mb": Gauge(base=(6, 14), follows_load=0.8, noise=0.08),
        "locks_waiting": Gauge(base=(0.4, 1.1), follows_load=0.4, noise=0.4),
    },
    chatter=(
        _line("checkpoint complete: wrote <int:800:5200> buffers (<int:2:9>.<int:0:9>%)", 0.5),
        _line('automatic vacuum of table "public.<pick:sessions|events|carts|audit>": pages: <int:0:40> removed', 0.6),
        _line("connection authorized: user=app database=main application_name=<pick:web|worker|batch>", 2.0),
        _line("duration: <ms:3>.<int:100:999> ms  execute S_<int:1:40>: SELECT", 2.4, "DEBUG"),
    ),
    trickle=(
        _line('duplicate key value violates unique constraint "idempotency_key_pkey"', 0.22, "ERROR"),
        _line("canceling statement due to user request", 0.05, "ERROR"),
        _line("could not receive data from client: Connection reset by peer", 0.16, "WARN"),
    ),
    spans=("SELECT", "UPDATE", "INSERT"),
)

CACHE = Kind(
    rate="ops_per_second",
    latency="command_p99",
    errors="",
    gauges={
        "cpu": Gauge(base=(8, 15), follows_load=0.8, noise=0.05),
        "memory": Gauge(base=(1400, 2600), follows_load=0.03, noise=0.005),
        "hit_ratio": Gauge(base=(0.93, 0.975), noise=0.004),
    },
    chatter=(
        _line("<int:90:400> changes in 300 seconds. Saving...", 0.4),
        _line("Background saving terminated with success", 0.4),
        _line("DB 0: <int:200000:400000> keys (<int:150000:199999> volatile) in 524288 slots HT", 0.8, "DEBUG"),
    ),
    trickle=(_line("client id=<int:1000:9999> addr=<ip>:<int:30000:60000> closed for idle timeout", 0.3, "WARN"),),
    spans=("GET", "SET"),
)

WORKER = Kind(
    rate="jobs_per_second",
    latency="job_p99",
    errors="error_rate",
    gauges={
        "cpu": Gauge(base=(22, 44), follows_load=0.4, noise=0.08),
        "memory": Gauge(base=(420, 900), follows_load=0.05, noise=0.02),
        "queue_depth": Gauge(base=(4, 16), follows_load=1.2, noise=0.25, whole=True),
    },
    chatter=(
        _line("job <pick:digest|sync|cleanup|resize> <uuid> finished in <ms:240>ms", 4, duration_ms="<ms:240>"),
        _line("picked up job <uuid> from queue <pick:default|low|mail>", 2),
        _line("heartbeat, <int:0:9> jobs in flight", 1, "DEBUG"),
    ),
    trickle=(
        _line("job sync <uuid> failed and was put back: remote answered 429", 0.35, "ERROR"),
        _line("job digest took <int:20:45>s, longer than its 15s target", 0.2, "WARN"),
    ),
    spans=("run",),
)

KINDS = {"service": SERVICE, "gateway": GATEWAY, "database": DATABASE, "cache": CACHE, "worker": WORKER}
