"""Holds .env.example to settings.py: every setting is explained there, and nothing else is."""

from __future__ import annotations

import ast
from pathlib import Path

import re2
from django.conf import settings

SOURCE = Path("opspilot_site/settings.py")
EXAMPLE = Path(".env.example")
# Set by the launcher, the test stack or the shell, never by a person in .env.
OUR_OWN = {
    "OPSPILOT_TEST", "OPSPILOT_DEMO", "OPSPILOT_IGNORE_DOTENV", "OPSPILOT_FAULT", "CI", "SSH_CONNECTION", "NO_COLOR",
    "TERM",
}  # fmt: skip
READERS = {"str", "int", "float", "bool", "list", "secret", "_kept_secret", "named_secrets"}


def _read_by_settings() -> dict[str, bool]:
    """Each name that settings.py reads, and whether it is a secret."""
    names = {f"OPSPILOT_{kind.upper()}": False for kind in settings.SOURCE_KINDS}
    for node in ast.walk(ast.parse((settings.BASE_DIR / SOURCE).read_text())):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        reader = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if reader in READERS and str(node.args[0].value).isupper():
            names[node.args[0].value] = reader.endswith(("secret", "secrets")) or names.get(node.args[0].value, False)
    return {name: secret for name, secret in names.items() if name not in OUR_OWN}


def _explained() -> dict[str, str]:
    """Each name in .env.example with the comment before it."""
    found, comment = {}, ""
    for line in (settings.BASE_DIR / EXAMPLE).read_text().splitlines():
        if match := re2.match(r"#([A-Z_]+)=", line):
            found[match.group(1)], comment = comment, ""
        else:
            comment = f"{comment} {line}" if line.startswith("# ") else ""
    return found


def test_every_setting_is_in_the_example_and_nothing_else() -> None:
    assert sorted(_explained()) == sorted(_read_by_settings())


def test_secrets_are_marked_as_readable_from_a_file() -> None:
    secrets = {name for name, is_secret in _read_by_settings().items() if is_secret}

    assert {name for name, comment in _explained().items() if "[file]" in comment} == secrets


def test_the_defaults_that_are_shown_are_the_real_ones() -> None:
    shown = dict(
        line[1:].split("=", 1)
        for line in (settings.BASE_DIR / EXAMPLE).read_text().splitlines()
        if re2.match(r"#[A-Z_]+=\S", line)
    )

    for name, value in [
        ("OPSPILOT_LEASE_S", settings.LEASE_S),
        ("OPSPILOT_HEARTBEAT_S", settings.HEARTBEAT_S),
        ("OPSPILOT_RECONCILE_S", settings.RECONCILE_S),
        ("OPSPILOT_APPROVAL_TTL_S", settings.APPROVAL_TTL_S),
        ("OPSPILOT_WORKERS", settings.WORKERS),
        ("OPSPILOT_WORKER_SLOTS", settings.WORKER_SLOTS),
        ("OPSPILOT_MAX_STEPS", settings.BUDGET["steps"]),
        ("OPSPILOT_MAX_CYCLES", settings.BUDGET["cycles"]),
        ("OPSPILOT_MAX_TOOL_CALLS", settings.BUDGET["tool_calls"]),
        ("OPSPILOT_MAX_MODEL_CALLS", settings.BUDGET["model_calls"]),
        ("OPSPILOT_MAX_TOKENS", settings.BUDGET["tokens"]),
        ("OPSPILOT_MODEL", settings.MODEL),
        ("OPSPILOT_MODEL_MAX_TOKENS", settings.MODEL_MAX_TOKENS),
        ("OPSPILOT_URL", settings.PUBLIC_URL),
    ]:
        assert shown[name] == str(value), name
