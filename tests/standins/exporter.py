"""A small shop in a process of its own that Prometheus scrapes: requests, their times, a pool. `POST /break` breaks it.

From then on its pool is full, half of its requests fail and all are slow. Run as `python -m tests.standins.exporter`.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
REQUESTS_A_SECOND = 40


class Shop:
    """Counts requests as they would be, from the wall clock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.is_broken = False
        self.codes: Counter[str] = Counter({"200": 0, "500": 0})
        self.buckets: Counter[float] = Counter()
        self.seconds = 0.0

    def serve(self) -> None:
        while True:
            time.sleep(0.1)
            with self.lock:
                for number in range(REQUESTS_A_SECOND // 10):
                    took = 2.0 if self.is_broken else 0.03
                    self.codes["500" if self.is_broken and number % 2 else "200"] += 1
                    self.seconds += took
                    self.buckets[next(bound for bound in BOUNDS if took <= bound)] += 1

    def metrics(self) -> str:
        with self.lock:
            name = "http_request_duration_seconds"
            lines = ["# TYPE http_requests_total counter"]
            lines += [f'http_requests_total{{service="orders",code="{code}"}} {n}' for code, n in self.codes.items()]
            lines += [f"# TYPE {name} histogram"]
            below = 0
            for bound in BOUNDS:
                below += self.buckets[bound]
                lines.append(f'{name}_bucket{{service="orders",le="{bound}"}} {below}')
            lines.append(f'{name}_bucket{{service="orders",le="+Inf"}} {below}')
            lines.append(f'{name}_sum{{service="orders"}} {self.seconds}')
            lines.append(f'{name}_count{{service="orders"}} {below}')
            lines += [
                "# TYPE db_pool_active gauge",
                f'db_pool_active{{service="orders"}} {10 if self.is_broken else 3}',
            ]
            return "\n".join(lines) + "\n"


def main() -> None:
    shop = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(shop.metrics().encode())

        def do_POST(self) -> None:
            shop.is_broken = True
            self._answer(b"broken\n")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=shop.serve, daemon=True).start()
    print(server.server_port, flush=True)  # noqa: T201 - read by whoever started it
    server.serve_forever()


if __name__ == "__main__":
    main()
