"""Starts a real Prometheus or VictoriaMetrics, alone on a free port, and the shop that one of them scrapes."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def shop() -> Iterator[int]:
    """The port of a running shop."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.standins.exporter"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@contextmanager
def prometheus(folder: Path, shop_port: int) -> Iterator[str]:
    """The URL of a Prometheus that scrapes the shop every second."""
    (folder / "prometheus.yml").write_text(CONFIG.format(port=shop_port))
    port = free_port()
    argv = [
        "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with _running(argv, folder, f"http://127.0.0.1:{port}", "/-/ready") as url:
        yield url


@contextmanager
def victoria_metrics(folder: Path) -> Iterator[str]:
    port = free_port()
    argv = ["victoria-metrics", f"-storageDataPath={folder}/vm", f"-httpListenAddr=127.0.0.1:{port}"]
    argv += ["-retentionPeriod=12", "-search.latencyOffset=0s"]
    with _running(argv, folder, f"http://127.0.0.1:{port}", "/health") as url:
        yield url


def fill(url: str, lines: list[str]) -> None:
    """Puts samples with times (`name{label="x"} value ms`) into a VictoriaMetrics and waits until they can be found."""
    body = "\n".join(lines).encode() + b"\n"
    for path, sent in (("/api/v1/import/prometheus", body), ("/internal/force_flush", None)):
        urllib.request.urlopen(url + path, data=sent).close()  # noqa: S310 - our own address


@contextmanager
def _running(argv: list[str], folder: Path, url: str, ready: str) -> Iterator[str]:
    assert shutil.which(argv[0]), f"{argv[0]} is not installed"
    with (folder / f"{argv[0]}.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder)
    try:
        deadline = time.monotonic() + 30
        while not _answers(url + ready):
            assert process.poll() is None and time.monotonic() < deadline, (folder / f"{argv[0]}.log").read_text()
            time.sleep(0.1)
        yield url
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
