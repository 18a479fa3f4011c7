"""Runs the checkers over the whole checkout: style, types, Django's own checks, and the deployment files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml
from django.conf import settings

from tests.processes import product_environment

BIN = Path(sys.executable).parent
PRODUCTION = {
    "OPSPILOT_URL": "https://ops.example.org",
    "OPSPILOT_ALLOWED_HOSTS": "ops.example.org",
    "OPSPILOT_BEHIND_PROXY": "true",
    "OPSPILOT_SECRET_KEY": "correct-horse-battery-staple-0123456789-abcdefghijklmnop-QRSTUVWXYZ",
    "OPSPILOT_AUDIT_KEY": "another-horse-battery-staple-0123456789-abcdefghijklmnop-QRSTUVWXYZ",
}


def _run(*command: str | Path, **extra: str) -> str:
    """What a checker says; fails with it unless the checker is content."""
    result = subprocess.run(
        command, cwd=settings.BASE_DIR, env=product_environment(**extra), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-6_000:] + result.stderr[-6_000:]
    return result.stdout + result.stderr


def _manage(*words: str, **extra: str) -> str:
    return _run(sys.executable, "manage.py", *words, **extra)


def test_ruff_finds_nothing() -> None:
    _run(BIN / "ruff", "check", ".")


def test_mypy_finds_nothing() -> None:
    _run(BIN / "mypy", "--no-error-summary")


def test_django_checks_find_nothing_under_production_settings(tmp_path: Path) -> None:
    _manage("check", "--deploy", "--fail-level", "WARNING", OPSPILOT_DATA_DIR=str(tmp_path), **PRODUCTION)


def test_the_migrations_hold_every_model(tmp_path: Path) -> None:
    _manage("makemigrations", "--check", "--dry-run", OPSPILOT_DATA_DIR=str(tmp_path))


def test_the_compose_file_is_valid() -> None:
    _run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_every_compose_service_is_checked_unprivileged_and_waits_for_what_it_needs() -> None:
    services = yaml.safe_load((settings.BASE_DIR / "docker-compose.yml").read_text())["services"]
    ours = {name: service for name, service in services.items() if service["image"].startswith("opspilot")}

    assert set(ours) == {"prepare", "web", "worker", "reconciler"}
    assert set(services) - set(ours) == {"postgres", "redis"}
    assert all("healthcheck" in service for name, service in services.items() if name != "prepare")
    assert all(services[name]["user"] for name in ("postgres", "redis"))
    assert all("condition" in need for service in ours.values() for need in service["depends_on"].values())
    assert "container_name" not in services["worker"]  # it would forbid --scale worker=N


def test_the_image_is_not_root_and_in_style() -> None:
    _run(BIN / "hadolint", "deploy/Dockerfile")

    lines = (settings.BASE_DIR / "deploy" / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001"]


def test_the_image_holds_every_room() -> None:
    copied = (settings.BASE_DIR / "deploy" / "Dockerfile").read_text()

    for room in ("opspilot_site", "runs", "agent", "tools", "templates", "static", "fixtures"):
        assert f"COPY {room} {room}\n" in copied


def test_the_kustomize_base_names_files_that_exist_and_runs_nothing_as_root() -> None:
    base = settings.BASE_DIR / "deploy" / "kustomize"
    listed = yaml.safe_load((base / "kustomization.yaml").read_text())["resources"]
    deployments = [
        manifest
        for name in listed
        for manifest in yaml.safe_load_all((base / name).read_text())
        if manifest["kind"] in ("Deployment", "Job")
    ]

    assert {manifest["metadata"]["name"] for manifest in deployments} == {"prepare", "web", "worker", "reconciler"}
    for manifest in deployments:
        pod = manifest["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert all(container["resources"]["limits"]["memory"] for container in pod["containers"])


def test_the_shell_scripts_are_in_style() -> None:
    _run(BIN / "shellcheck", "opspilot", ".ci/run")
