"""docs/sources.md followed literally: each entry is written down as it stands there and looked at, each tracker asked.

Only what cannot be here is replaced: hosts by servers of the test, secrets and folders by those of the test.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from tests.flows.incident import write_incident
from tests.processes import product_environment
from tests.standins.metric_servers import fill, victoria_metrics
from tests.standins.vendor import running

PAGE = (settings.BASE_DIR / "docs" / "sources.md").read_text()
ENTRIES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
TRACKERS = re.findall(r"^OPSPILOT_TICKETS=(.+)$", PAGE, re.MULTILINE)
LINE = [[int(time.time() * 1e9), {"service_name": "orders", "detected_level": "error"}, "charge timed out"]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder, and what stands there in place of the page's hosts and paths."""
    folder = tmp_path_factory.mktemp("world")
    write_incident(folder / "shop")
    (folder / "secret").write_text("right\n")
    subprocess.run(["git", "init", "-q", "-b", "main", folder / "repo"], check=True)
    identity = ["-c", "user.name=Ana", "-c", "user.email=a@x"]
    subprocess.run(
        ["git", "-C", folder / "repo", *identity, "commit", "-q", "--allow-empty", "-m", "first"], check=True
    )
    (folder / "lines.json").write_text(str(LINE).replace("'", '"'))
    document = '[{"@timestamp": "2026-03-01T10:00:00Z", "service.name": "orders", "message": "a line"}]'
    (folder / "documents.json").write_text(document)
    with ExitStack() as stack:
        loki = stack.enter_context(running("loki_api", str(folder / "lines.json")))
        elastic = stack.enter_context(running("elasticsearch_api", str(folder / "documents.json")))
        github, jira = stack.enter_context(running("github_api")), stack.enter_context(running("jira_api"))
        places = {
            "loki+https://loki.example.org": f"loki+{loki('secured')}",
            "elasticsearch+https://es.example.org:9200": f"elasticsearch+{elastic('secured')}",
            "github://acme/shop": f"github+{github('secured')}/acme/shop",
            "jira+https://jira.example.org": f"jira+{jira('secured')}",
            "webhook+https://hooks.example.org": "webhook+http://127.0.0.1:1",
            "file:///var/log/shop": (folder / "shop").as_uri(),
            "git:///srv/shop": (folder / "repo").as_uri().replace("file://", "git://"),
        }
        if shutil.which("victoria-metrics"):
            url = stack.enter_context(victoria_metrics(folder))
            fill(url, [f'up{{service="orders"}} 1 {int(time.time() * 1_000)}'])
            places["prometheus+https://prometheus.example.org"] = f"prometheus+{url}"
        yield folder, places


def _here(text: str, world: tuple[Path, dict[str, str]]) -> str:
    folder, places = world
    for there, here in places.items():
        text = text.replace(there, here)
    return re.sub(r"/run/secrets/\w+", str(folder / "secret"), text)


def _manage(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words], cwd=settings.BASE_DIR, capture_output=True, text=True, check=False,
        env=product_environment(OPSPILOT_DATA_DIR=str(folder / "data"), **env), timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES, ids=[str(next(iter(yaml.safe_load(one)["sources"]))) for one in ENTRIES])
def test_each_entry_is_read(entry: str, world: tuple[Path, dict[str, str]]) -> None:
    if "prometheus" in entry and not shutil.which("victoria-metrics"):
        pytest.skip("needs VictoriaMetrics: sudo apt install victoria-metrics")
    assert len(entry.strip().splitlines()) <= 6
    folder = world[0]
    (folder / "sources.yaml").write_text(_here(entry, world))
    (name,) = yaml.safe_load(entry)["sources"]

    answer = _manage(folder, "source", "check", name, OPSPILOT_SOURCES=str(folder / "sources.yaml"))

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.startswith(("✓", "⚠"))


@pytest.mark.parametrize("url", TRACKERS)
def test_each_tracker_is_understood(url: str, world: tuple[Path, dict[str, str]]) -> None:
    folder = world[0]
    words = ["tool", "find_tickets", "--data", str(folder / "shop"), "service=orders"]

    answer = _manage(folder, *words, OPSPILOT_TICKETS=_here(url, world))

    assert answer.returncode == 0, answer.stderr
    assert "No ticket is open for orders." in answer.stdout
    assert "Only the list kept here was searched" not in answer.stdout


def test_the_page_has_every_kind() -> None:
    assert (len(ENTRIES), len(TRACKERS)) == (7, 3)
