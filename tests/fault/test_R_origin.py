"""Credentials stay with the registry that they are for, wherever it leads by command."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from ocm_pkg.fs.blob import read_all
from ocm_pkg.model.digest import Digest
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.serving import Response
from tests.fakes.arena import NAME
from tests.fakes.auth_room import REF, AuthRoom
from tests.fakes.certificates import Authority
from tests.fakes.guarded import LOGIN
from tests.fakes.rawserver import always, answered, raw_server

_REPOSITORY = f"component-descriptors/{NAME}"


@pytest.fixture
def room(arena, monkeypatch) -> AuthRoom:
    return AuthRoom(arena, monkeypatch)


def to(location, status: int = 307):
    """Return a fault: blobs are elsewhere; ``location`` may be a function of the path."""

    def intercept(request):
        if request.method != "GET" or "/blobs/" not in request.path:
            return None
        target = location(request.path) if callable(location) else location
        return Response(status, {"Location": target})

    return intercept


def uploads_to(location: str):
    """Return a fault: no blob is there, and each goes to ``location``."""

    def intercept(request):
        if request.method == "POST":
            return Response(202, {"Location": location})
        return Response(404) if request.method == "HEAD" else None

    return intercept


@contextmanager
def elsewhere(answer):
    """Run a second server; ``answer`` makes its answers."""
    with raw_server(always(answer)) as server:
        yield server


def content(store, path: str) -> bytes:
    digest = Digest.parse(path.rpartition("/")[2].partition("?")[0])
    found = store.exists(_REPOSITORY, digest) or OCIDescriptor("x", digest, 0)
    return read_all(store.fetch(_REPOSITORY, found), 2**20, "content")


def test_R19_a_redirect_to_another_host_is_followed_without_the_login(room) -> None:
    stores = []

    def answer(received):
        return answered(content(stores[0], received.path))

    with elsewhere(answer) as cdn:
        fault = to(lambda path: f"{cdn.url}/signed/{path.rpartition('/')[2]}?sig=x")
        with room.registry(intercept=fault) as world:
            stores.append(world.registry.store)
            room.get(world)
        assert cdn.requests
        assert not any("authorization" in one.headers for one in cdn.requests)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_R19_the_realm_of_another_host_gets_no_login(room, status) -> None:
    with elsewhere(answered(b'{"token": "x"}')) as evil:
        challenge = f'WWW-Authenticate: Bearer realm="{evil.url}/token"'
        refusal = answered(b"", "401 Unauthorized", challenge, "WWW-Authenticate: Basic")
        with (
            elsewhere(refusal) as cdn,
            room.registry(intercept=to(f"{cdn.url}/x", status)) as world,
        ):
            ended = room.refused(world, says="its credentials are not sent to others")
        assert ended.error == "E501"
        assert [one.headers.get("authorization") for one in cdn.requests] == [None]
        assert evil.requests == []


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/plain,x", "http://u:p@127.0.0.1/"],
)
def test_R21_a_redirect_to_what_is_no_registry_is_refused(room, location) -> None:
    with room.registry(intercept=to(location)) as world:
        assert room.refused(world, says="nothing is sent").error == "E502"


def test_R21_a_loop_of_redirects_ends(room) -> None:
    with room.registry(intercept=to(lambda path: path)) as world:
        room.refused(world, says="redirected more than 5 times")
        blobs = [one for one in world.registry.requests if "/blobs/" in one[1]]
        assert len(blobs) == 6


def test_R17_an_upload_that_goes_to_another_host_gets_no_login(room) -> None:
    with elsewhere(answered(b"", "201 Created")) as cdn:
        fault = uploads_to(f"{cdn.url}/upload?state=x")
        with room.registry(intercept=fault) as world:
            room.arena.run("transfer", "cv", f"ctf//{REF}", f"{world.url}/new")
        assert cdn.requests
        assert not any("authorization" in one.headers for one in cdn.requests)


@pytest.mark.parametrize("location", ["http://u:p@127.0.0.1:1/x", "ftp://127.0.0.1/x"])
def test_R17_an_upload_to_what_is_no_registry_is_refused(room, location) -> None:
    with room.registry(intercept=uploads_to(location)) as world:
        command = ["transfer", "cv", f"ctf//{REF}", f"{world.url}/new"]
        assert room.arena.refused(*command, code=5, says="nothing is sent").error == "E502"


class Secure:
    """A registry with TLS that the commands trust."""

    def __init__(self, room: AuthRoom) -> None:
        authority = Authority(room.arena.base.parent / f"{room.arena.base.name}-ca")
        pair = authority.issue("127.0.0.1")
        self.tls = (pair.certificate, pair.key)
        room.monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))


def test_R20_a_realm_without_tls_gets_no_login_of_a_registry_with_tls(room) -> None:
    secure = Secure(room)
    with room.registry(tls=secure.tls) as world:
        assert world.url.startswith("https://")
        assert room.refused(world, says="it is not https").error == "E501"
        assert world.guard.logins == []
        room.configure(hosts={world.server.address: {}})
        room.get(world)
        assert world.guard.logins == [f"Basic {LOGIN}"]


@pytest.mark.parametrize("what", ["/blobs/", "/manifests/"])
def test_R19_a_redirect_from_tls_down_to_http_is_refused(room, what) -> None:
    secure = Secure(room)
    with elsewhere(answered(b"{}")) as cdn:

        def intercept(request):
            if what in request.path and request.method == "GET":
                return Response(307, {"Location": f"{cdn.url}/x"})
            return None

        with room.registry(tls=secure.tls, scheme="basic", intercept=intercept) as world:
            room.refused(world, says="from https to http")
        assert cdn.requests == []


def test_R17_an_upload_from_tls_down_to_http_is_refused(room) -> None:
    secure = Secure(room)

    fault = uploads_to("http://127.0.0.1:1/x")
    with room.registry(tls=secure.tls, scheme="basic", intercept=fault) as world:
        command = ["transfer", "cv", f"ctf//{REF}", f"{world.url}/new"]
        room.arena.refused(*command, code=5, says="from https to http")
