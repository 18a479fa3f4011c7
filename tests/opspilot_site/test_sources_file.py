"""sources.yaml: what it sets, and the sentence for everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from opspilot_site.sources_file import read_sources_file

GOOD = """
sources:
  prod-logs:
    url: loki+https://loki.example.org
    env: prod
    token_file: /run/secrets/loki
    headers: {X-Scope-OrgID: acme}
    fields: {level: severity}
    services: {orders-v2: orders}
  metrics:
    url: prometheus+http://prom:9090
    kind: metrics
services: {ordersvc: orders}
"""


def test_urls_and_options_come_apart(tmp_path: Path) -> None:
    (tmp_path / "sources.yaml").write_text(GOOD)
    found = read_sources_file(tmp_path / "sources.yaml")

    assert found.urls == {
        "data": [("prod-logs", "loki+https://loki.example.org?env=prod")],
        "metrics": [("metrics", "prometheus+http://prom:9090")],
    }
    assert found.options["prod-logs"] == {
        "token_file": "/run/secrets/loki", "headers": {"X-Scope-OrgID": "acme"}, "fields": {"level": "severity"},
        "services": {"orders-v2": "orders"},
    }  # fmt: skip
    assert found.options["*"] == {"services": {"ordersvc": "orders"}}


def test_no_file_is_no_source(tmp_path: Path) -> None:
    assert read_sources_file(tmp_path / "sources.yaml").urls == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sources: [", "not valid YAML"),
        ("- a", "the file: must be a mapping"),
        ("sorces: {}", "sorces is not known; known: sources, services"),
        ("sources: {a: {}}", "sources: a: needs a url"),
        ("sources: {a: {url: /var/log}}", "needs a url, such as loki"),
        ("sources: {a: {url: 'file:///x', token: hush}}", "token is not known"),
        ("sources: {a: {url: 'file:///x', kind: alerts}}", "kind is one of"),
        ("sources: {a: {url: 'file:///x', fields: {colour: x}}}", "colour is not known; known: time, level"),
        ("sources: {a: {url: 'file:///x', headers: [x]}}", "headers: must be a mapping"),
        ("sources: {a: {url: 'loki+http://x', timezone: Europe/Berlin}}", "timezone is for files"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_each_mistake_is_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "sources.yaml").write_text(text)

    with pytest.raises(ImproperlyConfigured, match=words):
        read_sources_file(tmp_path / "sources.yaml")
