"""Point 5 of being refused: no secret is logged, printed, or in what an error was caused by."""

from __future__ import annotations

import io
import json
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.cli import main
from ocm_pkg.store.serving import Response
from tests.fakes.auth_room import FAST, REF, AuthRoom
from tests.fakes.guarded import HIDDEN
from tests.fakes.rawserver import always, answered, raw_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocm_pkg.store.serving import Request
    from tests.fakes.arena import Arena, Ended
    from tests.fakes.guarded import Guarded

TALKATIVE = ("-v", "--loglevel", "debug")
WRONG = "wrong-of-the-test"


class Room(AuthRoom):
    """Runs commands that log all that they can, and looks into the errors that they end with."""

    def __init__(self, arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(arena, monkeypatch)
        arena.secrets.append(WRONG)
        self.configure(**FAST)
        self.errors: list[Exception] = []
        report = main._report

        def reporting(error: Exception, *others: Any) -> int:
            self.errors.append(error)
            return report(error, *others)

        monkeypatch.setattr(main, "_report", reporting)

    def fails(self, *command: str, code: int = 5) -> Ended:
        """Run a command that must be refused, as text and as JSON, and look for secrets."""
        ended = self.arena.refused(*command, *TALKATIVE, code=code, seconds=5)
        shown = self.arena.run(*command, *TALKATIVE, "-o", "json")
        assert shown.code == code
        self.arena.clean(shown)
        for error in self.errors:
            self.check(error)
        assert len(self.errors) == 2
        return ended

    def check(self, error: BaseException) -> None:
        """Look into an error and all that caused it."""
        texts = ["".join(traceback.format_exception(error))]
        chain: list[BaseException | None] = [error]
        while chain:
            one = chain.pop()
            if one is not None:
                texts += [repr(one), repr(vars(one))]
                chain += [one.__cause__, one.__context__]
        for secret in self.arena.secrets:
            assert not any(secret in text for text in texts), secret


@pytest.fixture
def room(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> Room:
    return Room(arena, monkeypatch)


def get(world: Guarded) -> tuple[str, ...]:
    return ("get", "cv", f"{world.url}//{REF}")


def push(world: Guarded) -> tuple[str, ...]:
    return ("transfer", "cv", f"ctf//{REF}", f"{world.url}/new")


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_R13_twin_what_works_logs_and_shows_no_secret(room: Room, scheme: str) -> None:
    with room.registry(scheme=scheme) as world:
        for command in (get(world), push(world)):
            assert "DEBUG" in room.accepted(*command, *TALKATIVE).err


@pytest.mark.parametrize(
    "entry",
    [
        {"username": "user", "password": WRONG},
        {"identitytoken": WRONG},
        {"registrytoken": WRONG},
    ],
)
@pytest.mark.parametrize("scheme", ["basic", "bearer"])
@pytest.mark.parametrize("command", [get, push])
def test_R13_a_login_that_is_refused_is_nowhere_shown(
    room: Room, entry: dict[str, str], scheme: str, command: Callable[[Guarded], tuple[str, ...]]
) -> None:
    with room.registry(scheme=scheme) as world:
        room.docker_has(world.registry.host, **entry)
        assert room.fails(*command(world)).error == "E501"


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_R13_tokens_that_are_never_taken_are_nowhere_shown(room: Room, scheme: str) -> None:
    def never(request: Request) -> Response:
        del request
        return Response.error(403, "DENIED", "no")

    with room.registry(scheme=scheme, intercept=never) as world:
        room.fails(*get(world))


@pytest.mark.parametrize(
    "answer",
    [
        {"token": HIDDEN + "\x00"},
        {"tokens": HIDDEN},
        [HIDDEN],
        HIDDEN.encode(),
        b'{"token": "' + HIDDEN.encode(),
    ],
)
def test_R14_what_is_no_token_is_nowhere_shown(room: Room, answer: object) -> None:
    with room.registry(tamper=lambda _one: answer) as world:
        assert room.fails(*get(world)).error == "E502"


def escaped(text: str) -> bytes:
    """Return a JSON text that has every character escaped."""
    return b'"' + b"".join(b"\\u%04x" % ord(char) for char in text) + b'"'


@pytest.mark.parametrize("sent", ["password", "login", "token"])
@pytest.mark.parametrize("member", ["code", "message", "detail"])
def test_R40_a_secret_that_a_registry_sends_back_in_disguise_is_not_shown(
    room: Room, sent: str, member: str
) -> None:
    room.arena.secrets.append("-of-the-test")

    def echo(request: Request) -> Response | None:
        authorization = request.headers.get("authorization")
        if authorization is None:
            return None
        secret = HIDDEN if sent == "password" else authorization.rpartition(" ")[2]
        body = b'{"errors": [{"%s": %s}]}' % (member.encode(), escaped(secret))
        return Response(400, {"Content-Type": "application/json"}, body)

    scheme = "bearer" if sent == "token" else "basic"
    with room.registry(scheme=scheme, intercept=echo) as world:
        assert "***" in room.fails(*get(world)).err


def test_R40_a_secret_that_a_realm_sends_back_in_disguise_is_not_shown(room: Room) -> None:
    body = b'{"errors": [{"code": "NO", "message": %s}]}' % escaped(WRONG)
    refusal = answered(body, "401 Unauthorized", "Content-Type: application/json")
    with raw_server(always(refusal)) as realm, room.registry(realm=f"{realm.url}/token") as world:
        room.docker_has(world.registry.host, username="user", password=WRONG)
        assert "NO" in room.fails(*get(world)).err


@pytest.mark.parametrize("status", [202, 307])
def test_R17_R19_secrets_of_a_place_that_is_led_to_are_not_shown(room: Room, status: int) -> None:
    """User-info and query of a Location can be as good as a password."""

    def lead(request: Request) -> Response | None:
        if request.method == "POST" or (status == 307 and request.method == "GET"):
            where = ("http://127.0.0.1:1/x?sig=", "http://user:")[status == 202]
            return Response(status, {"Location": f"{where}{HIDDEN}@127.0.0.1:1/x"})
        return Response(404) if request.method == "HEAD" else None

    with room.registry(intercept=lead) as world:
        room.fails(*(push(world) if status == 202 else get(world)))


@pytest.mark.parametrize("form", ["http://user:{}@127.0.0.1:1", "user:{}@127.0.0.1:1"])
def test_a_password_in_a_reference_is_refused_and_not_shown(room: Room, form: str) -> None:
    where = form.format(HIDDEN)
    room.fails("get", "cv", f"{where}//{REF}", code=2)
    room.errors.clear()
    room.fails("transfer", "cv", f"ctf//{REF}", where, code=2)


def test_R38_a_proxy_s_password_is_nowhere_shown(room: Room) -> None:
    refusal = answered(b"", "407 Proxy Authentication Required")
    with raw_server(always(refusal)) as proxy:
        for scheme in ("http", "https"):
            room.errors.clear()
            variable = f"{scheme}_proxy".upper()
            room.monkeypatch.setenv(variable, f"http://user:{HIDDEN}@{proxy.address}")
            room.fails("get", "cv", f"{scheme}://registry.example.com//{REF}")
        room.errors.clear()
        room.monkeypatch.setenv("HTTPS_PROXY", f"user:{HIDDEN}@:x/{HIDDEN}")
        room.fails("get", "cv", f"https://registry.example.com//{REF}", code=2)


@pytest.mark.parametrize("properties", [{"username": "user", "password": WRONG}])
def test_R39_credentials_of_the_ocm_configuration_are_nowhere_shown(
    room: Room, properties: dict[str, str]
) -> None:
    with room.registry(login=False) as world:
        host, _, port = world.registry.host.partition(":")
        identity = {"type": "OCIRegistry", "hostname": host, "port": port, "scheme": "http"}
        credentials = [{"type": "Credentials/v1", "properties": properties}]
        entry = {
            "type": "credentials.config.ocm.software",
            "consumers": [{"identity": identity, "credentials": credentials}],
        }
        value = {"type": "generic.config.ocm.software/v1", "configurations": [entry]}
        room.arena.file(".ocmconfig", json.dumps(value)).chmod(0o600)
        room.fails(*get(world))
        assert world.guard.logins


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_R39_a_login_that_fails_is_nowhere_shown(room: Room, scheme: str) -> None:
    with room.registry(login=False, scheme=scheme) as world:
        command = ("login", world.url, "-u", "user", "--password-stdin", *TALKATIVE)
        for more in ((), ("-o", "json")):
            typed = io.TextIOWrapper(io.BytesIO(f"{WRONG}\n".encode()))
            room.monkeypatch.setattr(sys, "stdin", typed)
            ended = room.arena.run(*command, *more)
            assert ended.code == 5
            room.arena.clean(ended)
    assert len(room.errors) == 2
    for error in room.errors:
        room.check(error)
