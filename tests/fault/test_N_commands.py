"""Rows N of hardening.md by command: a registry, or what is before it, goes wrong on the way."""

from __future__ import annotations

import gzip
import socket

import pytest

from ocm_pkg.model.digest import digest_of
from ocm_pkg.store.serving import Response
from tests.fakes.arena import NAME
from tests.fakes.rawregistry import CONTENT, World
from tests.fakes.rawserver import OK, answered
from tests.fakes.served import served

MANIFEST = "/manifests/"
BLOB = "/blobs/"


@pytest.fixture
def world(arena):
    return World(arena)


def refused(world, fault, *, where=MANIFEST, tls=None, **expected):
    """Check that reading is refused while ``fault`` answers, and works when it no longer does."""
    with world.registry(fault, where, tls=tls) as server:
        ended = world.arena.refused(*world.get(server), **{"code": 5, **expected})
        if where == MANIFEST:
            world.arena.refused(*world.download(server), **{"code": 5, **expected})
    assert not (world.arena.work / "hello.out").exists()
    return ended


def with_head(good, *lines):
    """Return a good answer with other lines for its length."""
    head, _, body = good.partition(b"\r\n\r\n")
    kept = [one for one in head.split(b"\r\n") if not one.lower().startswith(b"content-length")]
    return b"\r\n".join([*kept, *lines, b"", body])


def test_N_what_is_not_disturbed_is_read(world):
    with world.registry() as server:
        assert NAME in world.arena.accepted(*world.get(server)).out
        world.arena.accepted(*world.download(server))
    assert (world.arena.work / "hello.out").read_text() == CONTENT


