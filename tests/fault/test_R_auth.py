"""Logins by command: what registries and the realms of their challenges do wrong."""

from __future__ import annotations

import json

import pytest

from tests.fakes.auth_room import REF, AuthRoom
from tests.fakes.guarded import HIDDEN, IDENTITY, LOGIN


@pytest.fixture
def room(arena, monkeypatch) -> AuthRoom:
    return AuthRoom(arena, monkeypatch)


def shown(world) -> set[str | None]:
    return {authorization for *_, authorization in world.guard.shown}


def test_R11_to_R16_with_the_right_login_everything_works(room) -> None:
    for scheme in ("bearer", "basic"):
        with room.registry(scheme=scheme) as world:
            assert room.get(world).json[0]["component"]["version"] == "1.0.0"
            assert "is stored" in room.push(world, scheme).err
            ref = f"{world.url}/{scheme}//{REF}"
            assert room.accepted("get", "cv", ref, "-o", "json").json


def test_what_is_open_to_everybody_needs_no_login(room) -> None:
    with room.registry(login=False, anonymous=True) as world:
        room.get(world)
        assert world.guard.logins == [None]
        command = ["transfer", "cv", f"ctf//{REF}", f"{world.url}/new"]
        ended = room.arena.refused(*command, code=5, seconds=2, says="without a login")
        assert f"ocm-pkg login http://{world.registry.host}" in ended.err


@pytest.mark.parametrize(
    "challenges",
    [
        lambda realm: f'Bearer realm="{realm}", Basic realm="x"',
        lambda realm: ['Basic realm="x"', f'Bearer realm="{realm}"'],
        lambda realm: [f"bEARER REALM={realm} , Service=a", "BASIC"],
        lambda realm: rf'Basic realm="a \"b\", Bearer realm=x",Bearer realm="{realm}"',
        lambda realm: f'Negotiate YQ==, Bearer service="a, b",realm="{realm}"',
        lambda realm: f'Bearer realm="{realm}",scope="repository:other:pull"',
    ],
)
def test_R11_challenges_of_every_form_are_answered(room, challenges) -> None:
    with room.registry(challenges=challenges) as world:
        room.get(world)
        assert world.guard.logins == [f"Basic {LOGIN}"]
        assert shown(world) == {None, "Bearer token-0-of-the-test"}


@pytest.mark.parametrize(
    ("challenges", "says"),
    [
        (lambda _realm: "Negotiate", "with negotiate, which ocm-pkg does not know"),
        (lambda _realm: ["NTLM", "Digest realm=x"], "with ntlm, digest"),
        (lambda _realm: "", "does not say how"),
        (lambda _realm: "Bearer", "names no realm"),
        (lambda _realm: ',,"', "does not say how"),
    ],
)
def test_R12_a_challenge_that_nobody_can_answer_is_said_at_once(room, challenges, says) -> None:
    with room.registry(challenges=challenges) as world:
        assert room.refused(world, says=says).error == "E501"
        assert len(world.guard.shown) == 1


def test_R12_basic_without_a_login_says_how_to_log_in(room) -> None:
    with room.registry(login=False, scheme="basic") as world:
        ended = room.refused(world, says="wants a user name and a password")
        assert f"ocm-pkg login http://{world.registry.host}" in ended.err


def test_R13_tokens_that_are_never_taken_are_tried_once(room) -> None:
    with room.registry(uses=0) as world:
        ended = room.refused(world, says="does not allow this login")
        assert ended.error == "E501"
        assert len(world.guard.shown) == 2
        assert len(world.guard.logins) == 1


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_B07_R13_a_wrong_password_fails_at_once(room, scheme) -> None:
    with room.registry(scheme=scheme) as world:
        room.docker_has(world.registry.host, username="user", password="s3cret-of-the-test")  # noqa: S106
        assert room.refused(world).error == "E501"
        sent = [one for one in (*shown(world), *world.guard.logins) if one]
        assert len(sent) == 1


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_no_secret_is_in_what_is_logged(room, scheme) -> None:
    talkative = ["-v", "--loglevel", "debug"]
    with room.registry(scheme=scheme) as world:
        ref = f"{world.url}//{REF}"
        ended = room.accepted("get", "cv", ref, *talkative)
        assert "DEBUG" in ended.err
        world.guard.uses = 0
        room.docker_has(world.registry.host, username="user", password="s3cret-of-the-test")  # noqa: S106
        room.arena.refused("get", "cv", ref, *talkative, code=5)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda one: {"token": one["token"]},
        lambda one: {"access_token": one["token"]},
        lambda one: {**one, "access_token": one["token"]},
        lambda one: {**one, "expires_in": 0},
        lambda one: {**one, "expires_in": -300},
        lambda one: {**one, "expires_in": "soon"},
        lambda one: {**one, "expires_in": 1e300},
        lambda one: {**one, "issued_at": "2000-01-01T00:00:00Z"},
        lambda one: {**one, "issued_at": 7, "scope": None, "more": [1]},
    ],
)
def test_R14_tokens_of_every_form_are_taken(room, tamper) -> None:
    with room.registry(tamper=tamper) as world:
        room.get(world)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda _one: {},
        lambda _one: {"token": None},
        lambda _one: ["s3cret-of-the-test"],
        lambda one: {"token": one["token"] + "\r\nX-Evil: 1"},
        lambda _one: b"<html>s3cret-of-the-test",
        lambda _one: b'{"token": "s3cret-of-the-test"',
        lambda _one: b'{"token": "' + b"a" * 2_000_000 + b'"}',
        lambda _one: b"[" * 100_000,
        lambda _one: b"\xff\xfe\x00",
    ],
)
def test_R07_R14_what_is_no_token_is_refused(room, tamper) -> None:
    with room.registry(tamper=tamper) as world:
        assert room.refused(world).error == "E502"
        assert len(world.guard.logins) == 1


