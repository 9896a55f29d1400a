from __future__ import annotations

import pytest

from ocm_pkg.errors import RegistryError, TransportError
from ocm_pkg.store.exchange import Headers, Request, Response
from ocm_pkg.store.refusal import read_refusal, refused, status_text
from tests.fakes.clients import Bench
from tests.fakes.exchange import answer

JSON = {"Content-Type": "application/json"}


def error_of(
    body: object, headers: dict[str, str] | None = None, status: int = 400
) -> RegistryError:
    bench = Bench([answer(status, body, headers or JSON)])
    with pytest.raises(RegistryError) as caught:
        bench.get("/v2/a")
    return caught.value


def test_the_errors_of_the_registry_are_shown() -> None:
    errors = [
        {"code": "DIGEST_INVALID", "message": "not the digest", "detail": "sha256:x"},
        {"code": "UNKNOWN", "message": "more", "detail": {"a": 1}},
    ]
    error = error_of({"errors": errors})
    assert error.registry_code == "DIGEST_INVALID"
    assert error.message == (
        "GET https://registry.example/v2/a was answered with 400 Bad Request:"
        " DIGEST_INVALID: not the digest: sha256:x; UNKNOWN: more"
    )
    assert error.status == 400


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        ({"errors": [{"code": "A", "message": "A"}]}, "A", "A"),
        (
            {"error": "invalid_grant", "error_description": "no"},
            "invalid_grant",
            "invalid_grant: no",
        ),
        ({"message": "no"}, "", "no"),
        ({"errors": [{"code": "not a code!", "message": "x"}]}, "", "not a code!: x"),
        (b"plain\n  text ", "", "plain text"),
        (b"", "", ""),
    ],
)
def test_other_forms_of_refusals_are_read(body, code, text) -> None:
    error = error_of(body)
    assert error.registry_code == code
    assert error.message.partition("400 Bad Request")[2] == (f": {text}" if text else "")


@pytest.mark.parametrize(
    "body",
    [
        {"errors": {}},
        {"errors": None},
        {"errors": [None, 5, [], {"code": 5, "message": {}}]},
        {"errors": []},
        [],
        [[[]]],
        "5",
        b"null",
        b'{"errors": [{"code": "A", "code": "B"}]}',
        b"[" * 60_000,
        b"\xff\xfe\x00",
        b'{"errors": [{"message": "\\ud800"}]}',
    ],
)
def test_R40_errors_of_the_wrong_shape_do_no_harm(body) -> None:
    error = error_of(body)
    assert error.status == 400
    assert len(error.message) < 500


@pytest.mark.parametrize(
    "body",
    [
        {"errors": [{"code": "A\x1b[31m", "message": "\x1b]0;x\x07 \u202e \u2028 \x9b2J"}]},
        b"\x1b[2J\x00\x07\xff\x9b",
        b"<html>\x1b[2J",
        b"a" * (1024 * 1024),
        {"errors": [{"code": "A", "message": "\x1b" * 100_000}]},
        {"errors": [{"code": "A", "message": "m" * 30_000}] * 100},
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/plain"])
def test_R40_text_of_the_registry_is_escaped_and_cut(body, kind) -> None:
    error = error_of(body, {"Content-Type": kind})
    assert error.message.isprintable()
    assert len(error.message) < 1500


def test_a_web_page_is_called_one_and_hints_at_a_proxy() -> None:
    page = "<!DOCTYPE html><html><head><title>Sign in</title>"
    error = error_of(page, {"Content-Type": "text/html; charset=utf-8"}, 404)
    assert "404 Not Found: a web page, 'Sign in'" in error.message
    assert "proxy" in error.hint
    assert "a web page" in error_of(page, {"Content-Type": "text/plain"}).message


def test_a_secret_that_is_sent_back_is_not_shown() -> None:
    refusal = read_refusal(
        answer(400, "you sent hunter2, hunter2!")(Request("GET", "https://h/")), ["hunter2", ""]
    )
    assert refusal.text == "you sent ***, ***!"


def test_a_refusal_that_is_cut_off_still_has_its_status() -> None:
    class Broken:
        closed = False

        def read(self, _size: int) -> bytes:
            raise TransportError("connection lost")

        def close(self) -> None:
            self.closed = True

    stream = Broken()
    error = refused(Response(500, Headers(), "https://h/a?secret", stream), "PUT")
    assert error.message == "PUT https://h/a was answered with 500 Internal Server Error"
    assert stream.closed


def test_an_unknown_status_is_a_number() -> None:
    assert status_text(799) == "799"


@pytest.mark.parametrize("member", ["code", "message", "detail", "error_description"])
def test_a_secret_that_is_sent_back_in_disguise_is_not_shown(member) -> None:
    secret = "hunter2-of-the-test"  # noqa: S105 - a secret of the test
    spelt = "".join(f"\\u{ord(char):04x}" for char in secret)
    body = f'{{"errors": [{{"{member}": "{spelt}"}}]}}'
    refusal = read_refusal(answer(400, body)(Request("GET", "https://h/")), [secret])
    assert (refusal.code, refusal.text) == ("", "***")
