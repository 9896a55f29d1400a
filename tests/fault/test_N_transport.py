"""Rows N04, N05, N09, N12 and N13 at the level of single exchanges: faults of the network."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from ocm_pkg.store.dialling import system_resolve
from ocm_pkg.store.exchange import Body, ExchangeError, Phase
from tests.fakes.rawserver import OK, always, answered, once, raw_server, silent
from tests.fakes.transports import asking, failing, settings


def read_all(stream):
    count = 0
    while data := stream.read(65536):
        count += len(data)
    return count


def test_N04_one_byte_at_a_time_in_the_headers_ends_at_the_limit():
    def script(peer):
        peer.request()
        peer.drip(OK + b"A: b\r\n" * 500, 0.02)

    with raw_server(script) as server, asking(http=settings(timeout=0.3)) as ask:
        error = failing(ask, server.url)
    assert (error.phase, error.timed_out) == (Phase.HEADERS, True)
    assert 0.2 < error.seconds < 2
    assert "took too long" in error.message


@pytest.mark.parametrize("framing", ["Content-Length: 10000", "Transfer-Encoding: chunked", "A: b"])
def test_N04_one_byte_at_a_time_in_the_body_ends_at_the_limit(framing):
    def script(peer):
        peer.request()
        peer.send(OK + framing.encode() + b"\r\n\r\n")
        peer.drip(b"1\r\nx\r\n" * 1000, 0.02)

    with raw_server(script) as server, asking(http=settings(timeout=0.3)) as ask:
        stream = ask(server.url).stream()
        started = time.monotonic()
        with pytest.raises(ExchangeError, match="less than 1024 bytes a second") as caught:
            read_all(stream)
        assert time.monotonic() - started < 2
        document = failing(ask, server.url)
    assert caught.value.phase is Phase.BODY
    assert document.seconds < 2


def test_N04_no_answer_and_no_body_end_at_the_limit():
    def stalled(peer):
        peer.request()
        peer.send(OK + b"Content-Length: 5\r\n\r\n")
        peer.pause()

    with raw_server(silent, stalled) as server, asking(http=settings(timeout=0.3)) as ask:
        first, second = failing(ask, server.url), failing(ask, server.url)
    assert first.phase is Phase.HEADERS
    assert second.phase is Phase.BODY
    assert max(first.seconds, second.seconds) < 2


def test_N04_a_server_that_stops_reading_ends_the_upload_at_the_limit():
    with raw_server(lambda peer: peer.pause()) as server, asking(http=settings(timeout=0.3)) as ask:
        error = failing(ask, server.url, "PUT", body=bytes(32 << 20))
    assert (error.phase, error.timed_out) == (Phase.SEND, True)
    assert error.seconds < 3


def test_N04_a_slow_transfer_that_moves_may_take_longer_than_the_limit():
    def script(peer):
        peer.request()
        peer.send(OK + b"Content-Length: 100000\r\n\r\n")
        for _ in range(20):
            peer.send(b"x" * 5000)
            peer.pause(0.03)

    with raw_server(script) as server, asking(http=settings(timeout=0.4)) as ask:
        stream = ask(server.url).stream()
        started = time.monotonic()
        assert read_all(stream) == 100_000
        assert time.monotonic() - started > 0.5


def test_N04_the_time_its_user_takes_is_not_the_servers():
    answer = always(answered(b"x" * 1000))
    with raw_server(answer) as server, asking(http=settings(timeout=0.2)) as ask:
        stream = ask(server.url).stream()
        assert stream.read(10)
        time.sleep(0.3)
        assert len(stream.read(2000)) == 990


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_N05_a_refused_connection_names_host_and_phase():
    port = _free_port()
    with asking() as ask:
        error = failing(ask, f"http://127.0.0.1:{port}/v2/")
    assert error.message == (
        f"cannot reach 127.0.0.1:{port}: connecting failed: connection refused"
    )
    assert error.phase is Phase.CONNECT
    assert error.hint


def test_N05_an_IPv6_address_is_named_in_brackets():
    with asking() as ask:
        error = failing(ask, "http://[::1]:1/v2/")
    assert error.message.startswith("cannot reach [::1]:1: connecting failed: ")


def test_N05_an_address_that_never_answers_ends_at_the_limit():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    port = listener.getsockname()[1]
    fillers = []
    for _ in range(4):  # a full queue: what comes now gets no answer at all
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))
        fillers.append(filler)
    try:
        with asking(http=settings(dial_timeout=0.3)) as ask:
            error = failing(ask, f"http://127.0.0.1:{port}/")
    finally:
        for one in (*fillers, listener):
            one.close()
    assert (error.phase, error.timed_out) == (Phase.CONNECT, True)
    assert "no answer within 0.3 s" in error.message
    assert error.seconds < 2


def test_N05_a_name_that_is_not_known_and_one_that_is_never_answered():
    def unknown(_host, _port):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    stop = threading.Event()
    with asking(resolve=unknown) as ask:
        first = failing(ask, "http://registry.example.com:5000/v2/")
    with asking(resolve=lambda *_: stop.wait(20) and [], http=settings(dial_timeout=0.2)) as ask:
        second = failing(ask, "http://registry.example.com:5000/v2/")
    stop.set()
    assert first.message == (
        "cannot reach registry.example.com:5000: looking up its address failed: "
        "Name or service not known"
    )
    assert (second.phase, second.timed_out) == (Phase.LOOK_UP, True)
    assert second.seconds < 2


def test_N05_an_address_family_without_a_network_is_passed_over():
    unreachable = (socket.AF_INET6, ("2001:db8::1", 9, 0, 0))
    port = _free_port()
    refusing = (socket.AF_INET, ("127.0.0.1", port))
    short = settings(dial_timeout=0.5)
    with asking(resolve=lambda *_: [unreachable, refusing], http=short) as ask:
        error = failing(ask, f"http://registry.example.com:{port}/")
    assert "connection refused" in error.message
    with raw_server(always(answered(b"here"))) as server:
        working = (socket.AF_INET, ("127.0.0.1", server.port))
        with asking(resolve=lambda *_: [unreachable, working]) as ask:
            assert ask.text(f"http://registry.example.com:{server.port}/") == "here"


@pytest.mark.parametrize(
    "address", [(12345, ("127.0.0.1", 9)), (socket.AF_INET, ("255.255.255.255", 9))]
)
def test_N05_an_address_that_fails_at_once_is_passed_over(address):
    with raw_server(always(answered(b"here"))) as server:
        working = (socket.AF_INET, ("127.0.0.1", server.port))
        with asking(resolve=lambda *_: [address, working]) as ask:
            assert ask.text("http://registry.example.com/") == "here"
    with asking(resolve=lambda *_: [address]) as ask:
        error = failing(ask, "http://registry.example.com/")
    assert error.phase is Phase.CONNECT
    assert error.message.startswith("cannot reach registry.example.com:80: connecting failed: ")


def test_N05_a_dead_first_address_costs_a_quarter_of_a_second():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))  # not listening on Linux would refuse: fill its queue
    listener.listen(0)
    dead = (socket.AF_INET, listener.getsockname())
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(dead[1])
    try:
        with raw_server(always(answered(b"here"))) as server:
            alive = (socket.AF_INET, ("127.0.0.1", server.port))
            with asking(resolve=lambda *_: [dead, alive]) as ask:
                started = time.monotonic()
                assert ask.text("http://registry.example.com/") == "here"
                assert time.monotonic() - started < 1.5
    finally:
        for one in (*fillers, listener):
            one.close()


def test_N05_the_systems_own_look_up_works_for_localhost():
    with raw_server(always(answered(b"here"))) as server, asking(resolve=system_resolve) as ask:
        assert ask.text(f"http://localhost:{server.port}/") == "here"


def test_N05_an_address_of_version_6_works():
    try:
        with raw_server(always(answered(b"here")), host="::1") as server, asking() as ask:
            assert ask.text(f"{server.url}/v2/") == "here"
            assert server.requests[0].headers["host"] == server.address
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")


def test_N09_a_connection_that_ended_meanwhile_is_not_used():
    with raw_server(once(answered(b"one")), always(answered(b"two"))) as server, asking() as ask:
        assert ask.text(server.url) == "one"
        time.sleep(0.05)
        assert ask.text(server.url, "PUT", body=b"content") == "two"
    assert [one.body for one in server.requests] == [b"", b"content"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize("ending", ["close", "reset"])
def test_N09_a_connection_that_ends_as_it_is_used_again_is_replaced_once(method, ending):
    def stale(peer):
        peer.request()
        peer.send(answered(b""))
        peer.sock.recv(1)
        getattr(peer, ending)()

    opened = []

    def body():
        opened.append(1)
        return Body.of(b"content").open()

    sent = Body(body, 7) if method in {"PUT", "POST"} else None
    with raw_server(stale, always(answered(b""))) as server, asking() as ask:
        ask(server.url).read(10)
        assert ask(server.url, method, body=sent).read(10) == b""
    assert len(opened) == (2 if sent else 0)
    assert server.requests[-1].body == (b"content" if sent else b"")
    assert server.connections == 2


def test_N09_a_new_connection_that_ends_is_not_replaced():
    with raw_server(lambda peer: (peer.request(), peer.close())) as server, asking() as ask:
        error = failing(ask, server.url)
    assert "closed without an answer" in error.message
    assert error.lost
    assert server.connections == 1


def test_N09_a_large_upload_is_not_silently_sent_again():
    def stale(peer):
        peer.request()
        peer.send(answered(b""))
        peer.request(body=False)
        peer.reset()

    with raw_server(stale, always(answered(b""))) as server, asking() as ask:
        ask(server.url).read(10)
        error = failing(ask, server.url, "PATCH", body=b"x" * 1000)
    assert error.lost
    assert server.connections == 1


def test_N12_a_web_page_in_place_of_an_answer_points_at_a_proxy():
    page = answered(b"<html>Please log in", "200 OK", "Content-Type: text/html; charset=utf-8")
    with raw_server(always(page)) as server, asking() as ask:
        response = ask(server.url)
        assert "proxy" in response.page_hint
        assert response.read(100)
    json = answered(b"{}", "200 OK", "Content-Type: application/json")
    with raw_server(always(json)) as server, asking() as ask:
        assert ask(server.url).page_hint is None


def test_N13_a_half_closed_connection_is_a_truncation():
    def script(peer):
        peer.request()
        peer.send(OK + b"Content-Length: 10\r\n\r\nabc")
        peer.half_close()
        peer.pause()

    with raw_server(script) as server, asking() as ask:
        error = failing(ask, server.url)
    assert "ended after 3 of 10 bytes" in error.message
    assert error.lost


def test_N13_a_reset_in_the_body_is_a_truncation():
    def script(peer):
        peer.request()
        peer.send(OK + b"Content-Length: 10\r\n\r\nabc")
        peer.pause(0.05)
        peer.reset()

    with raw_server(script) as server, asking() as ask:
        error = failing(ask, server.url)
    assert error.phase is Phase.BODY
    assert error.lost
