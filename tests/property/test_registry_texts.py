"""Whatever a registry sends in headers and bodies is understood, or refused in our own words."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from ocm_pkg.errors import OcmPkgError, RegistryError
from ocm_pkg.model.config_docker import DockerConfig, read_members, with_login
from ocm_pkg.store.challenge import granted, parse_challenges, scope_texts, strongest
from ocm_pkg.store.exchange import Headers
from ocm_pkg.store.origin import Origin, join
from ocm_pkg.store.retry import retry_after
from ocm_pkg.store.tokens import DEFAULT_LIFETIME, usable_for
from tests.fakes.clients import Bench, token, unauthorised
from tests.fakes.exchange import answer
from tests.fakes.outcome import outcome

headers = st.text(st.characters(codec="latin-1"), max_size=200)
tokens = st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_|~-]{1,10}", fullmatch=True)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)
REALM = "https://auth.example/"


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@given(st.lists(headers, max_size=4))
def test_any_header_is_read_as_challenges_or_not_at_all(texts) -> None:
    found = parse_challenges(texts)
    assert len(found) <= sum(map(len, texts))
    assert strongest(found) is None or strongest(found) in found


@given(
    st.lists(
        st.tuples(tokens, st.dictionaries(tokens.map(str.lower), values, min_size=1, max_size=4)),
        max_size=4,
    )
)
def test_challenges_that_are_written_well_are_read_as_they_are(challenges) -> None:
    text = ", ".join(
        f"{scheme} " + ",".join(f"{name}={quoted(value)}" for name, value in parameters.items())
        for scheme, parameters in challenges
    )
    found = [(one.scheme, dict(one.parameters)) for one in parse_challenges([text])]
    assert found == [(scheme.lower(), parameters) for scheme, parameters in challenges]


@given(st.text(max_size=100))
def test_scopes_say_again_what_they_said(text) -> None:
    grants = granted(text)
    assert granted(" ".join(scope_texts(grants))) == grants


@given(st.text(max_size=100), st.sampled_from(["https://h/a/b?c", "http://[::1]:5/a"]))
def test_any_location_is_an_origin_that_may_be_asked_or_is_refused(text, base) -> None:
    found = outcome(join, base, text)
    if isinstance(found, OcmPkgError):
        assert isinstance(found, RegistryError)
        return
    origin, parts = Origin.of(found), urlsplit(found)
    assert found.isascii()
    assert parts.username is None
    assert parts.fragment == ""
    assert origin.scheme == "https" or base.startswith("http:")
    assert join(found, found) == found


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_retry_after_is_a_time_or_nothing(value, date) -> None:
    found = retry_after(Headers([("Retry-After", value), ("Date", date)]), 1.8e9)
    assert found is None or found >= 0


@given(st.dictionaries(st.sampled_from(["expires_in", "issued_at"]), anything))
def test_any_lifetime_is_bounded(members) -> None:
    assert usable_for(members, 1.8e9) <= 24 * 3600
    assert usable_for({}, 1.8e9) < DEFAULT_LIFETIME


@given(st.one_of(st.binary(max_size=200), anything.map(lambda value: json.dumps(value).encode())))
def test_any_answer_of_a_realm_is_a_token_or_refused(data) -> None:
    challenge = unauthorised(f'Bearer realm="{REALM}"')
    found = outcome(Bench([challenge, answer(200, data), answer()]).get)
    if isinstance(found, OcmPkgError):
        assert found.message.isprintable()
        assert isinstance(found, RegistryError)


@given(
    st.one_of(
        st.binary(max_size=300), anything.map(lambda value: json.dumps({"errors": value}).encode())
    ),
    st.sampled_from(["application/json", "text/html", "text/plain", "\x7f"]),
    st.sampled_from([400, 403, 404, 599, 799]),
)
def test_any_refusal_is_shown_safely(data, kind, status) -> None:
    error = outcome(Bench([answer(status, data, {"Content-Type": kind})]).get)
    assert isinstance(error, OcmPkgError)
    assert error.message.isprintable()
    assert len(error.message) < 1000


@given(headers, headers)
def test_any_challenge_ends_with_an_answer_or_an_error(first, second) -> None:
    found = outcome(
        Bench([unauthorised(first, second), token(), answer()], default=answer(404)).get
    )
    assert (
        found.status == 200 if not isinstance(found, OcmPkgError) else found.message.isprintable()
    )


@given(
    st.dictionaries(st.text(max_size=20), st.just({"auth": "dTpw"}), max_size=4),
    st.sampled_from(["ghcr.io", "docker.io", "127.0.0.1"]),
    st.sampled_from(["443", "5000"]),
)
def test_a_login_that_is_stored_is_found_and_then_removed(auths, host, port) -> None:
    identity = {"type": "OCIRegistry", "hostname": host, "port": port, "scheme": "https"}
    changed, _ = with_login({"auths": auths}, identity, {"username": "new", "password": "p"})
    members = read_members(json.dumps(changed).encode(), name="x")
    found = DockerConfig.parse(members, name="x").entry(identity)
    assert found == {"username": "new", "password": "p"}
    removed, there = with_login(members, identity, None)
    assert there
    assert DockerConfig.parse(removed, name="x").entry(identity) is None
