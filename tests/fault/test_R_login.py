"""Logging in by command: nothing is stored that the registry does not take, and no secret leaks."""

from __future__ import annotations

import io
import json
import stat
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.model.config_docker import password_entry
from tests.fakes.guarded import HIDDEN, LOGIN, guarded
from tests.fakes.rawserver import answered, once, raw_server
from tests.fakes.served import served

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.arena import Arena, Ended


class Terminal(io.StringIO):
    """A standard input that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


class Room:
    """An arena whose password is on standard input."""

    def __init__(self, arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
        self.arena = arena
        self.monkeypatch = monkeypatch
        arena.secrets += [HIDDEN, LOGIN]
        for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
            monkeypatch.delenv(name, raising=False)

    @property
    def docker(self) -> Path:
        return self.arena.base / "home/.docker/config.json"

    def type(self, data: bytes) -> None:
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    def login(self, url: str, *options: str, password: str = HIDDEN) -> list[str]:
        self.type(f"{password}\n".encode())
        return ["login", url, "-u", "user", "--password-stdin", *options]

    def accepted(self, *arguments: str) -> Ended:
        ended = self.arena.accepted(*arguments)
        self.arena.clean(ended)
        return ended

    def helper(self, script: str) -> None:
        folder = self.arena.base / "bin"
        folder.mkdir()
        program = folder / "docker-credential-own"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        self.monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        self.write(credsStore="own", auths={})

    def write(self, **members: Any) -> None:
        self.docker.parent.mkdir(exist_ok=True)
        self.docker.write_text(json.dumps(members))
        self.docker.chmod(0o600)


@pytest.fixture
def room(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> Room:
    return Room(arena, monkeypatch)


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_R39_a_login_that_the_registry_takes_is_stored_and_used_and_removed(room, scheme) -> None:
    with guarded(scheme=scheme) as world:
        ended = room.accepted(*room.login(world.url))
        host = world.registry.host
        assert f"logged in to {host} as user; stored in {room.docker}" in ended.out
        assert json.loads(room.docker.read_text()) == {"auths": {host: {"auth": LOGIN}}}
        assert stat.S_IMODE(room.docker.stat().st_mode) == 0o600
        assert "not encrypted" in ended.err
        again = room.accepted(*room.login(world.url, "-o", "json"))
        assert again.json == {
            "registry": host,
            "username": "user",
            "checked": True,
            "stored": True,
            "path": str(room.docker),
            "helper": None,
        }
        ended = room.accepted("logout", world.url, "-o", "json")
        assert ended.json == {
            "registry": host,
            "removed": True,
            "path": str(room.docker),
            "helper": None,
        }
        assert json.loads(room.docker.read_text()) == {"auths": {}}
        ended = room.accepted("logout", world.url)
        assert f"no login of {host} is stored" in ended.out


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_B07_a_wrong_password_fails_at_once_and_is_not_stored(room, scheme) -> None:
    with guarded(scheme=scheme) as world:
        command = room.login(world.url, password="wrong-of-the-test")  # noqa: S106
        room.arena.secrets.append("wrong-of-the-test")
        ended = room.arena.refused(*command, code=5, seconds=2)
        assert ended.error == "E501"
        assert "check the user name (user) and the password" in ended.err
        assert not room.docker.exists()
        shown = [one for *_, one in world.guard.shown] + world.guard.logins
        assert sum(1 for one in shown if one) == 1


def test_a_login_with_plain_http_is_asked_for_by_the_option_or_the_address(room) -> None:
    with guarded(scheme="basic") as world:
        room.accepted(*room.login(world.registry.host, "--plain-http"))
        room.arena.refused(*room.login(world.url, "--offline"), code=5)
    with raw_server(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        room.arena.refused(*room.login(server.address), code=5)
        assert server.requests == []


def test_a_registry_that_wants_no_login_is_named(room) -> None:
    with served() as registry:
        ended = room.accepted(*room.login(registry.url, "-o", "json"))
        assert "asks nobody for a login" in ended.err
        assert ended.json["checked"] is False


def test_what_is_no_registry_is_refused(room) -> None:
    with raw_server(
        once(answered(b"<html>", "404 Not Found", "Content-Type: text/html"))
    ) as server:
        ended = room.arena.refused(*room.login(server.url), code=5, says="404 Not Found")
        assert "proxy" in ended.err


@pytest.mark.parametrize(
    "host", ["", "/", "h/path", "https://u:s3cret-of-the-test@h", "ftp://h", "h:port", "h\x1b[2J"]
)
@pytest.mark.parametrize("verb", ["login", "logout"])
def test_a_host_that_is_none_is_a_mistake_of_the_user(room, host, verb) -> None:
    command = room.login(host) if verb == "login" else ["logout", host]
    assert room.arena.refused(*command, code=2).error == "E220"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the password is empty"),
        (b"\n", "the password is empty"),
        (b"s3cret-of-the-test\nmore\n", "more than one line"),
        (b"s3cret-of-the-test\xff\n", "no text"),
        (b"s3cret-of-the-test" * 5000, "longer than"),
    ],
)
def test_a_password_that_is_none_is_refused_before_anything_is_sent(room, data, says) -> None:
    command = room.login("127.0.0.1:1")
    room.type(data)
    room.arena.refused(*command, code=2, says=says)


def test_a_program_without_the_client_says_where_to_log_in(room) -> None:
    room.monkeypatch.setattr("ocm_pkg.cli.wiring.Context.has_registries", False)
    room.arena.refused(*room.login("h"), code=2, says="without the client of OCI registries")


def test_there_is_no_option_for_a_password(room) -> None:
    room.type(b"")
    ended = room.arena.run("login", "h", "-u", "user", "--password", HIDDEN)
    assert ended.code == 2
    assert HIDDEN not in ended.all


@pytest.mark.parametrize(
    ("options", "terminal", "says"),
    [
        (["-u", "user"], False, "no password is given"),
        (["-u", "user", "--no-input"], True, "no password is given"),
        ([], False, "no user name is given"),
        (["--no-input"], True, "no user name is given"),
        (["--password-stdin"], True, "no user name is given"),
        (["-u", "a:b", "--password-stdin"], False, "without a colon"),
        (["-u", "", "--password-stdin"], False, "without a colon"),
    ],
)
def test_nothing_is_asked_where_nobody_can_answer(room, options, terminal, says) -> None:
    if terminal:
        room.monkeypatch.setattr(sys, "stdin", Terminal())
    else:
        room.type(b"x\n")
    room.arena.refused("login", "127.0.0.1:1", *options, code=2, says=says)


def test_a_user_at_a_terminal_is_asked_without_echo(room) -> None:
    prompts = []

    def getpass(prompt: str) -> str:
        prompts.append(prompt)
        return HIDDEN

    room.monkeypatch.setattr("getpass.getpass", getpass)
    with guarded(scheme="basic") as world:
        room.monkeypatch.setattr(sys, "stdin", Terminal("user\n"))
        ended = room.accepted("login", world.url)
    assert prompts == ["Password of user: "]
    assert "logged in" in ended.out


def test_no_password_at_the_terminal_is_a_mistake_of_the_user(room) -> None:
    def getpass(_prompt: str) -> str:
        raise EOFError

    room.monkeypatch.setattr("getpass.getpass", getpass)
    room.monkeypatch.setattr(sys, "stdin", Terminal())
    room.arena.refused("login", "127.0.0.1:1", "-u", "user", code=2, says="no password was typed")


def test_a_rehearsed_login_is_checked_and_stores_nothing(room) -> None:
    with guarded() as world:
        ended = room.accepted(*room.login(world.url, "--dry-run", "-o", "json"))
        assert (ended.json["checked"], ended.json["stored"]) == (True, False)
        assert not room.docker.exists()
        room.accepted(*room.login(world.url))
        ended = room.accepted("logout", world.url, "--dry-run")
        assert "would be removed" in ended.out
        assert LOGIN in room.docker.read_text()


def test_R39_a_helper_keeps_the_login_that_the_file_leaves_to_it(room) -> None:
    kept = room.arena.base / "kept"
    room.helper(
        f"case $1 in store) cat > {kept};; erase) rm {kept};; get) cat {kept} 2>&- ||"
        " { echo credentials not found in native keychain; exit 1; };; esac"
    )
    with guarded() as world:
        host = world.registry.host
        ended = room.accepted(*room.login(world.url, "-o", "json"))
        assert ended.json["helper"] == "docker-credential-own"
        assert json.loads(kept.read_text()) == {
            "ServerURL": host,
            "Username": "user",
            "Secret": HIDDEN,
        }
        assert json.loads(room.docker.read_text()) == {"credsStore": "own", "auths": {}}
        ended = room.accepted("logout", world.url)
        assert "removed from docker-credential-own" in ended.out
        assert not kept.exists()
        assert "no login" in room.accepted("logout", world.url).out


@pytest.mark.parametrize("script", ["echo hunter2-of-the-test >&2; exit 3", "cat >&2; exit 1"])
def test_R39_a_helper_that_fails_to_keep_a_login_says_so(room, script) -> None:
    room.helper(script)
    with guarded() as world:
        ended = room.arena.refused(*room.login(world.url), code=5, says="were not stored")
        assert "docker-credential-own failed" in ended.err


@pytest.mark.parametrize("text", ["[]", "hunter2-of-the-test", '{"auths": 5}'])
def test_R39_a_configuration_that_is_broken_is_neither_shown_nor_changed(room, text) -> None:
    room.write()
    room.docker.write_text(text)
    with guarded(scheme="basic") as world:
        room.arena.refused(*room.login(world.url), code=2, says=str(room.docker))
        room.arena.refused("logout", world.url, code=2)


def test_a_logout_does_not_mind_what_is_wrong_with_other_files(room) -> None:
    room.write(credsStore="absent")
    path = room.arena.file("auth.json", json.dumps({"auths": {"h.example": {"auth": LOGIN}}}))
    path.chmod(0o600)
    room.monkeypatch.setenv("REGISTRY_AUTH_FILE", str(path))
    ended = room.accepted("logout", "h.example")
    assert f"removed from {path}" in ended.out
    assert json.loads(path.read_text()) == {"auths": {}}


def test_a_logout_says_if_there_are_other_credentials(room) -> None:
    config = room.arena.file(".ocmconfig", "")
    with guarded() as world:
        host, _, port = world.registry.host.partition(":")
        identity = {"type": "OCIRegistry", "hostname": host, "port": port, "scheme": "http"}
        properties = {"username": "user", "password": HIDDEN}
        credentials = [{"type": "Credentials/v1", "properties": properties}]
        consumer = {"identity": identity, "credentials": credentials}
        entry = {"type": "credentials.config.ocm.software", "consumers": [consumer]}
        value = {"type": "generic.config.ocm.software/v1", "configurations": [entry]}
        config.write_text(json.dumps(value))
        config.chmod(0o600)
        room.write(auths={world.registry.host: password_entry("user", "x")})
        ended = room.accepted("logout", world.url)
    assert "the login of" in ended.out
    assert f"there are other credentials for {host}:{port}" in ended.err
