"""`bench quality`: readers give nothing of the truth away, each set is scored by its own rules, it runs end to end."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from bench.quality import loghub, nezha, petshop, rootcausebench, series, subruns
from bench.quality.case import Answer, Result, Verdict, at_rank, share
from bench.quality.spread import spread
from tests.standins.messages_api import messages_api


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "manage.py", "bench", "quality", *words]
    return subprocess.run(argv, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)


def blaming(entity: str, *suspects: str, change_id: str | None = None, **more: Any) -> Answer:
    cause = {"entity": entity, "change_id": change_id}
    return Answer({"root_cause": cause, "suspects": [{"entity": name} for name in suspects], **more}, ())


def everything_in(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_simulated_incident_goes_through_a_run_and_its_ticket_is_asked_for() -> None:
    done = bench("--suite", "scenarios", "--seeds", "1", "--case", "db-pool", "--json", "-")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [case["id"] for case in told["cases"]] == ["db-pool-exhaustion/1"]
    case = told["cases"][0]
    assert case["hit"], case
    assert case["answer"][0] == case["truth"]["entity"]
    assert case["marks"]["ticket"] == 1
    assert case["tool_calls"] > 3
    assert case["evidence_bytes"] > 1_000 < 1e9


def test_the_same_case_is_answered_without_sub_runs_and_with_them(tmp_path: Path, monkeypatch: Any) -> None:
    with messages_api(tmp_path) as api:
        monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "opspilot_site.settings")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
        monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
        words = ["--suite", "scenarios", "--planner", "claude", "--subruns", "--seeds", "1", "--case", "db-pool"]
        done = bench(*words, "--json", "-")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (case,) = told["cases"]
    alone, parted = case["without"], case["with"]
    assert (alone["model"]["sub_runs"], parted["model"]["sub_runs"]) == (0, 2)
    assert 0 < alone["model"]["calls"] < parted["model"]["calls"]
    assert 0 < alone["model"]["billed"] < parted["model"]["billed"]
    assert 0 < alone["model"]["micro_usd"] < parted["model"]["micro_usd"]
    right, _, seconds, calls, *_ = told["figures"]
    assert (right["ours"], right["peer"]) == (int(parted["hit"]), int(alone["hit"]))
    assert (calls["ours"], calls["peer"]) == (parted["model"]["calls"], alone["model"]["calls"])
    assert seconds["ours"] > 0 < seconds["peer"]


def test_gains_count_only_beside_losses_as_a_toss_would_have_it() -> None:
    assert subruns.chance(0, 0) == 1
    assert subruns.chance(5, 0) == 1 / 32
    assert subruns.chance(3, 3) > 0.5
    assert subruns.chance(1, 5) > 0.95


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--suite", "scenarios", "--subruns"], "--planner claude and incidents"),
        (["--suite", "petshop"], "--path DIR"),
        (["--suite", "petshop", "--path", "tests"], "holds no case of petshop"),
        (["--suite", "scenarios", "--planner", "claude"], "ANTHROPIC_API_KEY"),
        (["--suite", "scenarios", "--case", "nothing"], "No case of scenarios is called nothing"),
    ],
)
def test_wrong_usage_says_what_is_missing_and_exits_2(words: list[str], why: str) -> None:
    done = bench(*words)

    assert done.returncode == 2
    assert why in done.stderr


def test_a_name_counts_at_its_best_place() -> None:
    verdict = at_rank(["cart", "cart", "orders", "web"], "orders", (1, 3))

    assert verdict == Verdict(("cart", "orders", "web"), False, {"top 1": 0.0, "top 3": 1.0})
    assert at_rank([], "orders", (1,)).marks == {"top 1": 0.0}


def test_a_share_is_of_those_that_carry_the_mark_and_its_range_repeats() -> None:
    results = [Result(str(n), Verdict((), n % 2 == 0, {"top 1": float(n % 2 == 0)}), {}, 0.1) for n in range(20)]
    quiet = Result("quiet", Verdict((), True, {"no cause": 1.0}), {}, 0.1)
    measure = share("top 1", "first")

    assert measure.value([*results, quiet]) == 0.5
    assert measure.count([*results, quiet]) == "10/20"
    low, high = spread(measure, results) or (0, 0)
    assert 0.2 <= low < 0.5 < high <= 0.8
    assert spread(measure, results) == (low, high)
    assert spread(measure, results[:3]) is None


def petshop_scenario(root: Path) -> Path:
    scenario = root / "evening"
    (scenario / "noissue").mkdir(parents=True)
    issue = scenario / "test" / "issue_7"
    issue.mkdir(parents=True)
    head = 'microservice,web,"orders, db"\nmetric,latency,latency\nstatistic,Average,Average\nunix_timestamp,,\n'
    quiet = "".join(f"{1_700_000_000 + 300 * n}.0,{n}.25,\n" for n in range(90))
    (scenario / "noissue" / "metrics.csv").write_text(head + quiet)
    (issue / "metrics.csv").write_text(head + "".join(f"{1_600_000_000 + 300 * n}.0,5,{n}\n" for n in range(5)))
    (scenario / "graph.csv").write_text(',web,"orders, db"\nweb,0,1\n"orders, db",0,0\n')
    told = {
        "target": {"node": "web", "metric": "latency", "agg": "Average", "timestamp": 1_600_000_600},
        "root_cause": {"node": "orders, db", "metric": None},
        "metadata": {"command": "sleep 5 in orders"},
    }
    (issue / "target.json").write_text(json.dumps(told))
    return scenario


def test_petshop_gives_the_alert_the_rows_and_the_graph_and_hides_the_rest(tmp_path: Path) -> None:
    petshop_scenario(tmp_path / "set")
    case, *quiet = petshop.load(tmp_path / "set", 0)
    case.write(tmp_path / "case")

    metrics = (tmp_path / "case" / "metrics.csv").read_text().splitlines()
    assert metrics[1] == "2020-09-13T12:26:40Z,web,latency_average,5"
    assert len(metrics) == 1 + 10
    assert (tmp_path / "case" / "topology.csv").read_text().splitlines()[1] == 'web,"orders, db"'
    assert json.loads((tmp_path / "case" / "alert.json").read_text())["fired_at"] == "2020-09-13T12:36:40Z"
    assert "sleep" not in everything_in(tmp_path / "case")
    assert "issue" not in everything_in(tmp_path / "case")
    assert case.judge(blaming("web", "web", "orders, db")).hit  # the alerting node takes no place
    assert not case.judge(Answer({}, ())).hit
    assert len(quiet) == petshop.QUIET_WINDOWS


def test_petshop_fault_free_windows_lie_in_the_last_third_and_are_unknown_to_their_baseline(tmp_path: Path) -> None:
    petshop_scenario(tmp_path / "set")
    _, *quiet = petshop.load(tmp_path / "set", 0)
    for number, case in enumerate(quiet):
        case.write(tmp_path / str(number))
        rows = (tmp_path / str(number) / "metrics.csv").read_text().splitlines()[1:]
        known = (tmp_path / str(number) / "baseline" / "metrics.csv").read_text().splitlines()[1:]
        assert len(rows) == 5
        assert len(known) == 60
        assert max(known) < min(rows)
    assert quiet[0].judge(Answer({"verdict": "no_fault"}, ())).hit
    assert not quiet[0].judge(blaming("orders, db")).hit


def nezha_case(root: Path) -> None:
    case = root / "20230129-0852"
    quiet = root / "_fault_free" / "2023-01-29"
    for folder in (case / "logs", case / "traces", quiet):
        folder.mkdir(parents=True)
    label = {"root_cause_service": "ts-food", "fault_type": "return", "root_cause_inner": "Food#1"}
    (case / "label.json").write_text(json.dumps(label))
    head = "Timestamp,TimeUnixNano,Node,PodName,Container,TraceID,SpanID,Log\n"
    line = (
        "2023-01-29T08:51:24.968139185Z,1674982284968139185,n,ts-user-687d654649-lrcwv,server,t1,s1,"
        '"{""log"":""16:51:24.967 ERROR  u.c.User#48 no such user\\n"",""stream"":""stdout""}"\n'
    )
    spans = (
        "TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano,Duration\n"
        "t1,s1,root,ts-user-687d654649-lrcwv,get,1674982284057000000,1674982284059500000,2500\n"
    )
    names = "Time,TimeStamp,PodName,CpuUsage(m)\n"
    metrics = f"{names}x,1674981669,ts-user-687d654649-lrcwv,2.3\n{names}"
    for name, text in (
        (case / "logs" / "08_52_log.csv.gz", head + line), (case / "traces" / "08_52_trace.csv.gz", spans),
        (quiet / "08_50_log.csv.gz", head), (quiet / "08_50_trace.csv.gz", spans), (case / "metrics.csv.gz", metrics),
    ):  # fmt: skip
        name.write_bytes(gzip.compress(text.encode()))


def test_nezha_names_pods_by_their_service_and_hides_the_label(tmp_path: Path) -> None:
    nezha_case(tmp_path / "set")
    (case,) = nezha.load(tmp_path / "set", 0)
    case.write(tmp_path / "case")

    (line,) = (tmp_path / "case" / "logs.ndjson").read_text().splitlines()
    told = json.loads(line)
    assert (told["service"], told["level"], told["msg"]) == ("ts-user", "ERROR", "u.c.User#48 no such user")
    assert told["timestamp"] == "2023-01-29T08:51:24.968139Z"
    (span,) = json.loads((tmp_path / "case" / "traces.json").read_text())
    assert (span["service"], span["parent_id"], span["duration_ms"]) == ("ts-user", None, 2.5)
    assert "2023-01-29T08:41:09Z,ts-user,CpuUsage(m),2.3," in (tmp_path / "case" / "metrics.csv").read_text()
    assert (tmp_path / "case" / "baseline" / "traces.json").exists()
    assert "ts-food" not in everything_in(tmp_path / "case")
    assert case.judge(blaming("ts-food")).marks == {"top 1": 1.0, "top 3": 1.0, "top 5": 1.0}


def test_rootcausebench_scores_commit_decoy_none_and_parts(tmp_path: Path) -> None:
    folder = tmp_path / "set" / "telling-name"
    (folder / "tests").mkdir(parents=True)
    (folder / "environment" / "data" / "context").mkdir(parents=True)
    deploys = [{"service": "web", "version": "v2", "commit_sha": "bad"}]
    (folder / "environment" / "data" / "context" / "deploys.json").write_text(json.dumps(deploys))
    truth = {
        "root_cause_commit": "bad", "first_failing_service": "web", "blast_radius": ["cart", "orders"],
        "remediation": "rollback", "decoy_deploy_commits": ["shy"], "notes": "it was web",
    }  # fmt: skip
    (folder / "tests" / "ground_truth.json").write_text(json.dumps(truth))
    (case,) = rootcausebench.load(tmp_path / "set", 0)
    case.write(tmp_path / "case")

    assert [path.name for path in (tmp_path / "case").rglob("*.json")] == ["deploys.json"]
    assert "notes" not in case.truth
    assert case.judge(blaming("web", change_id="bad")).hit
    assert case.judge(blaming("web", change_id="deploy:web:v2")).hit
    assert case.judge(blaming("web", change_id="shy")).marks == {"exact": 0.0, "decoy": 1.0, "graded": 0.0}
    partly = case.judge(blaming("web", first_failing="web", affected=["cart"], remediation="scale"))
    assert partly.answer == ("none",)
    assert partly.marks["graded"] == pytest.approx(0.5 * (0.5 + 0.3 * 0.5))
    assert case.judge(Answer({"verdict": "cannot_tell"}, ())).answer == ("",)


def test_loghub_counts_lines_in_exact_groups_and_the_groups_themselves(tmp_path: Path) -> None:
    assert loghub.grouping([1, 1, 2, 3], ["a", "a", "b", "b"]) == (0.5, pytest.approx(2 * 1 / 5))
    (tmp_path / "Shop").mkdir()
    rows = "".join(f'{n},"order {n} placed",E1\n' for n in range(5)) + '6,"card, refused",E2\n'
    (tmp_path / "Shop" / "Shop_2k.log_structured.csv").write_text(f"LineId,Content,EventId\n{rows}")
    (case,) = loghub.load(tmp_path, 0)

    assert case.id == "Shop"
    assert case.judge().marks == {"GA": 1.0, "FGA": 1.0}


def test_nab_rewards_early_alerts_and_charges_false_ones() -> None:
    windows = [(400, 499)]

    assert series.nab_score(1_000, windows, []) == (-1.0, 0, 0)
    assert series.nab_score(1_000, windows, [400, 450]) == (pytest.approx(1.0), 1, 0)
    late, found, _ = series.nab_score(1_000, windows, [499])
    assert (found, round(late, 3)) == (1, 0.025)
    assert series.nab_score(1_000, windows, [20]) == (-1.0, 0, 0)  # in the probation
    assert series.nab_score(1_000, windows, [200]) == (pytest.approx(-1.11), 0, 1)
    soon, _, false = series.nab_score(1_000, windows, [505])
    assert false == 1
    assert -1.02 < soon < -1.01


def test_events_are_found_with_a_tolerance_and_close_alerts_are_one() -> None:
    assert series.match_events([(10, 12), (50, 50)], [8, 30, 33, 49]) == (2, 1)
    assert series.match_events([], [5, 6, 20]) == (0, 2)
    assert series.match_events([(10, 12)], []) == (0, 0)


def test_nab_and_ms_cloud_read_their_tables(tmp_path: Path) -> None:
    values = [10 + n % 3 for n in range(400)]
    values[300:] = [500] * 100
    minutes = [f"2024-01-01 {n // 60:02}:{n % 60:02}:00" for n in range(400)]
    (tmp_path / "nab" / "labels").mkdir(parents=True)
    (tmp_path / "nab" / "data" / "shop").mkdir(parents=True)
    windows = {"shop/cpu.csv": [["2024-01-01 04:55:00.000000", "2024-01-01 05:30:00.000000"]], "not/here.csv": []}
    (tmp_path / "nab" / "labels" / "combined_windows.json").write_text(json.dumps(windows))
    rows = "".join(f"{at},{value}\n" for at, value in zip(minutes, values, strict=True))
    (tmp_path / "nab" / "data" / "shop" / "cpu.csv").write_text("timestamp,value\n" + rows)
    (case,) = series.load_nab(tmp_path / "nab", 0)
    marks = case.judge().marks
    assert (marks["windows"], marks["found"], marks["false"]) == (1, 1, 0)
    assert marks["raw"] > 0.9

    (tmp_path / "ms" / "rates").mkdir(parents=True)
    labelled = "".join(
        f"{at},{value},{int(n >= 300)}\n" for n, (at, value) in enumerate(zip(minutes, values, strict=True))
    )
    packed = gzip.compress(f"TimeStamp,Value,Label\n{labelled}".encode())
    (tmp_path / "ms" / "rates" / "a.csv.gz").write_bytes(packed)
    (case,) = series.load_ms_cloud(tmp_path / "ms", 0)
    assert case.judge().marks == {"found": 1.0, "false": 0.0, "missed": 0.0}
