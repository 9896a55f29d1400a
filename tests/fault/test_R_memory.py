"""Rows R02 and R07 by command: what has no end is read to a limit, in little memory."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from tests.fakes.arena import MIB, NAME
from tests.fakes.rawregistry import CONTENT, World
from tests.fakes.rawserver import OK, answered, raw_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.arena import Arena
    from tests.fakes.rawserver import Peer, RawServer

LIMIT = 128 * MIB
SENT = 300 * MIB
"""What a server sends at most of what has no end: more than a process may have."""


@pytest.fixture
def world(arena: Arena) -> World:
    return World(arena)


def endless(peer: Peer, status: str = "200 OK", kind: str = "application/json") -> int:
    """Send an answer in chunks until the client has had enough; return how much it took."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b'"1.0.0",' * 8192
    peer.send(head.encode() + b"1\r\n[\r\n")
    sent = 0
    while sent < SENT:
        try:
            peer.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        except OSError:
            break
        sent += len(piece)
    return sent


def fault(taken: list[int], *how: str) -> Callable[[Peer, bytes], None]:
    def send(peer: Peer, _good: bytes) -> None:
        taken.append(endless(peer, *how))

    return send


@pytest.mark.parametrize(
    ("where", "how"),
    [
        ("/manifests/", ("200 OK", media.OCI_MANIFEST)),
        ("/manifests/", ("400 Bad Request",)),
        ("/manifests/", ("404 Not Found", "text/html")),
        ("/blobs/", ("200 OK", "application/octet-stream")),
        ("/blobs/", ("403 Forbidden", "text/plain")),
        (digest_of(CONTENT.encode()).hex, ("200 OK", "application/octet-stream")),
    ],
)
def test_R02_R07_an_answer_without_end_is_read_to_the_limit(
    world: World, where: str, how: tuple[str, ...]
) -> None:
    taken: list[int] = []
    with world.registry(fault(taken, *how), where) as server:
        code = {3, 4, 5}
        world.arena.refused(*world.download(server), code=code, memory=LIMIT)
    assert not (world.arena.work / "hello.out").exists()
    assert taken
    assert max(taken) < 32 * MIB


def test_R07_a_manifest_of_100_MiB_that_is_really_sent_is_refused(world: World) -> None:
    size = 100 * MIB

    def large(peer: Peer, _good: bytes) -> None:
        head = f"Content-Type: {media.OCI_MANIFEST}\r\nContent-Length: {size}\r\n\r\n"
        peer.send(OK + head.encode())
        for _ in range(100):
            peer.send(b" " * MIB)

    with world.registry(large) as server:
        world.arena.refused(*world.get(server), code=5, says="longer than", memory=LIMIT)


def test_R07_a_list_of_tags_without_end_is_refused(world: World) -> None:
    taken: list[int] = []

    def script(peer: Peer) -> None:
        peer.request()
        taken.append(endless(peer))

    with raw_server(script) as server:
        command = ("get", "cv", f"{server.url}/base//{NAME}")
        world.arena.refused(*command, code=5, says="longer than", memory=LIMIT)
    assert max(taken) < 32 * MIB


@contextmanager
def wanting_tokens(token: Callable[[Peer], object]) -> Iterator[RawServer]:
    """Run a registry that wants a token for everything, and the realm that gives it."""

    def script(peer: Peer) -> None:
        while True:
            received = peer.request()
            if received.path.startswith("/token"):
                token(peer)
                return
            realm = f'WWW-Authenticate: Bearer realm="{server.url}/token"'
            peer.send(answered(b"", "401 Unauthorized", realm))

    with raw_server(script) as server:
        yield server


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "500 Internal Server Error"])
def test_R07_a_token_without_end_is_refused(world: World, status: str) -> None:
    taken: list[int] = []
    with wanting_tokens(lambda peer: taken.append(endless(peer, status))) as server:
        world.arena.refused(*world.get(server), code=5, memory=LIMIT)
    assert max(taken) < 32 * MIB


def test_R07_twin_a_token_of_half_a_MiB_is_sent(world: World) -> None:
    token = json.dumps({"token": "t" * 1000, "more": "x" * (MIB // 2)}).encode()
    with wanting_tokens(lambda peer: peer.send(answered(token))) as server:
        ended = world.arena.refused(*world.get(server), code=5)
    assert ended.error == "E501"
    assert server.requests[-1].headers["authorization"] == "Bearer " + "t" * 1000
