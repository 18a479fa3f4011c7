"""What an address lacks is found out by asking, and not used from then on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from agent.claude.probe import lacking
from agent.claude.settings import ClaudeSettings
from agent.errors import Misconfigured, Temporary
from tests.agent.claude.cases import a_planner, ask
from tests.standins.messages_api import ROOT


@contextmanager
def an_address(lacks: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "fake_claude", "--port", "0", "--lacks", lacks], cwd=ROOT,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.communicate()


def _settings(url: str, **more: Any) -> ClaudeSettings:
    return ClaudeSettings(api_key="k", fence_secret=b"s", base_url=url, **more)


@pytest.mark.parametrize("lacks", ["", "strict", "cache,stream", "strict,cache,stream"])
def test_the_fewest_features_are_given_up(lacks: str) -> None:
    wanted = tuple(lacks.split(",")) if lacks else ()
    with an_address(lacks) as url:
        assert lacking(_settings(url)) == wanted
        if wanted:
            with pytest.raises(Misconfigured):
                ask(a_planner(url))
        assert ask(a_planner(url, lacks=wanted)).requests


def test_an_address_that_is_away_is_no_lack() -> None:
    with pytest.raises(Temporary):
        lacking(_settings("http://127.0.0.1:9"))