@pytest.mark.parametrize("place", [1, len(CONTENT) // 2, len(CONTENT) - 1])
@pytest.mark.parametrize("ending", ["close", "reset"])
def test_N01_a_download_that_is_cut_goes_on(world, place, ending):
    cut = []

    def fault(peer, good):
        head, _, body = good.partition(b"\r\n\r\n")
        cut.append(len(body))
        peer.send(head + b"\r\n\r\n" + body[:place])
        peer.pause(0.02)
        getattr(peer, ending)()

    digest = digest_of(CONTENT.encode()).hex
    with world.registry(fault, digest, times=2) as server:
        world.arena.accepted(*world.download(server))
    assert (world.arena.work / "hello.out").read_text() == CONTENT
    assert cut == [len(CONTENT)] * 2
    parts = [one.headers.get("range") for one in server.requests if digest in one.path]
    assert parts[0] is None
    assert all(one.startswith("bytes=") for one in parts[1:2])
    (world.arena.work / "hello.out").unlink()
    world.arena.accepted("cache", "prune", "--all")
    with world.registry(fault, digest) as server:
        world.arena.refused(*world.download(server), code=5, seconds=3)
    assert sum(digest in one.path for one in server.requests) == 3


@pytest.mark.parametrize("where", [MANIFEST, BLOB])
@pytest.mark.parametrize("part", ["headers", "body", "none"])
def test_N04_a_registry_that_sends_a_byte_at_a_time_is_left(world, where, part):
    def fault(peer, good):
        head, _, body = good.partition(b"\r\n\r\n")
        if part == "none":
            peer.pause()
        elif part == "body":
            peer.send(head + b"\r\n\r\n")
            peer.drip(body, 0.05)
        else:
            peer.drip(head, 0.05)

    world.settings("200ms")
    refused(world, fault, where=where, seconds=3)


def test_N05_a_registry_that_is_not_there_is_told_with_host_and_phase(world):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    reference = f"http://127.0.0.1:{port}/base//{NAME}:1.0.0"
    says = f"cannot reach 127.0.0.1:{port}: connecting failed: connection refused"
    world.arena.refused("get", "cv", reference, code=5, says=says, seconds=5)


def test_N05_a_registry_whose_name_is_not_known_is_told_with_host_and_phase(world):
    reference = f"http://registry.invalid:5000/base//{NAME}:1.0.0"
    says = "cannot reach registry.invalid:5000: looking up its address failed"
    world.arena.refused("get", "cv", reference, code=5, says=says, seconds=10)


def test_N05_a_registry_that_takes_no_connection_is_told_within_the_limit(world):
    world.settings("10s", "tcpDialTimeout: 200ms")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for one in fillers:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            reference = f"{url}/base//{NAME}:1.0.0"
            world.arena.refused(
                *("get", "cv", reference, "--config", world.config),
                code=5,
                says="connecting failed: no answer within 0.2 s",
                seconds=3,
            )
        finally:
            for one in fillers:
                one.close()


def test_N05_a_network_that_does_not_lead_there_is_told_with_host_and_phase(world):
    world.settings("10s", "tcpDialTimeout: 300ms")
    reference = f"http://[2001:db8::1]:5000/base//{NAME}:1.0.0"
    world.arena.refused(
        *("get", "cv", reference, "--config", world.config),
        code=5,
        says="cannot reach [2001:db8::1]:5000: connecting failed",
        seconds=3,
    )


LENGTHS = {
    "too small": [b"Content-Length: 20"],
    "too large": [b"Content-Length: 99999"],
    "two": [b"Content-Length: 20", b"Content-Length: 30"],
    "with chunked": [b"Content-Length: 20", b"Transfer-Encoding: chunked"],
    "negative": [b"Content-Length: -20"],
}


@pytest.mark.parametrize("where", [MANIFEST, BLOB])
@pytest.mark.parametrize("lines", LENGTHS.values(), ids=LENGTHS)
def test_N06_a_length_that_does_not_hold_is_refused(world, lines, where):
    def fault(peer, good):
        peer.send(with_head(good, *lines))
        peer.pause(0.02)

    refused(world, fault, where=where, code={4, 5})


@pytest.mark.parametrize("where", [MANIFEST, BLOB])
def test_N07_a_body_that_is_compressed_on_the_way_is_not_unpacked(world, where):
    def fault(peer, good):
        body = gzip.compress(good.partition(b"\r\n\r\n")[2])
        peer.send(answered(body, "200 OK", "Content-Encoding: gzip"))

    refused(world, fault, where=where, code={4, 5})


def test_N07_a_bomb_as_an_encoding_is_not_unpacked(world):
    bomb = answered(gzip.compress(bytes(64 << 20)), "200 OK", "Content-Encoding: gzip")
    refused(world, lambda peer, _: peer.send(bomb), code={4, 5}, memory=128 << 20)


def test_N07_identity_is_asked_for(world):
    with world.registry() as server:
        world.arena.accepted(*world.download(server))
    assert {one.headers["accept-encoding"] for one in server.requests} == {"identity"}


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("where", [MANIFEST, BLOB])
def test_N09_a_kept_connection_that_the_server_ended_goes_unnoticed(world, ending, where):
    with world.registry(lambda peer, _: getattr(peer, ending)(), where, times=1) as server:
        ended = world.arena.accepted(*world.get(server))
        world.arena.accepted(*world.download(server))
    assert ended.err == ""
    assert (world.arena.work / "hello.out").read_text() == CONTENT


@pytest.mark.parametrize("method", ["HEAD", "POST", "PATCH", "PUT"])
def test_N09_a_kept_connection_that_the_server_ended_is_replaced_in_an_upload(world, method):
    ended = []

    def intercept(request):
        if request.method != method or ended:
            return None
        ended.append(request.target)
        return Response.nothing(reset=True)

    with served(intercept=intercept) as registry:
        done = world.arena.accepted("add", "cv", "-r", registry.url, "--config", world.config)
        assert "is stored" in done.err + done.out
        ended.append("")
        reference = f"{registry.url}//{NAME}:1.0.0"
        world.arena.accepted(
            *("download", "resource", reference, "--identity", "name=hello"),
            *("--output", "hello.out"),
        )
    assert (world.arena.work / "hello.out").read_text() == CONTENT


@pytest.mark.parametrize("where", [MANIFEST, BLOB])
def test_N12_a_web_page_in_place_of_content_points_at_a_proxy(world, where):
    page = answered(b"<html><h1>Log in</h1>", "200 OK", "Content-Type: text/html")
    ended = refused(world, lambda peer, _: peer.send(page), where=where, code={4, 5})
    assert "proxy" in ended.err


@pytest.mark.parametrize("where", [MANIFEST, BLOB])
@pytest.mark.parametrize("ending", ["half_close", "reset", "close"])
def test_N13_a_body_that_is_cut_is_no_body(world, where, ending):
    def fault(peer, good):
        peer.send(good[:-10])
        peer.pause(0.02)
        getattr(peer, ending)()
        if ending == "half_close":
            peer.pause(1)

    refused(world, fault, where=where, seconds=5)


BOMBS = {
    "many headers": (
        b"".join(b"A%d: b\r\n" % number for number in range(10_000)),
        "more than 200 headers",
    ),
    "a header of 10 MiB": (b"A: " + b"b" * (10 << 20) + b"\r\n", "a line longer than 32768 bytes"),
    "invalid bytes": (b"A: \xff\x00\x1b[31m\r\n", "control characters in its header A"),
    "a folded header": (b"A: b\r\n c\r\n", "a folded header"),
}


@pytest.mark.parametrize(("headers", "says"), BOMBS.values(), ids=BOMBS)
def test_N15_heads_that_break_the_form_or_a_bound_are_refused(world, headers, says):
    def fault(peer, good):
        peer.send(OK + headers + good[len(OK) :])

    refused(world, fault, says=f"the answer has {says}", seconds=2)
