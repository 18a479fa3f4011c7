"""The HTTP client of sources and trackers against real sockets: limits of time, size and number, faults in words."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tools.web.access import Access
from tools.web.addresses import read_place
from tools.web.client import Client, NotAnswered


@pytest.fixture(autouse=True)
def own_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports are used again, and a service that asked for silence must not silence the next test's."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def _client(server: HTTPServer, **more: Any) -> Client:
    return Client("shop (Loki)", read_place(server.url_for("").rstrip("/")), private=True, **more)


def _refusal(client: Client, path: str = "/x") -> str:
    with pytest.raises(NotAnswered) as raised:
        client.get(path)
    return str(raised.value)


def test_an_answer_is_its_json(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x", query_string={"q": "a b"}).respond_with_json({"ok": 1})

    assert _client(httpserver).get("/x", {"q": "a b"}) == {"ok": 1}


def test_the_host_header_is_the_name_and_the_connection_goes_to_the_address_that_was_judged(
    httpserver: HTTPServer,
) -> None:
    asked: list[str] = []

    def resolver(host: str, port: int, **more: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1" if len(asked) == 1 else "10.0.0.1", port))]

    seen: list[str] = []

    def answer(request: Request) -> Response:
        seen.append(request.host)
        return Response("{}")

    httpserver.expect_request("/x").respond_with_handler(answer)
    place = read_place(f"http://logs.example.org:{httpserver.port}")
    client = Client("logs", place, private=True, resolver=resolver)
    client.get("/x")
    client.get("/x")

    assert seen == [f"logs.example.org:{httpserver.port}"] * 2
    assert asked == ["logs.example.org"]


@pytest.mark.parametrize(
    ("access", "header"),
    [
        ({"token_file": "t"}, "Bearer s3cret"),
        ({"api_key_file": "t"}, "ApiKey s3cret"),
        ({"user": "ops", "password_file": "t"}, "Basic b3BzOnMzY3JldA=="),
    ],
)
def test_secrets_come_from_files(httpserver: HTTPServer, tmp_path: Path, access: dict[str, str], header: str) -> None:
    (tmp_path / "t").write_text("s3cret\n")
    given = {name: str(tmp_path / value) if value == "t" else value for name, value in access.items()}
    httpserver.expect_request("/x", headers={"Authorization": header}).respond_with_json({})

    assert _client(httpserver, access=Access(**given)).get("/x") == {}


def test_a_missing_secret_is_named_and_nothing_is_sent(httpserver: HTTPServer) -> None:
    words = _refusal(_client(httpserver, access=Access(token_file="/nowhere/token")))

    assert words == "shop (Loki) was not asked: /nowhere/token: No such file or directory"
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "answered 401: it refuses us: no token_file, api_key_file or user is set: no such org"),
        (404, "has no /x (404): no such org. Is the URL that of the service, with its path prefix?"),
        (500, "answered 500, a fault of its own: no such org"),
        (400, "refused the request (400): no such org"),
    ],
)
def test_each_status_is_a_sentence(httpserver: HTTPServer, status: int, words: str) -> None:
    httpserver.expect_request("/x").respond_with_json({"error": "no such org"}, status=status)

    assert words in _refusal(_client(httpserver))


def test_a_redirect_is_not_followed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("", 302, {"Location": httpserver.url_for("/y")})
    httpserver.expect_request("/y").respond_with_json({})

    assert "is not followed" in _refusal(_client(httpserver))
    assert [request.path for request, _ in httpserver.log] == ["/x"]


def test_after_429_nobody_asks_again_until_the_time_is_over(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("slow down", 429, {"Retry-After": "60"})

    assert "nothing more is asked for 60 s" in _refusal(_client(httpserver))
    assert "it asked for silence (429)" in _refusal(_client(httpserver))
    assert len(httpserver.log) == 1


def test_an_answer_without_end_is_cut_off(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data(b"[" + b"1," * 100_000)

    assert "sent more than 1000 bytes; the rest was not read" in _refusal(_client(httpserver, max_bytes=1_000))


def test_a_compressed_answer_is_refused_unread(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data(b"\x1f\x8b", headers={"Content-Encoding": "gzip"})

    assert "answered compressed (gzip)" in _refusal(_client(httpserver))


def test_what_is_not_json_is_said(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("<html>Log in</html>", content_type="text/html")

    assert "19 bytes that are not JSON (text/html" in _refusal(_client(httpserver))


@pytest.fixture
def dripping() -> Iterator[int]:
    """The port of a server that sends one byte now and then, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while not ended.wait(0.05):
                    connection.sendall(b" ")
        except OSError:
            pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    ended.set()
    listener.close()


def test_a_drip_ends_at_the_deadline(dripping: int) -> None:
    client = Client("logs", read_place(f"http://127.0.0.1:{dripping}"), private=True, deadline_s=0.4)

    assert "did not answer within 0.4 s (/x)" in _refusal(client)


def test_nobody_there_is_said() -> None:
    assert "cannot be reached" in _refusal(Client("logs", read_place("http://127.0.0.1:1"), private=True))


def test_two_questions_at_once_and_no_third() -> None:
    under_way: list[int] = []
    most: list[int] = []
    lock = threading.Lock()

    def answer(request: Request) -> Response:
        with lock:
            under_way.append(1)
            most.append(len(under_way))
        time.sleep(0.2)
        with lock:
            under_way.pop()
        return Response("{}")

    with HTTPServer(threaded=True) as server:
        server.expect_request("/x").respond_with_handler(answer)
        threads = [threading.Thread(target=_client(server).get, args=("/x",)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(most) == 6
    assert max(most) == 2


def test_a_killed_process_gives_its_turn_back(httpserver: HTTPServer, tmp_path: Path) -> None:
    """The locks are the kernel's: what holds them is the open file, which dies with its process."""
    httpserver.expect_request("/x").respond_with_json({})
    _client(httpserver).get("/x")

    assert sorted(path.suffix for path in (next(tmp_path.glob("opspilot-turns-*"))).iterdir()) == [".0"]
    assert _client(httpserver).get("/x") == {}
