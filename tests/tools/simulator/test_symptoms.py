"""What the data shows: the fault where it is, nothing where it is not, and decoys that mislead only at first sight."""

from __future__ import annotations

import itertools
from datetime import timedelta
from statistics import fmean, median, pstdev

import pytest

from tests.tools.simulator.conftest import AS_OF, Incident
from tools.simulator import load_scenario, scenario_names

SEEDS = (3, 58)
FAULTS = [name for name in scenario_names() if load_scenario(name).truth.verdict == "cause"]
QUIET_MINUTES = timedelta(minutes=6)  # a fault needs some to rise and to spread
each_fault = pytest.mark.parametrize(("name", "seed"), [(name, seed) for name in FAULTS for seed in SEEDS])


def before_and_after(case: Incident, service: str, metric: str) -> tuple[list[float], list[float]]:
    points = case.series[service, metric]
    quiet = [value for at, value in points if at <= case.truth.onset]
    return quiet, [value for at, value in points if at > case.truth.onset + QUIET_MINUTES]


def error_rate_of(service: str, case: Incident) -> tuple[list[float], list[float]] | None:
    return before_and_after(case, service, "error_rate") if (service, "error_rate") in case.series else None


@each_fault
def test_services_that_suffer_fail_many_times_more_often_than_before(incident, name, seed):
    case = incident(name, seed)
    for service in case.truth.affected:
        quiet, shaken = error_rate_of(service, case)
        assert max(shaken) > 5 * fmean(quiet), service
        assert max(shaken) > max(quiet), service


@each_fault
def test_services_that_do_not_suffer_stay_as_they_were(incident, name, seed):
    case = incident(name, seed)
    rates = [error_rate_of(service, case) for service in case.truth.unaffected]
    assert any(rates)
    for quiet, shaken in filter(None, rates):
        assert abs(fmean(shaken) - fmean(quiet)) < pstdev(quiet)


@each_fault
def test_onset_lies_where_the_scenario_allows_and_the_alert_follows_it(incident, name, seed):
    case = incident(name, seed)
    low, high = load_scenario(name).onset_minutes_ago
    assert timedelta(minutes=low - 1) <= AS_OF - case.truth.onset <= timedelta(minutes=high + 1)
    alert = case.read("alert.json")
    series = {f"{at:%Y-%m-%dT%H:%M:%SZ}": value for at, value in case.series[alert["service"], alert["metric"]]}
    assert series[alert["fired_at"]] == pytest.approx(alert["observed"], rel=1e-4)
    assert alert["observed"] > alert["threshold"]
    assert f"{case.truth.onset:%Y-%m-%dT%H:%M:%SZ}" < alert["fired_at"]


@each_fault
def test_the_alert_is_on_a_service_that_suffers_not_on_the_one_at_fault(incident, name, seed):
    case = incident(name, seed)
    assert case.read("alert.json")["service"] in case.truth.affected


@each_fault
def test_no_line_of_the_fault_is_written_before_its_onset(incident, name, seed):
    case = incident(name, seed)
    words = {
        "db-pool-exhaustion": "Connection is not available",
        "deploy-error-spike": "TypeError",
        "memory-leak": "OOMKilled",
        "slow-dependency": "slow request",
        "certificate-expiry": "certificate has expired",
    }[name]
    stamps = [line["timestamp"] for line in case.logs if words in line["msg"]]
    assert len(stamps) > 5
    assert min(stamps) >= f"{case.truth.onset:%Y-%m-%dT%H:%M:%S}.000Z"


@each_fault
def test_errors_trickle_on_every_service_before_the_onset_too(incident, name, seed):
    case = incident(name, seed)
    onset = f"{case.truth.onset:%Y-%m-%dT%H:%M:%SZ}"
    early = {line["service"] for line in case.logs if line["timestamp"] < onset and line["severity_text"] == "ERROR"}
    assert len(early) >= len(case.truth.names) - 1  # a cache only warns


@each_fault
def test_the_loudest_service_before_the_onset_is_not_the_one_at_fault(incident, name, seed):
    case = incident(name, seed)
    onset = f"{case.truth.onset:%Y-%m-%dT%H:%M:%SZ}"
    errors = [line["service"] for line in case.logs if line["timestamp"] < onset and line["severity_text"] == "ERROR"]
    loudest = max(set(errors), key=errors.count)
    assert loudest != case.truth.entity
    assert errors.count(loudest) > 3 * errors.count(case.truth.entity)


