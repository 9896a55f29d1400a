from __future__ import annotations

import time

import pytest

from ocm_pkg.store.challenge import (
    Challenge,
    granted,
    parse_challenges,
    scope_texts,
    strongest,
)

REALM = {"realm": "https://a/t"}


def read(*headers: str) -> list[tuple[str, dict[str, str]]]:
    return [(one.scheme, dict(one.parameters)) for one in parse_challenges(headers)]


@pytest.mark.parametrize(
    ("headers", "challenges"),
    [
        (['Bearer realm="https://a/t"'], [("bearer", REALM)]),
        (["bEARER Realm=https://a/t"], [("bearer", REALM)]),
        (['Bearer  realm = "https://a/t" '], [("bearer", REALM)]),
        (['Bearer realm="https://a/t", Basic'], [("bearer", REALM), ("basic", {})]),
        (["Basic", 'Bearer realm="https://a/t"'], [("basic", {}), ("bearer", REALM)]),
        (
            ['Basic realm="x",Bearer service=s,realm="https://a/t"'],
            [("basic", {"realm": "x"}), ("bearer", {**REALM, "service": "s"})],
        ),
        (
            [r'Bearer service="a, \"b\", Basic realm=\\",realm="https://a/t"'],
            [("bearer", {"service": 'a, "b", Basic realm=\\', **REALM})],
        ),
        (
            ['Bearer realm="https://a/t",scope="repository:a:pull,push repository:b:pull"'],
            [("bearer", {**REALM, "scope": "repository:a:pull,push repository:b:pull"})],
        ),
        (
            ['Negotiate YWJj==, Bearer realm="https://a/t"'],
            [("negotiate", {}), ("bearer", REALM)],
        ),
        ([',, Negotiate ,, Basic realm="" ,'], [("negotiate", {}), ("basic", {"realm": ""})]),
        (['Bearer realm="https://a/t" service="s"'], [("bearer", {**REALM, "service": "s"})]),
        (['Bearer realm="https://a/t'], [("bearer", REALM)]),
        (['Bearer realm="https://a/t", realm="https://evil/"'], [("bearer", REALM)]),
        (['Bearer error=,realm="https://a/t"'], [("bearer", REALM)]),
        (["", " ", '"', '="x"', "\x00\x01"], []),
    ],
)
def test_R11_a_challenge_is_read_in_every_form(headers, challenges) -> None:
    assert read(*headers) == challenges


def test_a_token68_is_kept() -> None:
    [one] = parse_challenges(["Negotiate a+/b-._~=="])
    assert one == Challenge("negotiate", one.parameters, "a+/b-._~==")


@pytest.mark.parametrize(
    ("header", "scheme"),
    [
        ("Basic, Bearer realm=x", "bearer"),
        ("Bearer realm=x, Basic", "bearer"),
        ("Bearer, Basic", "basic"),
        ('Bearer realm="", Basic', "basic"),
        ("Negotiate, Digest realm=x", None),
        ("", None),
    ],
)
def test_R11_the_strongest_that_is_usable_is_answered(header, scheme) -> None:
    found = strongest(parse_challenges([header]))
    assert (found.scheme if found else None) == scheme


@pytest.mark.parametrize("unit", ['"', "a=", "a ", '\\"', "a, ", 'a="\\', " ", ",", "=", "a=b "])
def test_R11_a_long_header_takes_no_long_time(unit) -> None:
    began = time.monotonic()
    parse_challenges([unit * 50_000, 'Bearer realm="' + unit * 50_000])
    assert time.monotonic() - began < 2


def test_scopes_are_sets_of_grants() -> None:
    text = "repository:h:5000/a:push,pull repository:b:pull registry:catalog:* aws"
    grants = granted(text)
    assert ("repository:h:5000/a", "push") in grants
    assert scope_texts(grants) == (
        "aws",
        "registry:catalog:*",
        "repository:b:pull",
        "repository:h:5000/a:pull,push",
    )
    assert granted("") == frozenset()
    assert scope_texts(granted("a:pull a:push")) == ("a:pull,push",)
