from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from ocm_pkg.contract.config import PluginConfig
from ocm_pkg.sdk import server as module
from ocm_pkg.sdk.http import Response
from ocm_pkg.sdk.idle import IdleTracker
from ocm_pkg.sdk.log import Log
from ocm_pkg.sdk.main import listen
from ocm_pkg.sdk.server import Server, is_pipe
from tests.fakes.unix_http import PluginConnection, call

HOUR = 3600 * 10**9


def echo(request):
    return Response(200, f"{request.method} {request.path} {len(request.body)}".encode())


@contextmanager
def running(answer=echo, *, kind="socket", idle=HOUR, lifeline=None):
    """Run a server on a thread; give it, its address, and a list that gets why it ended."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, Path(os.devnull).open("wb") as null:
        listener = listen(PluginConfig("p", kind), {"TMPDIR": folder})
        tracker = IdleTracker(idle, time.monotonic_ns)
        server = Server(listener, answer, idle=tracker, log=Log(null.fileno()), lifeline=lifeline)
        ended = []
        thread = threading.Thread(target=lambda: ended.append(server.run()))
        thread.start()
        try:
            yield server, listener.address, ended, thread
        finally:
            server.stop()
            thread.join(20)
            server.close()
            assert not thread.is_alive()
            assert list(Path(folder).iterdir()) == []


@pytest.mark.parametrize("kind", ["socket", "tcp"])
def test_calls_are_answered_on_one_connection_and_on_several(kind):
    with running(kind=kind) as (_, address, ended, _):
        connection = PluginConnection(address)
        assert connection.call("GET", "/a").text == "GET /a 0"
        assert connection.call("POST", "/b", b"xyz").text == "POST /b 3"
        assert connection.call("HEAD", "/c").body == b""
        assert call(address, "GET", "/d").text == "GET /d 0"
        connection.close()
    assert ended == ["stopped"]


def test_several_calls_run_at_once():
    barrier = threading.Barrier(4, timeout=20)

    def answer(request):
        barrier.wait()
        return echo(request)

    with running(answer) as (_, address, _, _):
        texts = []
        threads = [
            threading.Thread(target=lambda: texts.append(call(address, "GET", "/").text))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert texts == ["GET / 0"] * 4


def test_a_bad_request_gets_its_status_and_ends_the_connection():
    with running() as (_, address, _, _):
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(address.path)
            stream.sendall(b"NONSENSE\r\n\r\n")
            data = b""
            while part := stream.recv(1000):
                data += part
        assert data.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"Connection: close" in data
        assert call(address, "GET", "/").status == 200


def test_a_client_that_goes_away_disturbs_nobody():
    with running() as (_, address, _, _):
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(address.path)
            stream.sendall(b"GET / HT")
        assert call(address, "GET", "/").status == 200


def test_shutdown_closes_the_connection_without_an_answer():
    with running() as (_, address, ended, thread):
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(address.path)
            stream.sendall(b"POST /shutdown HTTP/1.1\r\nHost: unix\r\n\r\n")
            assert stream.recv(1000) == b""
        thread.join(20)
        assert ended == ["stopped"]


def test_the_server_ends_when_it_was_idle_for_long_enough():
    with running(idle=10**7) as (_, _, ended, thread):
        thread.join(20)
        assert ended == ["idle"]


def test_M14_the_server_ends_when_its_manager_is_gone():
    reader, writer = os.pipe()
    assert is_pipe(reader)
    with running(lifeline=reader) as (_, address, ended, thread):
        os.write(writer, b"ignored")
        assert call(address, "GET", "/").status == 200
        os.close(writer)
        thread.join(20)
        assert ended == ["the manager has gone"]
    os.close(reader)


def test_only_a_pipe_is_a_lifeline(tmp_path):
    with (tmp_path / "file").open("wb") as file, Path(os.devnull).open("rb") as null:
        assert not is_pipe(file.fileno())
        assert not is_pipe(null.fileno())
    assert not is_pipe(999)


def test_the_end_waits_for_calls_in_progress(monkeypatch):
    monkeypatch.setattr(module, "GRACE_SECONDS", 20)
    started, proceed = threading.Event(), threading.Event()

    def answer(request):
        started.set()
        assert proceed.wait(20)
        return echo(request)

    with running(answer) as (server, address, ended, thread):
        texts = []
        caller = threading.Thread(target=lambda: texts.append(call(address, "GET", "/").text))
        caller.start()
        assert started.wait(20)
        server.stop()
        assert not ended
        proceed.set()
        caller.join()
        thread.join(20)
        assert (texts, ended) == (["GET / 0"], ["stopped"])


def test_a_call_that_does_not_end_holds_the_end_up_for_the_grace_only(monkeypatch):
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.01)
    started, proceed = threading.Event(), threading.Event()

    def answer(request):
        started.set()
        assert proceed.wait(20)
        return echo(request)

    with running(answer) as (server, address, ended, thread):
        caller = threading.Thread(target=call, args=(address, "GET", "/"))
        caller.start()
        assert started.wait(20)
        server.stop()
        thread.join(20)
        assert ended == ["stopped"]
        proceed.set()
        caller.join()


def test_M13_a_call_on_an_open_connection_after_the_end_is_told_that_it_was_not_done():
    calls = []

    def answer(request):
        calls.append(request.path)
        return echo(request)

    with running(answer) as (server, address, _, thread):
        connection = PluginConnection(address)
        assert connection.call("GET", "/first").status == 200
        server.stop()
        thread.join(20)
        late = connection.call("POST", "/late", b"x" * 1000)
        connection.close()
        assert late.status == 503
        assert b"not carried out" in late.body
        assert calls == ["/first"]


def test_M11_requests_that_a_web_page_could_send_are_refused():
    with running(kind="tcp") as (_, address, _, _):
        good = f"127.0.0.1:{address.port}"
        for headers, status in [
            ({"Host": good}, 200),
            ({"Host": "localhost"}, 200),
            ({"Host": "[::1]"}, 200),
            ({"Host": "evil.example"}, 400),
            ({"Host": f"evil.example:{address.port}"}, 400),
            ({"Host": good, "Origin": "https://evil.example"}, 400),
        ]:
            assert call(address, "GET", "/", headers=headers).status == status


def test_M10_another_user_is_not_served(monkeypatch):
    real = os.getuid()
    with running() as (_, address, _, _):
        assert call(address, "GET", "/").status == 200
        if real == 0:
            monkeypatch.setattr(module.struct, "unpack", lambda *_: (1, 12345, 1))
        else:
            monkeypatch.setattr(os, "getuid", lambda: real + 1)
        with pytest.raises((ConnectionError, OSError)):
            call(address, "GET", "/")


def test_more_connections_than_threads_wait_for_their_turn(monkeypatch):
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 1)
    with running() as (_, address, _, _):
        first = PluginConnection(address)
        assert first.call("GET", "/").status == 200
        texts = []
        waiting = threading.Thread(target=lambda: texts.append(call(address, "GET", "/b").text))
        waiting.start()
        assert first.call("GET", "/").status == 200
        assert texts == []
        first.close()
        waiting.join(20)
        assert texts == ["GET /b 0"]


def test_a_connection_that_cannot_be_accepted_is_passed_over(monkeypatch):
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 1)

    class Broken:
        def accept(self):
            raise OSError(24, "Too many open files")

    with running() as (server, address, _, _):
        server._accept(Broken())
        assert call(address, "GET", "/").status == 200


def test_a_lifeline_that_cannot_be_read_is_at_its_end():
    reader, writer = os.pipe()
    assert module._at_end(writer)
    os.close(reader)
    os.close(writer)
