"""ripgrep and wc over one file, each as the process that a shell would start; what they print goes nowhere."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from bench.answering import serve


def grep(file: str, pattern: str) -> dict[str, Any]:
    return {"ms": _timed("rg", "--ignore-case", pattern, file)}


def count(file: str) -> dict[str, Any]:
    return {"ms": _timed("wc", "-l", file)}


def _timed(*argv: str) -> float:
    started = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - started) * 1_000


if __name__ == "__main__":
    serve(grep=grep, count=count)
