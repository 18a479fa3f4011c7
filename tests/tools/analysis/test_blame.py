"""Which change is convicted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tools.analysis.blame import Candidate, Fault, Judged, judge
from tools.analysis.reach import is_named_by, reach_of

ONSET = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
CUT = '@@ values.yaml @@\n-  POOL_MAX: "40"\n+  POOL_MAX: "8"'


def fault(**more: object) -> Fault:
    given: dict[str, object] = {
        "words": {"pool": 1.0, "connection": 1.0, "pending": 0.9},
        "files": frozenset(),
        "services": {"kiosk-api": 1.0, "lobby": 0.35},
        "onsets": {"kiosk-api": [ONSET], "lobby": [ONSET + timedelta(minutes=2)]},
        "first": ONSET,
        "slack": timedelta(seconds=90),
    }
    return Fault(**{**given, **more})  # type: ignore[arg-type]


def change(name: str, minutes_before: float = 3, **more: object) -> Candidate:
    given: dict[str, object] = {
        "id": name,
        "kind": "commit",
        "service": "kiosk-api",
        "live_at": ONSET - timedelta(minutes=minutes_before),
        "title": "chore: settings",
        "files": ("kiosk-api/values.yaml",),
        "diff": CUT,
    }
    return Candidate(**{**given, **more})  # type: ignore[arg-type]


def verdicts(*candidates: Candidate, **more: object) -> dict[str, Judged]:
    return {one.candidate.id: one for one in judge(candidates, fault(**more), ["kiosk-api", "lobby", "attic"])}


def test_the_change_that_could_do_it_is_convicted_over_the_latest_one():
    found = verdicts(
        change("cut", 6), change("latest", 1, title="tidy", diff="-  a = b(1)\n+  a = c(1)", files=("kiosk-api/a.py",))
    )
    assert found["cut"].convicts
    assert not found["latest"].convicts


def test_a_change_after_the_onset_is_cleared():
    found = verdicts(change("late", minutes_before=-10))["late"]
    assert found.score == 0
    assert "after the first sign" in found.cleared


def test_a_change_of_a_healthy_service_is_cleared():
    found = verdicts(change("elsewhere", service="attic", files=("attic/values.yaml",)))["elsewhere"]
    assert found.cleared == "attic shows no departure from its normal range"


def test_a_commit_that_was_never_deployed_is_cleared():
    assert "no deploy carried it" in verdicts(change("idle", live_at=None))["idle"].cleared


def test_a_change_long_before_counts_less_than_one_right_before():
    found = verdicts(change("old", 180), change("fresh", 3))
    assert found["old"].score < 0.2 * found["fresh"].score


def test_a_delayed_symptom_does_not_clear_the_change_before_its_first_sign():
    early = ONSET - timedelta(minutes=150)
    found = verdicts(
        change("cause", 151),
        change("decoy", 4),
        first=early,
        onsets={"kiosk-api": [early, ONSET]},
    )
    assert found["cause"].convicts
    assert "after the first sign" in found["decoy"].cleared


def test_a_file_that_the_stack_trace_names_relates_a_change_to_the_fault():
    plain = "-    total = a.net()\n+    total = a.gross()"
    found = verdicts(
        change("named", diff=plain, files=("kiosk-api/price.py",)),
        change("other", diff=plain, files=("kiosk-api/menu.py",)),
        files=frozenset({"price.py"}),
    )
    assert found["named"].relation > 0.8 > found["other"].relation


def test_titles_alone_convict_nobody():
    found = verdicts(change("loud", title="fix connection pool pending", diff="", files=()))["loud"]
    assert not found.convicts


@pytest.mark.parametrize(
    ("service", "path", "named"),
    [
        ("searchservice", "services/search/query.go", True),
        ("search-api", "search-api/src/a.py", True),
        ("recommendationservice", "services/recommend/types.go", True),
        ("search-api", "pkg/cache/config.go", False),
        ("db", "dbx/query.go", False),
    ],
)
def test_a_path_names_its_service_whatever_its_ending(service: str, path: str, named: bool):
    assert is_named_by(service, path) is named


def test_shared_code_reaches_every_faulty_service_a_little_less():
    reached = reach_of("", ("pkg/cache/config.go",), {"kiosk-api": 1.0, "lobby": 0.5}, ["kiosk-api", "lobby"])
    assert reached.is_shared
    assert 0.5 < reached.weight < 1.0
