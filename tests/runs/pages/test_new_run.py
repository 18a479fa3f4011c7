"""The page that starts an investigation: what it says of the sources."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from runs.models import Run, Team
from runs.services.actors import Actor
from runs.services.drive import begin
from runs.services.leases import claim_run
from runs.services.runs import create_run
from runs.sources import configured_sources

pytestmark = pytest.mark.django_db


def test_each_sources_age_is_its_own(as_alice: Client, team: Team, alice: User, settings: Any) -> None:
    """Two that answer one question together are as old as each of them was found, not as the fresher."""
    kinds: dict[str, list[tuple[str, str]]] = {kind: [] for kind in settings.SOURCE_KINDS}
    settings.SOURCE_URLS = kinds | {"logs": [(name, f"loki+http://{name}.example.org") for name in ("a", "b", "c")]}
    run = create_run(
        goal="Why?", team=team, actor=Actor.person(alice), origin="web", sources=configured_sources()[:2]
    ).run  # fmt: skip
    ages = {"a": timedelta(minutes=5), "b": timedelta(days=3)}
    states = [{"name": name, "newest": (timezone.now() - age).isoformat()} for name, age in ages.items()]
    lease = claim_run(run.pk, "test")
    assert lease is not None
    begin(Run.objects.get(pk=run.pk), lease, [*states, {"name": "c", "newest": None}], {})

    page = as_alice.get("/runs/new").content.decode()

    told = [part.partition("</span>")[0] for part in page.split('<span class="soft small">')[1:4]]
    assert [text.split(" old")[0][:16] for text in told] == ["newest row 5 min", "newest row 3 d", "not read yet"]
