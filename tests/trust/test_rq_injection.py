"""Who can write to Redis can make runs move sooner, and nothing else: no function, callback or address is called."""

from __future__ import annotations

import json
import pickle
import signal
import socketserver
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from rq.serializers import JSONSerializer

from runs import queue

DRIVER = f"{__name__}.noted"
driven: list[int] = []


def noted(run_id: int) -> None:
    """Stands for the driver, which has tests of its own."""
    driven.append(run_id)


class Worker:
    """A worker over a real Redis, to which raw hashes are written as an intruder would."""

    def __init__(self, url: str):
        self.redis = redis.Redis.from_url(url)

    def plant(self, **fields: bytes | str) -> None:
        job = uuid.uuid4().hex
        well_formed = {
            "status": "queued", "origin": queue.QUEUE, "data": data(DRIVER, None, [1], {}), "timeout": "60",
            "result_ttl": "60", "created_at": "2026-03-04T12:00:00.000000Z",
        }  # fmt: skip
        self.redis.hset(f"rq:job:{job}", mapping={**well_formed, **fields})
        self.redis.sadd("rq:queues", f"rq:queue:{queue.QUEUE}")
        self.redis.rpush(f"rq:queue:{queue.QUEUE}", job)

    def work(self) -> None:
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        found = queue._queue()
        queue.RunWorker([found], connection=found.connection, serializer=JSONSerializer).work(burst=True)
        queue.slots().drain(10)
        for number, handler in before.items():
            signal.signal(number, handler)


def data(function: str, instance: Any, args: list[Any], kwargs: dict[str, Any]) -> bytes:
    return JSONSerializer.dumps([function, instance, args, kwargs])


class Boom:
    """Unpickled, it runs a command."""

    def __init__(self, command: str):
        self._command = command

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return eval, (f"__import__('os').system({self._command!r})",)


@pytest.fixture
def worker(redis_url: str, settings: Any) -> Iterator[Worker]:
    settings.OPSPILOT_DRIVER = DRIVER
    one = Worker(redis_url)
    one.redis.flushall()
    driven.clear()
    yield one
    one.redis.flushall()


@pytest.fixture
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """A port that writes down what connects to it."""
    heard: list[bytes] = []

    class Hear(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            heard.append(self.request.recv(1_000))

    with socketserver.TCPServer(("127.0.0.1", 0), Hear) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", heard
        server.shutdown()


def test_a_job_for_the_driver_drives(worker: Worker) -> None:
    worker.plant(data=data(DRIVER, None, [7], {}))
    worker.work()
    assert driven == [7]


def test_another_function_is_not_called(worker: Worker, tmp_path: Path) -> None:
    worker.plant(data=data("os.system", None, [f"touch {tmp_path / 'mark'}"], {}))
    worker.plant(data=data("agent.jobs.drive_alone", None, [1], {}))
    _work_and_survive(worker)
    assert not (tmp_path / "mark").exists()


def test_a_pickle_is_not_opened(worker: Worker, tmp_path: Path) -> None:
    boom = pickle.dumps(Boom(f"touch {tmp_path / 'mark'}"))
    worker.plant(data=boom)
    worker.plant(meta=boom)
    worker.plant(result=boom)
    worker.work()
    _work_and_survive(worker)
    assert not (tmp_path / "mark").exists()


def test_a_method_of_an_instance_is_not_called(worker: Worker, tmp_path: Path) -> None:
    worker.plant(data=data("system", "os", [f"touch {tmp_path / 'mark'}"], {}))
    worker.plant(data=data("__reduce__", {"py/object": "os"}, [], {}))
    _work_and_survive(worker)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("when", ["success", "failure", "stopped"])
def test_a_callback_is_not_called(worker: Worker, tmp_path: Path, when: str) -> None:
    """To look a callback up is to import its module, which leaves a mark here."""
    module = tmp_path / f"intruder_{when}.py"
    module.write_text(f"from pathlib import Path\nPath({str(tmp_path / 'mark')!r}).touch()\ndef call(*a): pass\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        failing = data(DRIVER, None, [1, 2, 3], {})
        for body in (data(DRIVER, None, [1], {}), failing):
            worker.plant(
                **{f"{when}_callback_name": f"intruder_{when}.call", f"{when}_callback_timeout": "60", "data": body}
            )
        _work_and_survive(worker)
    assert not (tmp_path / "mark").exists()


def test_no_address_is_called(worker: Worker, listener: tuple[str, list[bytes]]) -> None:
    url, heard = listener
    for body in (data(DRIVER, None, [1], {}), data(DRIVER, None, [1, 2, 3], {})):
        hooks = [{"url": url, "job_status": status} for status in ("finished", "failed")]
        worker.plant(data=body, webhooks=json.dumps(hooks))
    _work_and_survive(worker)
    assert heard == []


def test_a_huge_job_is_only_a_failed_job(worker: Worker) -> None:
    worker.plant(data=data(DRIVER, None, ["x" * 20_000_000, "y"], {}))
    _work_and_survive(worker)


def _work_and_survive(worker: Worker) -> None:
    """Whatever was planted, a good job that comes after it is done."""
    worker.work()
    worker.plant(data=data(DRIVER, None, [99], {}))
    worker.work()
    assert driven[-1:] == [99]