@each_fault
def test_failing_traces_show_where_the_fault_lies(incident, name, seed):
    case = incident(name, seed)
    onset = f"{case.truth.onset:%Y-%m-%dT%H:%M:%SZ}"
    late = [
        span for span in case.read("traces.json") if span["start"] > onset and span["service"] in case.truth.affected
    ]
    texts = [span.get("error", "") for span in late]
    assert sum(map(bool, texts)) >= (3 if name == "memory-leak" else 10)
    assert any(case.truth.entity in text for text in texts)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_full_pool_makes_requests_wait_while_the_database_is_well(incident, seed):
    case = incident("db-pool-exhaustion", seed)
    _, active = before_and_after(case, case.truth.entity, "db_pool_active")
    assert len(set(active)) == 1
    quiet, pending = before_and_after(case, case.truth.entity, "db_pool_pending")
    assert max(quiet) == 0
    assert min(pending) > 30
    _, latency = before_and_after(case, case.truth.entity, "latency_p99")
    assert median(latency) > 4_500
    for metric in ("cpu", "query_p95"):
        quiet, shaken = before_and_after(case, case.truth.names["main_db"], metric)
        assert fmean(shaken) < 1.2 * fmean(quiet), metric  # the load of the day moves it a little


@pytest.mark.parametrize("seed", SEEDS)
def test_memory_climbs_and_falls_back_with_every_restart(incident, seed):
    case = incident("memory-leak", seed)
    _, memory = before_and_after(case, case.truth.entity, "memory")
    quiet, restarts = before_and_after(case, case.truth.entity, "restarts")
    assert set(quiet) == {0}
    assert restarts == sorted(restarts)
    falls = sum(b < 0.6 * a for a, b in itertools.pairwise(memory))
    assert restarts[-1] >= 2
    assert falls == restarts[-1]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slow_service_answers_and_its_callers_give_up(incident, seed):
    case = incident("slow-dependency", seed)
    quiet, shaken = error_rate_of(case.truth.entity, case)
    assert abs(fmean(shaken) - fmean(quiet)) < 2 * pstdev(quiet)
    _, latency = before_and_after(case, case.truth.entity, "latency_p99")
    assert median(latency) > 3_000
    gave_up = {line["service"] for line in case.logs if f"call to {case.truth.entity} timed out" in line["msg"]}
    assert gave_up == {case.truth.names[role] for role in ("checkout", "catalog", "shipping")}


@pytest.mark.parametrize("seed", SEEDS)
def test_an_expired_certificate_keeps_callers_out_and_no_change_did_it(incident, seed):
    case = incident("certificate-expiry", seed)
    assert case.truth.change_ids == ()
    quiet, shaken = before_and_after(case, case.truth.entity, "request_rate")
    assert fmean(shaken) < 0.2 * fmean(quiet)
    ends = f"{case.truth.onset:%Y-%m-%dT%H:%M:%SZ}"
    told = [line for line in case.logs if f"is after {ends}" in line["msg"]]
    assert {line["service"] for line in told} == {case.truth.names[role] for role in ("billing", "loyalty")}


@pytest.mark.parametrize("seed", (*SEEDS, 9))
def test_a_healthy_system_errs_as_little_after_the_alert_as_before(incident, seed):
    case = incident("healthy-false-alarm", seed)
    assert (case.truth.verdict, case.truth.entity, case.truth.onset) == ("no_fault", "", None)
    alert = case.read("alert.json")
    for (service, metric), points in case.series.items():
        if metric == "error_rate":
            quiet = [value for at, value in points if f"{at:%Y-%m-%dT%H:%M:%SZ}" < alert["fired_at"]]
            since = [value for at, value in points if f"{at:%Y-%m-%dT%H:%M:%SZ}" >= alert["fired_at"]]
            assert abs(fmean(since) - fmean(quiet)) < pstdev(quiet), service


@pytest.mark.parametrize("seed", (*SEEDS, 9))
def test_the_false_alarm_is_short_and_had_its_like_before(incident, seed):
    case = incident("healthy-false-alarm", seed)
    alert = case.read("alert.json")
    values = case.series[alert["service"], alert["metric"]]
    above = [at for at, value in values if value > alert["threshold"] * 0.85]
    fired = max(at for at, _ in values if f"{at:%Y-%m-%dT%H:%M:%SZ}" <= alert["fired_at"])
    assert any(fired - at > timedelta(minutes=40) for at in above), "no earlier peak comes near this one"
    assert values[-1][1] < alert["threshold"]
    assert sum(value > alert["threshold"] for at, value in values if abs(at - fired) < timedelta(minutes=15)) <= 3
