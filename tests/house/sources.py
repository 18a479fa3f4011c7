"""The product's Python files as syntax trees, for the tests that hold the rules of the house."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings

ROOMS = ("opspilot_site", "runs", "agent", "tools")


@dataclass(frozen=True)
class SourceFile:
    path: Path  # relative to the checkout
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.path.parts[0]

    @property
    def is_migration(self) -> bool:
        return "migrations" in self.path.parts

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and dotted name of every import, wherever it stands; `from a import b` also as `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.lineno, node.module
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@cache
def product_files() -> tuple[SourceFile, ...]:
    """Every Python file of the rooms that belongs to the project, new ones too."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=settings.BASE_DIR, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    paths = [Path(name) for name in listed if name.split("/")[0] in ROOMS and (settings.BASE_DIR / name).exists()]
    return tuple(SourceFile(path, ast.parse((settings.BASE_DIR / path).read_text())) for path in sorted(paths))


def imports_from(file: SourceFile, package: str) -> list[str]:
    """Where `file` imports `package` or something in it: ["agent/x.py:3 runs.models", …]."""
    return [
        f"{file.path}:{line} {name}"
        for line, name in file.imports()
        if name == package or name.startswith(f"{package}.")
    ]
