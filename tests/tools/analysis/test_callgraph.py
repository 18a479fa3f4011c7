"""Which service the blame runs down to."""

from __future__ import annotations

from tools.analysis.callgraph import CallGraph, rank

CHAIN = CallGraph.of([("gate", "shop"), ("shop", "stock"), ("stock", "disk"), ("gate", "mail")])


def first(scores: dict[str, float], **more: object) -> str:
    given: dict[str, object] = {"keeps": {}, "follows": {}}
    return rank(scores, CHAIN, **{**given, **more})[0][0]  # type: ignore[arg-type]


def test_blame_runs_to_the_deepest_anomalous_callee():
    assert first({"gate": 1.0, "shop": 1.0, "stock": 1.0}) == "stock"


def test_a_healthy_callee_takes_no_blame():
    assert "disk" not in dict(rank({"gate": 1.0, "shop": 1.0}, CHAIN, {}, {}))


def test_a_faintly_moved_callee_does_not_take_the_blame_from_a_service_that_speaks_of_its_own_fault():
    assert first({"stock": 1.0, "disk": 0.08}, keeps={"stock": 3.0}) == "stock"


def test_a_callee_that_moved_later_takes_less():
    in_order = dict(rank({"shop": 1.0, "stock": 1.0}, CHAIN, {}, {}))
    too_late = dict(rank({"shop": 1.0, "stock": 1.0}, CHAIN, {}, {("shop", "stock"): 0.05}))
    assert too_late["stock"] < in_order["stock"]


def test_shares_sum_to_one_and_no_score_gives_no_ranking():
    ranked = rank({"gate": 1.0, "shop": 0.4, "mail": 0.2}, CHAIN, {}, {})
    assert abs(sum(share for _, share in ranked) - 1) < 1e-9
    assert rank({}, CHAIN, {}, {}) == []


def test_below_and_above_follow_calls_to_the_end_and_survive_a_ring():
    ring = CallGraph.of([("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")])
    assert ring.below("a") == {"b", "c", "d"}
    assert ring.above("d") == {"a", "b", "c"}