def test_R15_tokens_that_end_on_the_way_are_renewed(room) -> None:
    with room.registry(uses=2) as world:
        room.push(world)
        room.get(world)
        assert len(world.guard.tokens) > 2


def test_R16_each_repository_and_action_has_a_token_of_its_own(room) -> None:
    with room.registry() as world:
        source, target = f"{world.url}//{REF}", f"{world.url}/new"
        room.accepted("transfer", "cv", source, target, "--copy-resources")
        name = "repository:component-descriptors/example.com/plugins/hello"
        scopes = world.guard.scopes
        assert f"{name}:pull" in scopes
        assert any(one.startswith("repository:new/") and "push" in one for one in scopes)
        assert not any(f"{name}:pull,push" in one for one in scopes)


@pytest.mark.parametrize(
    ("realm", "says"),
    [
        ("http://169.254.169.254/token", "its address is link-local"),
        ("http://[fe80::1]/token", "its address is link-local"),
        ("file:///etc/passwd", "is not http or https"),
        ("http://user:s3cret-of-the-test@127.0.0.1:1/", "user name"),
        ("/token", "is not http or https"),
    ],
)
def test_R20_a_realm_that_no_login_may_go_to_gets_none(room, realm, says) -> None:
    with room.registry(realm=realm) as world:
        room.refused(world, says=says)
        assert world.guard.logins == []


@pytest.mark.parametrize(
    "entry",
    [
        {"auth": LOGIN},
        {"username": "user", "password": HIDDEN},
        {"identitytoken": IDENTITY},
        {"auth": "dXNlcjo=", "identitytoken": IDENTITY},
        {"registrytoken": "token-0-of-the-test"},
    ],
)
def test_R39_stored_credentials_of_every_form_are_used(room, entry) -> None:
    with room.registry() as world:
        world.guard.tokens["token-0-of-the-test"] = (0, f"repository:{_NAME}:pull")
        room.docker_has(world.registry.host, **entry)
        room.get(world)
        assert bool(world.guard.posts) == ("identitytoken" in entry)


_NAME = "component-descriptors/example.com/plugins/hello"


def test_R39_podman_s_file_and_a_helper_are_asked_too(room) -> None:
    with room.registry(login=False) as world:
        path = room.arena.base / "home/.config/containers/auth.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"auths": {world.registry.host: {"auth": LOGIN}}}))
        path.chmod(0o600)
        room.get(world)
        path.unlink()
        answer = json.dumps({"ServerURL": "x", "Username": "user", "Secret": HIDDEN})
        room.helper(f"echo '{answer}'")
        room.get(world)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (f"echo {HIDDEN} >&2; exit 3", "failed with status 3"),
        (f"echo {HIDDEN}", "is no JSON object"),
        ("exec head -c 104857600 /dev/zero", "wrote more than"),
    ],
)
def test_R39_a_helper_that_fails_is_named(room, script, says) -> None:
    room.helper(script)
    with room.registry(login=False) as world:
        assert room.refused(world, says=says, seconds=10).error == "E501"


def test_R39_a_file_that_others_can_read_is_warned_of(room) -> None:
    with room.registry() as world:
        room.docker.chmod(0o644)
        assert "chmod 600" in room.get(world).err


def test_B07_what_is_not_there_is_said_at_once(room) -> None:
    with room.registry() as world:
        for ref in (f"{world.url}/none//{REF}", f"{world.url}//example.com/plugins/hello:9.9.9"):
            world.guard.shown.clear()
            room.arena.refused("get", "cv", ref, code=3, seconds=2)
            assert len(world.guard.shown) <= 4
