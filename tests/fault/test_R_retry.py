"""What passes is tried again, what does not is said at once: by command."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from ocm_pkg.store.serving import Response
from tests.fakes.auth_room import FAST, REF, AuthRoom

_PASSING = [408, 425, 429, 500, 502, 503, 504]


@pytest.fixture
def room(arena, monkeypatch) -> AuthRoom:
    found = AuthRoom(arena, monkeypatch)
    found.configure(**FAST)
    return found


class Faults:
    """Lets the first ``count`` requests that ``fit`` fail; ``seen`` counts those that fit."""

    def __init__(self, answer: Response, count: int, *fit: str) -> None:
        self.answer = answer
        self.count = count
        self.fit = fit
        self.seen = 0

    def __call__(self, request) -> Response | None:
        if request.method == "HEAD" and "/blobs/" in request.path and "HEAD" not in self.fit:
            return Response(404)
        if not all(one in f"{request.method} {request.path}" for one in self.fit):
            return None
        self.seen += 1
        return self.answer if self.seen <= self.count else None


def failing(status: int, **headers: str) -> Response:
    refusal = Response.error(status, "UNAVAILABLE", "try later")
    return refusal.with_headers(**headers) if headers else refusal


@pytest.mark.parametrize("status", _PASSING)
def test_R30_a_read_that_fails_twice_succeeds(room, status) -> None:
    faults = Faults(failing(status), 2, "GET", "/manifests/")
    with room.registry(intercept=faults) as world:
        room.get(world)
    assert faults.seen == 3


@pytest.mark.parametrize("status", [500, 503, 429])
@pytest.mark.parametrize(
    "fit", [("HEAD",), ("POST",), ("PUT", "/uploads/"), ("PUT", "/manifests/"), ("GET", "/blobs/")]
)
def test_R30_each_step_of_a_transfer_survives_two_failures(room, status, fit) -> None:
    faults = Faults(failing(status), 2, *fit)
    with room.registry(intercept=faults) as world:
        room.push(world)
        assert faults.seen >= 3 or fit == ("GET", "/blobs/")
        ref = f"{world.url}/new//{REF}"
        assert room.accepted("get", "cv", ref, "-o", "json").json
    assert faults.seen >= 3


@pytest.mark.parametrize("status", _PASSING)
def test_R30_what_stays_broken_is_tried_three_times(room, status) -> None:
    faults = Faults(failing(status), 1000, "GET", "/manifests/")
    with room.registry(intercept=faults) as world:
        ended = room.refused(world, says=f"{status} ")
    assert ended.error == "E502"
    assert "UNAVAILABLE: try later (tried 3 times" in ended.err
    assert faults.seen == 3


@pytest.mark.parametrize("status", [400, 405, 410, 418, 501, 505])
def test_R30_B07_any_other_status_is_not_tried_again(room, status) -> None:
    faults = Faults(failing(status), 1000, "GET", "/manifests/")
    with room.registry(intercept=faults) as world:
        assert room.refused(world, says=f"{status} ").error == "E502"
    assert faults.seen == 1


def test_R29_the_registry_is_given_the_time_that_it_asks_for(room) -> None:
    room.configure()
    faults = Faults(failing(429, Retry_After="1"), 1, "GET", "/manifests/")
    with room.registry(intercept=faults) as world:
        began = time.monotonic()
        room.get(world)
    assert 0.9 < time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("315360000", "asked to wait 3650 days"),
        (formatdate(time.time() + 864_000, usegmt=True), "asked to wait 10 days"),
        ("9" * 100, "asked to wait for ever"),
    ],
    ids=["seconds", "date", "digits"],
)
def test_R29_more_time_than_anybody_has_is_not_waited(room, asked, says) -> None:
    faults = Faults(failing(429, Retry_After=asked), 1000, "GET", "/manifests/")
    with room.registry(intercept=faults) as world:
        room.refused(world, says=says)
    assert faults.seen == 1


@pytest.mark.parametrize("asked", ["-5", "soon", "", "0", formatdate(0, usegmt=True)])
def test_R29_a_time_that_makes_no_sense_is_a_back_off(room, asked) -> None:
    faults = Faults(failing(429, Retry_After=asked), 2, "GET", "/manifests/")
    with room.registry(intercept=faults) as world:
        room.get(world)
    assert faults.seen == 3


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"errors": [{"code": "A\x1b[2J", "message": "\\u001b[31m"}]}'),
        ("application/json", b'{"errors": [{"code": "A", "message": "\\u202e \\u0007"}]}'),
        ("application/json", b'{"errors": {"code": {}}}'),
        ("application/json", b'{"errors": [[[[1]]]]}'),
        ("application/json", b"[" * 60_000),
        ("text/plain", b"\x1b]0;title\x07\x9b2J\xff\xfe"),
        ("text/plain", b"a" * 1024 * 1024),
        ("text/html", b"<html><title>\x1b[2J</title>" + b"\x1b" * 100_000),
        ("application/json", b"\xff\xfe{"),
    ],
)
def test_R40_what_a_registry_says_is_escaped_and_cut(room, kind, body) -> None:
    faults = Faults(Response(400, {"Content-Type": kind}, body), 1, "GET", "/manifests/")
    with room.registry(intercept=faults) as world:
        ended = room.refused(world, says="400 Bad Request")
    assert len(ended.all) < 2500


def test_R40_a_login_that_a_registry_sends_back_is_not_shown(room) -> None:
    def echo(request) -> Response | None:
        authorization = request.headers.get("authorization")
        return Response.error(400, "BAD", f"you sent {authorization}") if authorization else None

    for scheme in ("basic", "bearer"):
        with room.registry(scheme=scheme, intercept=echo) as world:
            room.refused(world, says="you sent")


def test_R40_what_an_honest_registry_says_is_shown(room) -> None:
    faults = Faults(Response.error(400, "TAG_INVALID", "no such tag"), 1, "GET", "/manifests/")
    with room.registry(intercept=faults) as world:
        room.refused(world, says="400 Bad Request: TAG_INVALID: no such tag")
