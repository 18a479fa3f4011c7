"""`bench quality`: one suite of labelled cases, answered by the product; the table, and each answer as JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import table
from bench.quality import loghub, nezha, petshop, rootcausebench, scenarios, series, subruns
from bench.quality.case import Case, Incident, Result, Suite
from bench.quality.investigators import Answered, investigators, side_by_side
from bench.quality.scores import as_json, show
from bench.table import WIDTH

help = "how good: labelled incidents and series, answered and scored"
SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        nezha.TT,
        petshop.SUITE,
        rootcausebench.SUITE,
        series.NAB,
        series.MS_CLOUD,
        loghub.SUITE,
        nezha.OB,
        scenarios.SUITE,
    )
}
MOST_JOBS = 2


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--suite", required=True, choices=list(SUITES), metavar="NAME", help=", ".join(SUITES))
    parser.add_argument("--path", type=Path, metavar="DIR", help="the data set's folder; `scenarios` needs none")
    parser.add_argument("--case", metavar="ID", help="only this case, or those whose ids begin so")
    parser.add_argument("--planner", choices=["analyst", "claude"], default="analyst", help="default analyst")
    parser.add_argument(
        "--subruns",
        action="store_true",
        help="every case without and with sub-runs in turn: what is right, what it costs",
    )
    parser.add_argument("--seeds", type=int, default=20, help="of each scenario (default 20)")
    parser.add_argument("--jobs", type=int, choices=range(1, MOST_JOBS + 1), default=1, help="runs side by side")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every answer there; - is stdout")


def run(options: dict[str, Any]) -> int:
    """Answer, score and print. 0: scored, whatever the figures; 1: a case has no answer. ValueError: wrong usage."""
    suite = SUITES[options["suite"]]
    cases, env = _cases(suite, options), _planner(options["planner"])
    console = Console(stderr=options["json"] == Path("-"))
    if not console.is_terminal:
        console.width = WIDTH
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that all processes are ended too
    return (_with_and_without if options["subruns"] else _scored)(suite, cases, options, env, console)


def _scored(suite: Suite, cases: Sequence[Case], options: dict[str, Any], env: dict[str, str], console: Console) -> int:
    began = time.monotonic()
    results = _collected(console, suite.name, len(cases), _answered(cases, options, env))
    show(console, suite, results)
    _write(options["json"], as_json(suite, results, options["planner"], time.monotonic() - began))
    return int(any(result.problem for result in results))


def _with_and_without(
    suite: Suite, cases: Sequence[Case], options: dict[str, Any], env: dict[str, str], console: Console
) -> int:
    incidents = [case for case in cases if isinstance(case, Incident)]
    if options["planner"] != "claude" or not incidents:
        raise ValueError("--subruns compares runs that Claude drives: it goes with --planner claude and incidents.")
    began, load = time.monotonic(), os.getloadavg()[0]
    answers = subruns.pairs(incidents, options["jobs"], options["planner"], env)
    answered = _collected(console, suite.name, len(incidents), answers)
    figures = list(subruns.figures(answered))
    table.show(console, figures)
    told = table.as_json(figures, time.monotonic() - began, load)
    _write(options["json"], {"suite": suite.name, **told, "cases": [pair.as_json() for pair in answered]})
    return int(any(pair.alone.problem or pair.parted.problem for pair in answered))


def _collected(console: Console, words: str, count: int, answers: Iterator[Answered]) -> list[Answered]:
    """All of them, with a bar meanwhile."""
    collected = []
    with _progress(console) as progress:
        task = progress.add_task(words, total=count)
        for answer in answers:
            collected.append(answer)
            progress.advance(task)
    return collected


def _write(place: Path | None, told: dict[str, Any]) -> None:
    if place:
        text = json.dumps(told, indent=2)
        print(text) if place == Path("-") else place.write_text(text + "\n")


def _cases(suite: Suite, options: dict[str, Any]) -> list[Case]:
    path = options["path"]
    if suite.needs_path and (path is None or not path.is_dir()):
        raise ValueError(f"Suite {suite.name} reads a data set: name its folder with --path DIR (given: {path}).")
    every = suite.load(path or Path(), options["seeds"])
    if not every:
        raise ValueError(f"{path} holds no case of {suite.name}; bench/README.md says how its folder is laid out.")
    wanted = options["case"] or ""
    chosen = [case for case in every if case.id == wanted] or [case for case in every if case.id.startswith(wanted)]
    if not chosen:
        raise ValueError(f"No case of {suite.name} is called {wanted}; the first is {every[0].id}.")
    return chosen


def _planner(name: str) -> dict[str, str]:
    """What the investigating processes need beside the bench's own environment. Raises ValueError without a key."""
    if name == "analyst":
        return {}
    if not settings.ANTHROPIC_API_KEY and not settings.ANTHROPIC_BASE_URL:
        raise ValueError(
            "--planner claude needs a model: set ANTHROPIC_API_KEY, or ANTHROPIC_BASE_URL to an address that asks for "
            "no key, such as that of ./opspilot fake-claude."
        )
    return {
        "ANTHROPIC_API_KEY": settings.ANTHROPIC_API_KEY or "none", "ANTHROPIC_BASE_URL": settings.ANTHROPIC_BASE_URL,
        "OPSPILOT_MODEL": settings.MODEL, "OPSPILOT_MODEL_LACKS": ",".join(settings.MODEL_LACKS),
        "OPSPILOT_MAX_USD_PER_DAY": "1000000",
    }  # fmt: skip


def _answered(cases: Sequence[Case], options: dict[str, Any], env: dict[str, str]) -> Iterator[Result]:
    incidents = [case for case in cases if isinstance(case, Incident)]
    if incidents:
        with investigators(options["jobs"], options["planner"], env) as asked:
            yield from side_by_side(options["jobs"], incidents, asked.ask)
    for case in cases:
        if not isinstance(case, Incident):
            began = time.perf_counter()
            verdict = case.judge()
            yield Result(case.id, verdict, case.truth, time.perf_counter() - began)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)
