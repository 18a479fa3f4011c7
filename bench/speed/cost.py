"""`cost`: what the model is paid for, by the stand-in's accounting: beside resending everything, and beside HolmesGPT.

One investigation of twenty calls is recorded as a script; whoever investigates, the stand-in plays the same moves and
the tools return the same results. Billed equivalent: a token written to the cache counts 1.25, one read from it 0.1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from agent.claude.fake.accounting import tokens_of
from bench import environment
from bench.billing import billed
from bench.contest import Contender, ContenderFailed, contender
from bench.databases import database, scratch
from bench.figures import Figure, target
from bench.speed.session import Session
from bench.stack import OUR_PYTHON, accepts, free_port, running
from bench.stack import environment as ours_environment
from opspilot_site.processes import manage

CALLS, LONG_CALLS = 20, 30
GOAL = "Why does checkout fail?"
WORDS = ("card", "timeout", "refused", "retry", "pool", "deadline", "reset", "slow", "shed", "queue")
ATTEMPTS = range(40)
RANGE = {"since": "last 5 hours", "limit": 32}


@dataclass(frozen=True, slots=True)
class Told:
    """What the stand-in counted: one usage and one size a request."""

    usages: list[dict[str, int]]
    sizes: list[int]
    results: list[list[int]]  # tokens of each tool result in each request

    @property
    def billed(self) -> float:
        return sum(
            billed(usage["input_tokens"], usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"])
            for usage in self.usages
        )

    @property
    def least_read(self) -> float:
        """Of the tokens of one call, the share that the next one reads from the cache: the smallest, in per cent."""
        return min(
            100 * later["cache_read_input_tokens"] / sum(earlier.values()) for earlier, later in pairwise(self.usages)
        )


def figures(session: Session) -> Iterator[Figure]:
    calls = session.pick(smallest=4, usual=CALLS)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        _write_logs(folder / "incident")
        with session.stage("cost", 3) as on:
            told, results = _investigated(stack, folder, "short", calls)
            on()
            peer, why = _holmes(stack, session, folder, results)
            on()
            turns = _long_run(stack, folder) if session.scale != "smallest" else {}
            on()
    yield from _compared(told, results, peer, why)
    if turns:
        times = turns["last"] / turns["tenth"]
        yield Figure(
            "cost", f"{turns['steps']:.0f} steps: our own work in a late turn", "ms", turns["last"],
            floor=turns["tenth"], floor_name="the tenth turn", targets=target("× the tenth", times, 1.5),
        )  # fmt: skip


def _compared(told: Told, results: Sequence[str], peer: Told | None, why: str) -> Iterator[Figure]:
    naive = _naive(told, results)
    size = sum(tokens_of(text) for text in results) // len(results)
    yield Figure(
        "cost", f"{len(results)} calls, {size:,} tokens a result: prompt as billed", "k tokens", told.billed / 1_000,
        peer=naive / 1_000, peer_name="resending all", targets=target("× resending all", told.billed / naive, 1 / 12),
    )  # fmt: skip
    yield Figure(
        "cost", "of one call's prompt, read from the cache by the next, at the least", "%", told.least_read,
        more_is_better=True, targets=target("%", told.least_read, 100, at_least=True),
    )  # fmt: skip
    kilobytes = sum(told.sizes) / 1_000
    theirs = sum(peer.sizes) / 1_000 if peer else None
    yield Figure(
        "cost", f"{len(told.sizes)} requests: bytes sent", "kB", kilobytes, peer=theirs, peer_name="HolmesGPT",
        targets=target("× HolmesGPT", kilobytes / theirs if theirs else None, 1.0), note=why,
    )  # fmt: skip
    yield Figure(
        "cost", "the same, prompt as billed", "k tokens", told.billed / 1_000, peer=peer and peer.billed / 1_000,
        peer_name="HolmesGPT", note=why,
    )  # fmt: skip


def _naive(told: Told, results: Sequence[str]) -> float:
    """Prompt tokens if every request held the results in full and nothing were cached."""
    full = [tokens_of(text) for text in results]
    return sum(
        sum(usage.values()) + sum(full[: len(digests)]) - sum(digests)
        for usage, digests in zip(told.usages, told.results, strict=True)
    )  # fmt: skip


def _investigated(stack: ExitStack, folder: Path, name: str, calls: int) -> tuple[Told, list[str]]:
    asker, record = _ours(stack, folder, name, _script(calls))
    answer = asker.ask("investigate", folder=str(folder / "incident"), goal=GOAL)
    _need_done(answer)
    return _read_record(record), answer["results"]


def _long_run(stack: ExitStack, folder: Path) -> dict[str, float]:
    asker, _ = _ours(stack, folder, "long", _script(LONG_CALLS, beside=3))
    answer = asker.ask("investigate", folder=str(folder / "incident"), goal=GOAL)
    _need_done(answer)
    return {**answer["turn_ms"], "steps": answer["steps"]}


def _need_done(answer: dict[str, Any]) -> None:
    if answer["state"] != "DONE":
        raise ContenderFailed(f"the recorded investigation ended as {answer['state']}")


def _ours(stack: ExitStack, folder: Path, name: str, script: dict[str, Any]) -> tuple[Contender, Path]:
    """OpsPilot with a stand-in and a database of its own."""
    home = folder / name
    home.mkdir()
    url, record = _stand_in(stack, home, script)
    env = {
        **ours_environment(home, stack.enter_context(database("sqlite", home))), "OPSPILOT_PLANNER": "claude",
        "ANTHROPIC_API_KEY": "bench", "ANTHROPIC_BASE_URL": url, "OPSPILOT_MAX_USD_PER_DAY": "1000000",
        "OPSPILOT_MAX_USD": "1000", "OPSPILOT_MAX_MINUTES": "600", "OPSPILOT_CONTEXT_TOKENS": "200000",
    }  # fmt: skip
    asker = stack.enter_context(contender(OUR_PYTHON, "bench.ours.cost", **env))
    asker.ask("prepare")
    return asker, record


def _stand_in(stack: ExitStack, home: Path, script: dict[str, Any], *more: str) -> tuple[str, Path]:
    port, record, turns = free_port(), home / "requests.jsonl", home / "script.json"
    turns.write_text(json.dumps(script))
    record.touch()
    argv = manage("fake_claude", "--port", str(port), "--script", str(turns), "--record", str(record), *more)
    env = {
        "DJANGO_SETTINGS_MODULE": "opspilot_site.settings",
        "OPSPILOT_IGNORE_DOTENV": "1",
        "OPSPILOT_DATA_DIR": str(home),
    }
    stack.enter_context(running(argv, env, home / "model.log", lambda: accepts(port)))
    return f"http://127.0.0.1:{port}", record


def _holmes(stack: ExitStack, session: Session, folder: Path, results: list[str]) -> tuple[Told | None, str]:
    """HolmesGPT's own loop with one tool that returns the same results; or why it is not beside us."""
    if not session.with_peers:
        return None, session.no_peers
    home = folder / "holmes"
    home.mkdir()
    try:
        python = environment.make_ready("holmesgpt")
        url, record = _stand_in(stack, home, _peer_script(len(results)), "--lenient")
        (home / "results.json").write_text(json.dumps(results))
        peer = stack.enter_context(contender(python, "bench.peers.holmes_loop", str(home / "results.json"), url))
        peer.ask("investigate", goal=GOAL)
    except (environment.NoPeers, ContenderFailed) as missing:
        return None, str(missing)
    return _read_record(record), ""


