"""Logins at Debian's ``docker-registry``: passwords, and tokens that it checks itself."""

from __future__ import annotations

import base64
import json
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO, TextIOWrapper
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.fakes.arena import Arena
from tests.fakes.auth_room import REF, AuthRoom
from tests.fakes.certificates import Authority
from tests.fakes.docker_registry import docker_registry, needs_docker_registry
from tests.fakes.guarded import HIDDEN, IDENTITY, LOGIN
from tests.fakes.rawserver import always, answered, raw_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.docker_registry import RunningRegistry
    from tests.fakes.rawserver import RawServer, Received

pytestmark = needs_docker_registry


@pytest.fixture
def room(tmp_path, capsys, monkeypatch) -> AuthRoom:
    folder = tmp_path / "arena"
    folder.mkdir()
    return AuthRoom(Arena(folder, capsys, monkeypatch), monkeypatch)


def log_in(room: AuthRoom, url: str, password: str) -> list[str]:
    data = TextIOWrapper(BytesIO(f"{password}\n".encode()))
    room.monkeypatch.setattr(sys, "stdin", data)
    return ["login", url, "-u", "user", "--password-stdin"]


def test_a_password_of_htpasswd_is_taken_and_a_wrong_one_is_not(room, tmp_path) -> None:
    with docker_registry(tmp_path / "registry", htpasswd={"user": HIDDEN}) as registry:
        command = ["transfer", "cv", f"ctf//{REF}", f"{registry.url}/new"]
        ended = room.arena.refused(*command, code=5, says="wants a user name and a password")
        assert f"ocm-pkg login http://{registry.host}" in ended.err
        room.arena.refused(*log_in(room, registry.url, "wrong"), code=5)
        assert not room.docker.exists()
        room.accepted(*log_in(room, registry.url, HIDDEN))
        room.accepted(*command)
        room.accepted("get", "cv", f"{registry.url}/new//{REF}")
        room.accepted("logout", registry.url)
        room.arena.refused("get", "cv", f"{registry.url}/new//{REF}", code=5)


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Realm:
    """Gives out tokens that the registry checks: signed, and for what is asked for alone."""

    authority: Authority
    registry: str = "the registry"
    seconds: int = 300
    scopes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pair = self.authority.issue("realm", file="realm")
        key = load_pem_private_key(self.pair.key.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self.key = key

    def answer(self, received: Received) -> bytes:
        """Answer a request of a token."""
        form = parse_qs(received.path.partition("?")[2])
        by_token = False
        if received.method == "POST":
            form = parse_qs(received.body.decode())
            by_token = form["refresh_token"] == [IDENTITY]
        known = by_token or received.headers.get("authorization") == f"Basic {LOGIN}"
        scopes = " ".join(form.get("scope", [])).split()
        self.scopes.append(" ".join(scopes))
        if not known and any("push" in one for one in scopes):
            return answered(b"{}", "401 Unauthorized")
        text = json.dumps({"token": self.token(scopes), "expires_in": self.seconds})
        return answered(text.encode(), "200 OK", "Content-Type: application/json")

    def token(self, scopes: list[str]) -> str:
        """Return a signed token."""
        lines = self.pair.certificate.read_text().split("-----")
        leaf = "".join(lines[2].split())
        now = int(time.time())
        access = [
            {"type": kind, "name": name, "actions": actions.split(",")}
            for kind, name, actions in (one.split(":") for one in scopes)
        ]
        claims = {"iss": "the realm", "aud": self.registry, "sub": "user", "jti": str(now)}
        times = {"nbf": now - 5, "iat": now - 5, "exp": now + self.seconds}
        parts: list[dict[str, Any]] = [
            {"typ": "JWT", "alg": "ES256", "x5c": [leaf]},
            {**claims, **times, "access": access},
        ]
        text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
        r, s = decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


@contextmanager
def with_tokens(folder: Path) -> Iterator[tuple[RunningRegistry, Realm, RawServer]]:
    """Run a registry that takes the tokens of a realm beside it."""
    realm = Realm(Authority(folder / "authority"))
    with raw_server(always(realm.answer)) as server:
        settings = {
            "realm": f"{server.url}/token",
            "service": realm.registry,
            "issuer": "the realm",
            "rootcertbundle": str(realm.authority.certificate),
        }
        with docker_registry(folder / "registry", auth={"token": settings}) as registry:
            yield registry, realm, server


def test_tokens_are_for_what_is_done_and_the_registry_takes_them(room, tmp_path) -> None:
    with with_tokens(tmp_path) as (registry, realm, _server):
        room.accepted(*log_in(room, registry.url, HIDDEN))
        room.accepted("transfer", "cv", f"ctf//{REF}", f"{registry.url}/new")
        name = "repository:new/component-descriptors/example.com/plugins/hello"
        assert f"{name}:pull,push" in realm.scopes
        realm.scopes.clear()
        room.accepted("logout", registry.url)
        room.accepted("get", "cv", f"{registry.url}/new//{REF}")
        assert set(realm.scopes) == {f"{name}:pull"}
        command = ["transfer", "cv", f"ctf//{REF}", f"{registry.url}/other"]
        room.arena.refused(*command, code=5, says="401")


def test_an_identity_token_is_enough(room, tmp_path) -> None:
    with with_tokens(tmp_path) as (registry, _realm, server):
        room.docker_has(registry.host, identitytoken=IDENTITY)
        room.accepted("transfer", "cv", f"ctf//{REF}", f"{registry.url}/new")
        assert {one.method for one in server.requests} == {"POST"}


def test_a_registry_copies_between_its_repositories_with_tokens_for_both(room, tmp_path) -> None:
    with with_tokens(tmp_path) as (registry, realm, _server):
        room.docker_has(registry.host)
        room.accepted("transfer", "cv", f"ctf//{REF}", f"{registry.url}/a")
        realm.scopes.clear()
        room.accepted("transfer", "cv", f"{registry.url}/a//{REF}", f"{registry.url}/b")
        name = "component-descriptors/example.com/plugins/hello"
        both = f"repository:a/{name}:pull repository:b/{name}:pull,push"
        assert both in realm.scopes
        room.accepted("get", "cv", f"{registry.url}/b//{REF}")
