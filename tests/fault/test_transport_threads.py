"""One transport in many threads: how many connections, who waits, and how all is ended."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ocm_pkg.errors import DigestMismatchError, LocalStorageError, TransportError
from ocm_pkg.store.exchange import Body, Phase
from tests.fakes.rawserver import OK, always, answered, raw_server
from tests.fakes.transports import asking, failing, settings


def test_R41_many_threads_share_few_connections_and_get_their_own_answers():
    def echo(received):
        return answered(received.path.encode() + received.headers["x-thread"].encode())

    with raw_server(always(echo)) as server, asking() as ask, ThreadPoolExecutor(20) as threads:

        def work(number):
            return ask.text(f"{server.url}/{number}", x_thread=f"-{number}")

        assert list(threads.map(work, range(200))) == [f"/{one}-{one}" for one in range(200)]
        assert server.connections <= 8


def test_connections_are_kept_between_exchanges():
    with raw_server(always(answered(b"here"))) as server, asking() as ask:
        for method in ("GET", "PUT", "DELETE"):
            ask(server.url, method).close()
        assert ask.text(server.url) == "here"
    assert server.connections == 1


def test_a_connection_that_was_idle_for_too_long_is_not_used():
    with raw_server(always(answered())) as server, asking(http=settings(idle_timeout=0.05)) as ask:
        ask(server.url).close()
        time.sleep(0.1)
        ask(server.url).close()
    assert server.connections == 2


def test_a_large_answer_that_is_not_wanted_gives_its_connection_up():
    with raw_server(always(answered(bytes(1 << 20)))) as server, asking() as ask:
        ask(server.url).close()
        with ask(server.url) as response:
            assert len(response.stream().read(10)) == 10
    assert server.connections == 2


def test_threads_that_read_one_answer_and_send_it_on_never_wait_for_each_other():
    data = bytes(300_000)
    with (
        raw_server(always(lambda one: answered(data if one.method == "GET" else b""))) as server,
        asking(connections=2) as ask,
        ThreadPoolExecutor(6) as threads,
    ):

        def copy(_number):
            source = ask(server.url)
            body = Body(source.stream, len(data))
            return ask(server.url, "PUT", body=body).status

        assert list(threads.map(copy, range(12))) == [200] * 12


def test_N14_closing_ends_what_other_threads_wait_for():
    started = threading.Event()

    def stalls(peer):
        peer.request()
        peer.send(OK + b"Content-Length: 10\r\n\r\nabc")
        started.set()
        peer.pause()

    errors = []
    with raw_server(stalls) as server, asking(http=settings(timeout=20), connections=1) as ask:

        def work():
            try:
                ask.text(server.url)
            except TransportError as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for one in threads:
            one.start()
        assert started.wait(5)
        time.sleep(0.05)
        before = time.monotonic()
        ask.transport.close()
        for one in threads:
            one.join(5)
        assert time.monotonic() - before < 2
    assert len(errors) == 3


@pytest.mark.parametrize("status", ["413 Content Too Large", "401 Unauthorized"])
def test_an_answer_ahead_of_the_end_of_an_upload_is_heard(status):
    def script(peer):
        peer.request(body=False)
        peer.send(answered(b"too large", status))
        peer.pause()

    with raw_server(script) as server, asking() as ask:
        response = ask(server.url, "PUT", body=bytes(64 << 20))
        assert (response.status, response.read(100)) == (int(status[:3]), b"too large")


def test_an_interim_answer_does_not_end_an_upload():
    def script(peer):
        peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        peer.request()
        peer.send(answered(b"stored"))

    with raw_server(script) as server, asking() as ask:
        assert ask.text(server.url, "PUT", body=bytes(8 << 20)) == "stored"
    assert len(server.requests[0].body) == 8 << 20


@pytest.mark.parametrize("size", [0, 1, 65536, (1 << 20) - 100, (1 << 20) + 1, 3 << 20])
def test_a_body_of_any_size_arrives_as_it_is(size):
    data = bytes(range(256)) * (size // 256 + 1)
    with raw_server(always(answered(b"stored"))) as server, asking() as ask:
        assert ask.text(server.url, "PUT", body=data[:size]) == "stored"
    assert server.requests[0].body == data[:size]
    assert server.requests[0].headers["content-length"] == str(size)


@pytest.mark.parametrize(("length", "says"), [(10, "after 7 of 10"), (5, "longer than 5")])
def test_content_that_changes_while_it_is_sent_is_never_sent_whole(length, says):
    with raw_server(always(answered())) as server, asking() as ask:
        with pytest.raises(DigestMismatchError, match=says):
            ask(server.url, "PUT", body=Body(Body.of(b"content").open, length))
        assert ask(server.url).status == 200
    assert [one.method for one in server.requests] == ["GET"]


def test_content_that_cannot_be_read_is_not_blamed_on_the_network():
    class Broken:
        def readinto(self, _buffer):
            raise OSError(5, "Input/output error")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    with (
        raw_server(always(answered())) as server,
        asking() as ask,
        pytest.raises(LocalStorageError, match="cannot read what is to be sent"),
    ):
        ask(server.url, "PUT", body=Body(Broken, 10))


def test_a_server_that_is_gone_for_a_moment_may_be_asked_again():
    with asking() as ask:
        with raw_server(lambda peer: (peer.request(), peer.send(answered()))) as server:
            ask(server.url).close()
            first = failing(ask, f"http://127.0.0.1:{server.port + 1}/never-was")
        error = failing(ask, server.url)
    assert (error.phase, error.lost) == (Phase.CONNECT, True)
    assert not first.lost
