"""What a patch can do, and why another cannot do anything."""

from __future__ import annotations

import pytest

from tools.analysis.diffs import parse, settings
from tools.analysis.effects import effects
from tools.analysis.inert import why_inert


def kinds(diff: str) -> list[str]:
    return [effect.kind for effect in effects(parse(diff))]


@pytest.mark.parametrize(
    ("line", "amount"),
    [
        ('DB_POOL_MAX: "40"', 40),
        ("timeout = 15 * time.Minute,", 900),
        ("  ttl: 15m", 900),
        ("MaxAttempts: 8, BaseDelay: 5", 8),
        ("CACHE_TTL_SECONDS: int = 30", 30),
        ("limit: 512Mi", 512 * 2**20),
    ],
)
def test_a_named_number_is_read_in_base_units(line: str, amount: float):
    assert next(iter(settings((line,)).values())).amount == amount


def test_a_lowered_limit_is_the_strongest_effect_and_quotes_its_line():
    found = effects(parse('@@ values.yaml @@\n   env:\n-    POOL_MAX: "40"\n+    POOL_MAX: "10"'))
    assert found[0].kind == "limit lowered"
    assert found[0].words == "POOL_MAX goes from 40 to 10"
    assert found[0].line == '+    POOL_MAX: "10"'


def test_the_same_number_in_another_unit_is_a_change():
    found = effects(parse("-  default_ttl: 15m\n+  default_ttl: 15s"))
    assert found[0].kind == "limit lowered"
    assert found[0].weight > 0.9


def test_a_small_nudge_weighs_less_than_a_cut():
    nudge = effects(parse("-  cache_entries: 50000\n+  cache_entries: 60000"))[0]
    cut = effects(parse("-  cache_entries: 50000\n+  cache_entries: 500"))[0]
    assert nudge.weight < 0.2 < cut.weight


@pytest.mark.parametrize(
    ("diff", "kind"),
    [
        ("-\tl.mu.Lock()\n-\tdefer l.mu.Unlock()\n \tl.counts[id]++", "guard removed"),
        ("-  SELECT id FROM events ORDER BY score LIMIT 50\n+  SELECT id FROM events ORDER BY score", "guard removed"),
        (
            "-const leeway = 120 * time.Second\n-if exp.Add(leeway).Before(now) {\n+if exp.Before(now) {",
            "bound removed",
        ),
        ("-    if item.price is None:\n-        return offer\n+    saving = item.price - offer", "check removed"),
        ("-  level: info\n+  level: debug", "verbosity raised"),
        ('-  "title": {"type": "text"},\n+  "name": {"type": "text"},', "name changed"),
        ("-\tgoogle.golang.org/protobuf v1.31.0\n+\tgoogle.golang.org/protobuf v1.34.2", "library moved"),
        ("+SEEN = {}\n+def keep(key, value):\n+    SEEN[key] = value", "growth added"),
        ('+    rows = db.execute("SELECT id FROM favourites WHERE user = 1")', "query added"),
        ("+    for item in items:\n+        item.price = client.get(item.id)", "call in a loop"),
    ],
)
def test_each_kind_of_harm_is_recognised(diff: str, kind: str):
    assert kind in kinds(diff)


@pytest.mark.parametrize(
    ("files", "diff", "reason"),
    [
        (["docs/runbook.md"], "+Restart it.", "documentation"),
        (["tests/test_x.py"], "-    assert limit == 5\n+    assert limit == 1", "tests"),
        (["web/static/app.css"], "-.box { padding: 6px }\n+.box { padding: 8px }", "look like"),
        (["src/a.py"], "-# old words\n+# new words", "comments"),
        (["src/a.py"], "-import sys\n-import json\n+import json\n+import sys", "moves or reformats"),
        (
            ["a.go"],
            "-\tc := r.Context()\n-\treturn fetch(c, q)\n+\tctx := r.Context()\n+\treturn fetch(ctx, q)",
            "renames",
        ),
        (["go.mod"], "-\tgoogle.golang.org/grpc v1.62.0\n+\tgoogle.golang.org/grpc v1.62.1", "patch level"),
        (["a.go"], '-\tLOG_DEBUG(log, "elected")\n+\tLOG_INFO(log, "elected", node)', "log lines"),
        (
            ["a.go"],
            "-\tout, err := s.store.Load(key)\n-\treturn parse(out)\n+\treturn s.loadParsed(key)\n+}\n"
            "+func (s *S) loadParsed(key string) {\n+\tout, err := s.store.Load(key)\n+\treturn parse(out)",
            "without changing what it does",
        ),
    ],
)
def test_a_change_that_cannot_break_anything_says_why(files: list[str], diff: str, reason: str):
    assert reason in why_inert(files, parse(diff))


def test_a_lowered_limit_among_log_lines_is_not_inert():
    diff = '-    log.info("start")\n-  max_conns: 100\n+    log.info("started")\n+  max_conns: 5'
    assert why_inert(["src/a.py"], parse(diff)) == ""


def test_a_config_file_beside_documentation_is_not_inert():
    assert why_inert(["deploy/values.yaml", "README.md"], parse("-  replicas: 4\n+  replicas: 1")) == ""
