"""Values of one exchange."""

from __future__ import annotations

import io

import pytest

from ocm_pkg.errors import RegistryError
from ocm_pkg.store.exchange import Body, Headers, Request, Response, shown
from tests.fakes.exchange import FakeTransport, answer

URL = "http://registry.example.com/v2/?token=s3cret"


def response(data=b"content", *pairs, hurry=None):
    return Response(200, Headers(pairs), URL, io.BytesIO(data), hurry)


def test_headers_are_found_in_any_case_in_their_order():
    headers = Headers([("Link", "one"), ("LINK", "two"), ("Accept", "x")])
    assert headers.get("link") == "one"
    assert headers.all("Link") == ("one", "two")
    assert headers.get("missing") is None
    assert list(headers)[2] == ("Accept", "x")


def test_values_of_headers_are_in_no_repr():
    request = Request("GET", URL, {"Authorization": "Bearer s3cret"})
    assert "s3cret" not in repr(Headers([("Authorization", "Bearer s3cret")]))
    assert "Bearer" not in repr(request)
    assert repr(response()) == "Response(200, http://registry.example.com/v2/)"


def test_a_url_is_shown_without_its_query_and_escaped():
    assert shown(URL + "\x1b") == "http://registry.example.com/v2/"
    assert shown("http://x/\x1b[31m") == "http://x/\\x1b[31m"


def test_a_body_is_opened_anew_each_time():
    body = Body.of(b"content")
    assert body.length == 7
    assert [body.open().read(), body.open().read()] == [b"content", b"content"]


def test_a_body_up_to_the_limit_is_read_whole_and_the_stream_closed():
    got = response(b"x" * 100_000)
    assert len(got.read(100_000)) == 100_000
    assert got.stream().closed


def test_a_body_over_the_limit_is_an_error_without_the_query():
    got = response(b"x" * 11)
    with pytest.raises(RegistryError, match="longer than the 10 bytes allowed") as caught:
        got.read(10)
    assert "s3cret" not in caught.value.message
    assert got.stream().closed


def test_an_excerpt_is_cut_whatever_follows():
    assert response(b"x" * 1000).excerpt(10) == b"x" * 10


def test_reading_as_a_whole_has_a_deadline_and_a_stream_has_none():
    hurried = []
    with response(hurry=lambda: hurried.append(1)) as got:
        assert got.stream().read(3) == b"con"
        assert hurried == []
    assert response(hurry=lambda: hurried.append(1)).read(10) == b"content"
    assert hurried == [1]


@pytest.mark.parametrize(
    ("text", "length"),
    [("12", 12), ("-1", None), ("", None), ("1" * 30, None), ("²", None), ("+1", None)],
)
def test_the_length_is_what_the_header_says_if_it_is_one(text, length):
    assert response(b"", ("Content-Length", text)).length == length


def test_a_web_page_has_a_hint_and_a_document_has_none():
    assert "proxy" in (response(b"", ("Content-Type", "Text/HTML; charset=x")).page_hint or "")
    document = response(b"", ("Content-Type", "application/json; charset=utf-8"))
    assert document.media_type == "application/json"
    assert document.page_hint is None
    assert response().media_type == ""


def test_the_fake_answers_from_its_script_and_keeps_what_it_was_asked():
    fake = FakeTransport([answer(202, {"a": 1}), OSError("gone")], default=answer(404))
    got = fake.send(Request("PUT", URL, {"Accept": "x"}, Body.of(b"sent")))
    assert (got.status, got.media_type, got.read(100)) == (202, "application/json", b'{"a": 1}')
    assert (fake.asked[0].body, fake.asked[0].header("accept")) == (b"sent", "x")
    with pytest.raises(OSError, match="gone"):
        fake.send(Request("GET", URL))
    assert fake.send(Request("HEAD", URL)).status == 404
