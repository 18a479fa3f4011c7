"""The embedded Redis: a private socket, and jobs that survive its death."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from opspilot_site import redis_server


def _start(socket: Path, data: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(redis_server.command(socket, data), stdout=subprocess.DEVNULL)
    while not redis_server.answers(f"unix://{socket}"):
        assert process.poll() is None
        time.sleep(0.02)
    return process


@pytest.fixture
def folder() -> Iterator[Path]:
    """A socket's path must be short; pytest's own folders are too deep."""
    with tempfile.TemporaryDirectory(prefix="ops-") as name:
        yield Path(name)


def test_only_its_user_reaches_it(folder: Path) -> None:
    process = _start(folder / "s" / "redis.sock", folder)

    assert (folder / "s").stat().st_mode & 0o777 == 0o700
    assert (folder / "s" / "redis.sock").stat().st_mode & 0o777 == 0o700
    process.terminate()
    assert process.wait(10) == 0


def test_what_was_written_is_there_after_a_kill(folder: Path) -> None:
    process = _start(folder / "redis.sock", folder)
    client = redis.Redis.from_url(f"unix://{folder / 'redis.sock'}")
    client.rpush("jobs", "one", "two")
    while client.info("persistence")["aof_pending_bio_fsync"] or client.info("persistence")["aof_buffer_length"]:
        time.sleep(0.05)
    process.kill()  # what its kernel has been given survives the process
    process.wait()

    again = _start(folder / "redis.sock", folder)
    assert redis.Redis.from_url(f"unix://{folder / 'redis.sock'}").lrange("jobs", 0, -1) == [b"one", b"two"]
    again.terminate()
    again.wait(10)


def test_nothing_answers_where_there_is_none(folder: Path) -> None:
    assert not redis_server.answers(f"unix://{folder / 'none.sock'}")


def test_a_server_on_the_path_is_preferred(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "valkey-server").write_text("#!/bin/sh\n")
    (folder / "valkey-server").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))

    assert redis_server.find_binary() == folder / "valkey-server"


def test_the_folder_of_another_user_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 4_242)

    with pytest.raises(redis_server.NoRedis, match="belongs to somebody else"):
        redis_server.command(folder / "redis.sock", folder)
