"""What ``serve`` refuses before it listens."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.certificates import Authority
from tests.fakes.components import stored

HASH = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="


@pytest.fixture
def folder(arena):
    """The working folder, with a CTF, an archive and a certificate that is good."""
    stored(ComponentRepository(CTFStore(arena.ctf, create=True)))
    stored(ComponentRepository(ArchiveStore(arena.work / "ctf.tgz", create=True)))
    arena.file("htpasswd", f"joe:{HASH}\n")
    arena.file("empty", "")
    authority = Authority(arena.work / "pki")
    authority.issue("localhost", file="one")
    authority.issue("localhost", file="two")
    arena.secrets.append(HASH)
    return arena.work


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("ctf --listen :5000", 2, "no address to listen on"),
        ("ctf --listen 127.0.0.1:99999", 2, "no address to listen on"),
        ("ctf --listen 5000", 2, "no address to listen on"),
        ("ctf --listen 127.0.0.1:0 --offline", 2, "--offline is set"),
        ("ctf --listen 192.0.2.1:0", 2, "cannot listen on 192.0.2.1"),
        ("ctf --listen a..b:0", 2, "there is no such address"),
        ("no-ctf", 3, "does not exist"),
        ("http://127.0.0.1:1", 2, "is no CTF"),
        ("ctf.tgz --writable", 8, "read-only"),
        ("ctf --htpasswd htpasswd", 2, "not bcrypt"),
        ("ctf --htpasswd empty", 2, "no entries"),
        ("ctf --htpasswd missing", 3, "does not exist"),
        ("ctf --htpasswd pki", 2, "no regular file"),
        ("ctf --tls-cert pki/one.cert", 2, "belong together"),
        ("ctf --tls-key pki/one.key", 2, "belong together"),
        ("ctf --tls-cert pki/one.cert --tls-key pki/two.key", 2, "cannot serve TLS"),
        ("ctf --tls-cert missing --tls-key pki/two.key", 2, "cannot serve TLS"),
        ("ctf --tls-cert htpasswd --tls-key pki/two.key", 2, "cannot serve TLS"),
    ],
)
def test_what_cannot_be_served_is_refused(arena, arguments, code, says):
    ended = arena.refused("serve", *arguments.split(), code=code, says=says)
    assert "  fix: " in ended.err


@pytest.mark.usefixtures("folder")
def test_a_port_that_is_taken_is_named(arena):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        ended = arena.refused(
            "serve", "ctf", "--listen", f"127.0.0.1:{port}", says=f"127.0.0.1:{port}"
        )
    assert "another program has the port" in ended.err
