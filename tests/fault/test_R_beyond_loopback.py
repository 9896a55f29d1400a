"""Rows R20 and R38 by command for a registry that is not of this machine: a proxy leads to it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.store.ctf import CTFStore
from tests.fakes.auth_room import REF, AuthRoom
from tests.fakes.certificates import Authority
from tests.fakes.guarded import HIDDEN, LOGIN, guarded
from tests.fakes.rawserver import always, answered, raw_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.arena import Arena
    from tests.fakes.rawserver import Peer

HOST = "registry.example.com"
PROXY_PASSWORD = "proxy-pass-of-the-test"  # noqa: S105 - a secret of the test
TALKATIVE = ("-v", "--loglevel", "debug")


@pytest.fixture
def room(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> AuthRoom:
    found = AuthRoom(arena, monkeypatch)
    found.docker_has(HOST)
    arena.secrets.append(PROXY_PASSWORD)
    for name in ("NO_PROXY", "no_proxy", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    return found


@pytest.mark.parametrize(
    ("realm", "says"),
    [
        ("http://127.0.0.1:{}/token", "it is this machine"),
        ("http://localhost:{}/token", "it is this machine"),
        ("http://x.localhost:{}/token", "it is this machine"),
        ("http://ip6-localhost:{}/token", "it is this machine"),
        ("http://localhost.localdomain:{}/token", "it is this machine"),
        ("http://127.1:{}/token", "it is this machine"),
        ("http://0x7f000001:{}/token", "it is this machine"),
        ("http://[::1]:{}/token", "it is this machine"),
        ("http://[::ffff:127.0.0.1]:{}/token", "it is this machine"),
        ("http://0.0.0.0:{}/token", "it is this machine"),
        ("http://169.254.169.254/token", "its address is link-local"),
        ("http://[fe80::1%25eth0]/token", "nothing is sent"),
        ("http://[fd00:ec2::254]/token", "its address is link-local"),
    ],
)
def test_R20_a_realm_of_this_machine_gets_no_login_of_a_registry_elsewhere(
    room: AuthRoom, realm: str, says: str
) -> None:
    with raw_server(always(answered(b'{"token": "x"}'))) as here:
        where = realm.format(here.port)
        wanted = answered(b"", "401 Unauthorized", f'WWW-Authenticate: Bearer realm="{where}"')
        with raw_server(always(wanted)) as proxy:
            room.monkeypatch.setenv("HTTP_PROXY", proxy.url)
            command = ("get", "cv", f"http://{HOST}//{REF}", *TALKATIVE)
            ended = room.arena.refused(*command, code=5, says=says, seconds=2)
            assert ended.error in {"E501", "E502"}
            assert len(proxy.requests) == 1
        assert here.connections == 0


def test_R20_twin_a_realm_of_this_machine_that_the_user_knows_gets_the_login(
    room: AuthRoom,
) -> None:
    def token(_received: object) -> bytes:
        return answered(json.dumps({"token": "token-0-of-the-test"}).encode())

    with raw_server(always(token)) as here:
        where = f"{here.url}/token"
        wanted = answered(b"", "401 Unauthorized", f'WWW-Authenticate: Bearer realm="{where}"')
        with raw_server(always(wanted)) as proxy:
            room.configure(hosts={here.address: {}})
            room.monkeypatch.setenv("HTTP_PROXY", proxy.url)
            # What is refused then is to show the token to the proxy.
            command = ("get", "cv", f"http://{HOST}//{REF}")
            room.arena.refused(*command, code=5, says="shown to the proxy", seconds=2)
            assert not any("authorization" in one.headers for one in proxy.requests)
        assert [one.headers["authorization"] for one in here.requests] == [f"Basic {LOGIN}"]


def tunnel(port: int) -> Callable[[Peer], None]:
    """Return the script of a proxy whose tunnels all lead to one port of this machine."""

    def script(peer: Peer) -> None:
        peer.request()
        with socket.create_connection(("127.0.0.1", port)) as other:
            peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(other, peer.sock), daemon=True)
            back.start()
            pump(peer.sock, other)
            back.join(5)

    return script


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def test_R38_a_tunnel_shows_the_proxy_its_own_login_and_nothing_else(
    room: AuthRoom, tmp_path_factory: pytest.TempPathFactory
) -> None:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    pair = authority.issue(HOST)
    room.monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    store = CTFStore(room.arena.ctf, create=False)
    with guarded(store, scheme="basic", tls=(pair.certificate, pair.key)) as world:
        port = int(world.registry.host.rpartition(":")[2])
        with raw_server(tunnel(port)) as proxy:
            login = f"me:{PROXY_PASSWORD}"
            room.monkeypatch.setenv("HTTPS_PROXY", f"http://{login}@{proxy.address}")
            for reference in (f"https://{HOST}//{REF}", f"{HOST}//{REF}"):
                command = ("get", "cv", reference, "-o", "json", *TALKATIVE)
                ended = room.accepted(*command)
                assert ended.json[0]["component"]["version"] == "1.0.0"
            target = f"https://{HOST}/new"
            room.accepted("transfer", "cv", f"ctf//{REF}", target, *TALKATIVE)
        logins = [one for *_, one in world.guard.shown]
    assert set(logins) == {None, f"Basic {LOGIN}"}
    for received in proxy.requests:
        assert received.raw.startswith(f"CONNECT {HOST}:443 HTTP/1.1\r\n".encode())
        assert set(received.headers) == {"host", "proxy-authorization"}
        assert LOGIN not in received.raw.decode()
        assert HIDDEN not in received.raw.decode()
