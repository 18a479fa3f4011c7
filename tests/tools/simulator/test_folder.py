"""What a simulated folder holds: format, order, size, and nothing that gives the answer away."""

from __future__ import annotations

import itertools
import re
from datetime import datetime, timedelta

import pytest

from tests.tools.simulator.conftest import AS_OF, quieter
from tools.simulator import describe, load_scenario, scenario_names, simulate

SCENARIOS = scenario_names()
every_scenario = pytest.mark.parametrize("name", SCENARIOS)


@every_scenario
def test_the_folder_has_the_files_of_an_incident_dump(incident, name):
    assert sorted(incident(name).bytes()) == [
        "alert.json", "context/commits.json", "context/deploys.json", "context/flags.json",
        "logs.ndjson", "metrics.csv", "topology.csv", "traces.json",
    ]  # fmt: skip


@every_scenario
def test_log_lines_have_their_fields_and_rise_in_time_up_to_now(incident, name):
    logs = incident(name).logs
    stamps = [line["timestamp"] for line in logs]
    assert stamps == sorted(stamps)
    newest = datetime.fromisoformat(stamps[-1])
    assert AS_OF - timedelta(seconds=30) < newest <= AS_OF
    assert all({"timestamp", "service", "severity_text", "msg"} <= line.keys() for line in logs)
    assert {line["severity_text"] for line in logs} >= {"DEBUG", "INFO", "WARN", "ERROR"}


@every_scenario
def test_metrics_have_one_point_a_minute_and_never_one_of_the_future(incident, name):
    for key, points in incident(name).series.items():
        times = [at for at, _ in points]
        assert {b - a for a, b in itertools.pairwise(times)} == {timedelta(minutes=1)}, key
        assert AS_OF - timedelta(minutes=1) < times[-1] <= AS_OF
        assert min(value for _, value in points) >= 0, key


@every_scenario
def test_spans_belong_to_their_parents_and_start_with_or_after_them(incident, name):
    spans = {span["span_id"]: span for span in incident(name).read("traces.json")}
    for span in spans.values():
        assert span["status"] in ("OK", "ERROR")
        assert ("error" in span) == (span["status"] == "ERROR")
        if span["parent_id"] is not None:
            parent = spans[span["parent_id"]]
            assert parent["trace_id"] == span["trace_id"]
            assert parent["start"] <= span["start"] <= AS_OF.strftime("%Y-%m-%dT%H:%M:%S.999Z")


@every_scenario
def test_every_name_in_the_folder_is_a_service_of_the_topology(incident, name):
    case = incident(name)
    edges = [line.split(",") for line in (case.folder / "topology.csv").read_text().splitlines()[1:]]
    services = set(case.truth.names.values())
    assert {service for edge in edges for service in edge} <= services
    assert {line["service"] for line in case.logs} == services
    assert {service for service, _ in case.series} == services
    assert case.read("alert.json")["service"] in services


@every_scenario
def test_a_folder_is_as_large_as_the_scenario_says(incident, name):
    case, scenario = incident(name), load_scenario(name)
    counts = describe(case.folder)
    assert counts.log_lines == len(case.logs)
    assert abs(counts.traces - scenario.traces) < 0.02 * scenario.traces
    assert 50 <= counts.metrics == len(case.series)
    assert counts.changes == len(scenario.all_changes())
    assert 4 <= counts.changes <= 8


@every_scenario
def test_a_log_has_near_as_many_lines_as_the_scenario_says(name, tmp_path):
    scenario = load_scenario(name)
    simulate(scenario, 41, AS_OF, tmp_path)
    # Who is shut out or fails writes fewer lines than on a good day.
    assert abs(describe(tmp_path).log_lines - scenario.log_lines) < 0.08 * scenario.log_lines


@every_scenario
def test_nothing_in_the_folder_names_the_truth(incident, name):
    case = incident(name)
    text = "\n".join(content.decode() for content in case.bytes().values()).lower()
    for word in ("decoy", "guilty", "culprit", "root cause", "root_cause", "verdict", "simulat", "scenario", name):
        assert word not in text
    assert not re.search(r"\b(bad|buggy|bug|fault|faulty|leak|broken|innocent|red herring)\b", text)


@every_scenario
def test_the_guilty_change_is_in_the_folder_and_looks_like_the_others(incident, name):
    case = incident(name)
    if case.truth.change_id is None:
        return
    commits = case.read("context/commits.json")
    guilty = next(commit for commit in commits if commit["sha"] == case.truth.change_id)
    others = [commit for commit in commits if commit is not guilty]
    assert others
    assert all(commit.keys() == guilty.keys() for commit in others)
    deploys = case.read("context/deploys.json")
    assert case.truth.change_ids[1] in {f"deploy:{d['service']}:{d['version']}" for d in deploys}
    rolled_out = next(d for d in deploys if d["commit_sha"] == case.truth.change_id)
    assert (
        datetime.fromisoformat(guilty["timestamp"]) < datetime.fromisoformat(rolled_out["timestamp"]) < case.truth.onset
    )
    later = [d for d in deploys if rolled_out["timestamp"] < d["timestamp"]]
    assert later, "the newest deploy must not always be the one at fault"


@every_scenario
def test_the_same_seed_and_moment_give_the_same_bytes(incident, name, tmp_path):
    truth = simulate(quieter(name), 41, AS_OF, tmp_path / "again")
    first = incident(name)
    assert truth == first.truth
    assert {path: (tmp_path / "again" / path).read_bytes() for path in first.bytes()} == first.bytes()


@every_scenario
def test_another_seed_gives_other_bytes_names_times_and_sizes(incident, name):
    one, two = incident(name), incident(name, 42)
    assert all(one.bytes()[path] != two.bytes()[path] for path in one.bytes())
    assert one.truth.names != two.truth.names
    fired = [case.read("alert.json") for case in (one, two)]
    assert fired[0]["fired_at"] != fired[1]["fired_at"]
    assert fired[0]["observed"] != fired[1]["observed"]


def test_another_moment_moves_the_incident_with_it(incident, tmp_path):
    one = incident("db-pool-exhaustion")
    truth = simulate(quieter("db-pool-exhaustion"), 41, AS_OF + timedelta(hours=3), tmp_path)
    assert truth.onset - one.truth.onset == timedelta(hours=3)
    assert truth.names == one.truth.names


def test_a_moment_without_a_time_zone_is_refused(tmp_path):
    with pytest.raises(ValueError, match="time zone"):
        simulate(load_scenario("db-pool-exhaustion"), 1, AS_OF.replace(tzinfo=None), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_time_in_another_zone_is_the_same_moment(incident, tmp_path):
    simulate(quieter("db-pool-exhaustion"), 41, datetime.fromisoformat("2026-03-14T11:26:53+02:00"), tmp_path)
    assert (tmp_path / "metrics.csv").read_bytes() == incident("db-pool-exhaustion").bytes()["metrics.csv"]


def test_error_lines_of_the_fault_lead_to_traces_that_failed_there(incident):
    case = incident("db-pool-exhaustion")
    failed = {
        s["trace_id"] for s in case.read("traces.json") if s["status"] == "ERROR" and s["service"] == case.truth.entity
    }
    lines = [line for line in case.logs if line["service"] == case.truth.entity and "Connection is not" in line["msg"]]
    assert sum(line["trace_id"] in failed for line in lines) > len(lines) / 3
