"""RootCauseBench (Edge Delta 2026): incidents with commits, deploys and flags; which commit did it, or none?

Its rules: the exact commit passes; a decoy earns 0, anything else half of .5 for the first failing service, .3 × the
Jaccard index of the blast radius and .2 for the remediation.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bench.quality.case import Answer, Incident, Report, Suite, Verdict, mean, share, total

GOAL = "Find out what caused this alert and which commit, if any, is to blame"
NONE = "none"


def load(root: Path, seeds: int) -> list[Incident]:
    return [_case(file.parent.parent) for file in sorted(root.glob("*/tests/ground_truth.json"))]


def _case(folder: Path) -> Incident:
    truth = json.loads((folder / "tests" / "ground_truth.json").read_text())
    told = {key: value for key, value in truth.items() if key not in ("scenario", "notes")}
    telemetry = folder / "environment" / "data"
    carried = _commits_by_deploy(telemetry / "context" / "deploys.json")
    return Incident(folder.name, GOAL, told, partial(_copy, telemetry), partial(_judge, told, carried))


def _copy(telemetry: Path, folder: Path) -> None:
    shutil.copytree(telemetry, folder, dirs_exist_ok=True)


def _commits_by_deploy(file: Path) -> dict[str, str]:
    """Deploys as list_changes names them. A report may blame the deploy for the commit that it carried."""
    deploys = json.loads(file.read_text()) if file.exists() else []
    return {f"deploy:{one.get('service')}:{one.get('version')}": one.get("commit_sha", "") for one in deploys}


def _judge(truth: Mapping[str, Any], carried: Mapping[str, str], answer: Answer) -> Verdict:
    commit = _commit(answer.report, carried)
    passed = commit == truth["root_cause_commit"]
    is_decoy = commit in truth["decoy_deploy_commits"]
    graded = 1.0 if passed else 0.0 if is_decoy else 0.5 * _partly(truth, answer.report)
    marks = {"exact": float(passed), "decoy": float(is_decoy), "graded": graded}
    return Verdict((commit,), passed, marks)


def _commit(report: Report, carried: Mapping[str, str]) -> str:
    """The blamed commit; "none" where a cause is named that no change brought; "" where no cause is named."""
    cause = report.get("root_cause")
    if not cause:
        return ""
    change = str(cause.get("change_id") or NONE)
    return carried.get(change) or change


def _partly(truth: Mapping[str, Any], report: Report) -> float:
    ours, theirs = set(report.get("affected", ())), set(truth["blast_radius"])
    overlap = len(ours & theirs) / len(ours | theirs) if ours | theirs else 1.0
    is_first = report.get("first_failing") == truth["first_failing_service"]
    is_remedy = report.get("remediation") == truth["remediation"]
    return 0.5 * is_first + 0.3 * overlap + 0.2 * is_remedy


SUITE = Suite(
    "rootcausebench", load,
    (
        share("exact", "exact commit, or none", 8 / 12),
        total("decoy", "decoys blamed", 2),
        mean("graded", "graded reward"),
    ),
)  # fmt: skip
