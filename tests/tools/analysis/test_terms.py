"""Words of code and logs made comparable."""

from __future__ import annotations

from tools.analysis.terms import concepts, rarity, terms


def test_identifiers_of_all_cases_give_the_same_stems():
    assert terms("DBPoolMax") == terms("DB_pool_max") or set(terms("poolMaxSize")) == set(terms("pool_max_size"))
    assert terms("poolMaxSize") == terms("POOL-MAX-SIZE".lower())


def test_endings_do_not_keep_words_apart():
    assert terms("expired") == terms("expires")
    assert terms("caching") == terms("cached")
    assert terms("retries") == terms("retry")


def test_words_that_say_nothing_are_left_out():
    assert terms("the error of a request") == []


def test_a_mutex_and_a_concurrent_write_share_a_concept_but_no_word():
    code, log = terms("sync.Mutex Lock Unlock"), terms("fatal: concurrent map writes")
    assert not set(code) & set(log)
    assert "locking" in concepts(code)
    assert "locking" in concepts(log)


def test_a_word_of_every_document_weighs_next_to_nothing():
    weights = rarity([["pool", "max"], ["pool", "ttl"], ["pool"]])
    assert weights["pool"] < weights["ttl"]
    assert weights["max"] == weights["ttl"]
