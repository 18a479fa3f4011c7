"""A contender for the tests: doubles numbers, and prints as libraries do."""

from __future__ import annotations

from typing import Any

from bench.answering import serve


def double(number: Any) -> dict[str, Any]:
    print("a library's chatter")  # noqa: T201
    if not isinstance(number, int):
        raise TypeError(f"cannot double {number}")
    return {"number": 2 * number}


if __name__ == "__main__":
    serve(double=double)