def _read_record(record: Path) -> Told:
    requests = [json.loads(line) for line in record.read_text().splitlines()]
    sizes = [int(request["headers"]["content-length"]) for request in requests]
    return Told(
        [request["usage"] for request in requests], sizes, [_results_of(request["body"]) for request in requests]
    )


def _results_of(body: dict[str, Any]) -> list[int]:
    """Tokens of each tool's result in a request, notes and the opening case left out."""
    names = {
        block["id"]: block["name"] for message in body["messages"] if isinstance(message["content"], list)
        for block in message["content"] if block["type"] == "tool_use"
    }  # fmt: skip
    return [
        tokens_of(json.dumps(block["content"], ensure_ascii=False))
        for message in body["messages"] if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_result" and names[block["tool_use_id"]] not in ("update_hypotheses", "read_case")
    ]  # fmt: skip


def _script(calls: int, beside: int = 1) -> dict[str, Any]:
    """So many turns: a note, and as many searches as go `beside` each other, each for something new."""
    turns = []
    for turn in range(calls):
        note = {"rationale": f"Which lines of kind {turn} came first, and from which service?", "answer": "checkout"}
        uses = [_use(f"n{turn}", "update_hypotheses", note)]
        for place in range(beside):
            word, attempt = WORDS[(turn + place) % len(WORDS)], turn * beside + place
            search = {"pattern": f"{word}: .* attempt {attempt % 40} ", **RANGE}
            uses.append(_use(f"s{turn}-{place}", "search_logs", search))
        turns.append({"content": uses, "stop_reason": "tool_use"})
    report = {"verdict": "cannot_tell", "summary": "It cannot be told from this.", "claims": []}
    return {"turns": [*turns, {"content": [_use("end", "generate_report", report)], "stop_reason": "tool_use"}]}


def _peer_script(calls: int) -> dict[str, Any]:
    turns = [
        {"content": [_use(f"s{call}", "search_logs", {"number": call})], "stop_reason": "tool_use"}
        for call in range(calls)
    ]
    return {"turns": [*turns, {"content": [{"type": "text", "text": "It cannot be told."}], "stop_reason": "end_turn"}]}


def _use(ident: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": ident, "name": name, "input": arguments}


def _write_logs(folder: Path) -> None:
    """Five hours of a shop that fails in ten ways, forty lines a minute."""
    folder.mkdir()
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
    with (folder / "shop.jsonl").open("w") as file:
        for minute in range(300):
            for second in ATTEMPTS:
                file.write(json.dumps(_line(start + timedelta(minutes=minute, seconds=second), minute, second)) + "\n")


def _line(at: datetime, minute: int, second: int) -> dict[str, str]:
    word, service = WORDS[(minute + second) % len(WORDS)], f"shop-{second % 6}"
    message = (
        f"{word}: request {minute * 60 + second:06d} to the card service gave up after {1_000 + 7 * second} ms, "
        f"attempt {second} of 40, pool main, trace {minute:04x}{second:04x}, upstream answered nothing"
    )
    return {"timestamp": at.isoformat(), "service": service, "level": "ERROR" if second % 3 else "WARN", "msg": message}
