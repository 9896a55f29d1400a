from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from ocm_pkg.errors import AuthenticationError, RegistryError
from ocm_pkg.model.config_settings import HttpSettings
from ocm_pkg.store.tokens import Scope, usable_for
from tests.fakes.clients import (
    BEARER,
    HIDDEN,
    REALM,
    SECRET,
    SENT_BASIC,
    Bench,
    token,
    unauthorised,
)
from tests.fakes.exchange import answer

PULL = Scope("a", ("pull",))
PUSH = Scope("a", ("push", "pull"))
OK = answer()


def test_a_token_is_asked_for_service_and_scope_without_a_login_if_there_is_none() -> None:
    bench = Bench([unauthorised(BEARER), token(), OK])
    bench.get("/v2/a/tags/list", scope=PUSH)
    parts = urlsplit(bench.transport.asked[1].url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == REALM
    assert parse_qsl(parts.query) == [
        ("service", "registry.example"),
        ("scope", "repository:a:pull,push"),
    ]
    assert bench.sent == [None, None, "Bearer t1"]
    assert bench.logins == 1


def test_a_realm_keeps_its_own_query() -> None:
    bench = Bench([unauthorised('Bearer realm="https://auth.example/t?x=y"'), token(), OK])
    bench.get()
    assert bench.asked[1] == "GET https://auth.example/t?x=y"


def test_user_and_password_go_to_the_realm_and_only_the_token_to_the_registry() -> None:
    bench = Bench([unauthorised(BEARER), token(), OK], secret=SECRET)
    bench.get()
    assert bench.sent == [None, SENT_BASIC, "Bearer t1"]


@pytest.mark.parametrize("name", ["refreshToken", "identityToken"])
def test_an_identity_token_is_exchanged_by_post(name) -> None:
    bench = Bench(
        [unauthorised(BEARER), answer(200, {"access_token": "t1"}), OK], secret={name: HIDDEN}
    )
    bench.get(scope=PUSH)
    post = bench.transport.asked[1]
    assert (post.method, post.url) == ("POST", REALM)
    assert parse_qs(post.body.decode()) == {
        "grant_type": ["refresh_token"],
        "service": ["registry.example"],
        "client_id": ["ocm-pkg"],
        "scope": ["repository:a:pull,push"],
        "refresh_token": [HIDDEN],
    }
    assert bench.sent == [None, None, "Bearer t1"]


@pytest.mark.parametrize("status", [404, 405, 501])
def test_an_identity_token_is_shown_by_get_where_there_is_no_post(status) -> None:
    bench = Bench(
        [unauthorised(BEARER), answer(status), token(), OK],
        secret={"username": "user", "password": "", "refreshToken": HIDDEN},
    )
    bench.get()
    assert bench.sent == [None, None, SENT_BASIC, "Bearer t1"]
    assert bench.asked[2].startswith("GET ")


def test_a_registry_token_is_sent_as_it_is() -> None:
    bench = Bench([unauthorised(BEARER), OK, OK], secret={"accessToken": "own"})
    bench.get()
    bench.get()
    assert bench.sent == [None, "Bearer own", "Bearer own"]


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"token": "a"}, "a"),
        ({"access_token": "b"}, "b"),
        ({"token": "a", "access_token": "b"}, "a"),
        ({"token": "", "access_token": "b"}, "b"),
    ],
)
def test_R14_a_token_is_called_token_or_access_token(body, sent) -> None:
    bench = Bench([unauthorised(BEARER), answer(200, body), OK])
    bench.get()
    assert bench.sent[-1] == f"Bearer {sent}"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": 5},
        {"token": "a\r\nX-Evil: 1"},
        {"token": "a b"},
        {"token": "ä"},
        ["hunter2-of-the-test"],
        b"hunter2-of-the-test",
        b'{"token": "hunter2-of-the-test", "token": "b"}',
        b"\xff",
        b"",
    ],
)
def test_R14_what_is_no_token_is_refused_and_not_shown(body) -> None:
    bench = Bench([unauthorised(BEARER), answer(200, body)])
    with pytest.raises(RegistryError) as caught:
        bench.get()
    assert HIDDEN not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__context__ is None
    assert len(bench.asked) == 2


@pytest.mark.parametrize(
    ("members", "seconds"),
    [
        ({}, 54),
        ({"expires_in": 0}, 54),
        ({"expires_in": -5}, 54),
        ({"expires_in": "3600"}, 54),
        ({"expires_in": None}, 54),
        ({"expires_in": True}, 54),
        ({"expires_in": 10}, 9),
        ({"expires_in": 300}, 290),
        ({"expires_in": 300.5}, 290.5),
        ({"expires_in": 10**300}, 86_390),
        ({"expires_in": 300, "issued_at": "2027-01-15T07:59:00Z"}, 230),
        ({"expires_in": 300, "issued_at": "2027-01-15T07:59:00.123456789Z"}, 230),
        ({"expires_in": 300, "issued_at": "2027-01-15T07:59:00"}, 230),
        ({"expires_in": 300, "issued_at": "2027-01-15T09:00:00Z"}, 290),
        ({"expires_in": 300, "issued_at": "2026-01-15T09:00:00Z"}, None),
        ({"expires_in": 300, "issued_at": "yesterday"}, 290),
        ({"expires_in": 300, "issued_at": 5}, 290),
    ],
)
def test_R14_a_token_is_used_for_less_than_it_is_good(members, seconds) -> None:
    found = usable_for(members, 1_800_000_000.0)
    if seconds is None:
        assert found < 0
    else:
        assert found == pytest.approx(seconds, abs=1)


def test_R14_a_token_is_renewed_before_its_end_and_not_sooner() -> None:
    bench = Bench(
        [unauthorised(BEARER), token("t1", expires_in=300), OK, OK, token("t2"), OK],
    )
    bench.get()
    bench.now += 289
    bench.get()
    bench.now += 2
    bench.get()
    assert bench.sent == [None, None, "Bearer t1", "Bearer t1", None, "Bearer t2"]


def test_R14_a_token_that_is_over_when_it_comes_is_used_once() -> None:
    late = {"expires_in": 60, "issued_at": "2026-01-01T00:00:00Z"}
    bench = Bench([unauthorised(BEARER), token("t1", **late), OK, token("t2", **late), OK])
    bench.get()
    bench.get()
    assert bench.sent == [None, None, "Bearer t1", None, "Bearer t2"]


def test_R14_the_age_of_a_token_is_taken_from_the_clock_of_its_server() -> None:
    late = answer(
        200,
        {"token": "t1", "expires_in": 300, "issued_at": "2020-01-01T00:00:00Z"},
        {"Date": "Wed, 01 Jan 2020 00:00:00 GMT"},
    )
    bench = Bench([unauthorised(BEARER), late, OK, OK])
    bench.get()
    bench.get()
    assert bench.sent[-2:] == ["Bearer t1", "Bearer t1"]


def test_R16_there_is_a_token_for_each_scope() -> None:
    bench = Bench(
        [unauthorised(BEARER), token("pull-a"), OK, token("push-b"), OK, OK, token("pull-c"), OK]
    )
    bench.get("/v2/a/x", scope=PULL)
    push_b = Scope("b", ("pull", "push"))
    bench.get("/v2/b/x", scope=push_b)
    bench.get("/v2/b/x", scope=Scope("b", ("pull",)))
    bench.get("/v2/c/x", scope=Scope("c", ("pull",)))
    assert [one for one in bench.sent if one] == [
        "Bearer pull-a",
        "Bearer push-b",
        "Bearer push-b",
        "Bearer pull-c",
    ]


def test_R16_threads_get_tokens_for_what_they_do_and_nothing_else() -> None:
    def respond(request):
        if request.url.startswith(REALM):
            scope = dict(parse_qsl(urlsplit(request.url).query))["scope"]
            return token(scope.replace(":", "-"))(request)
        name = request.url.rpartition("/")[2]
        wanted = f"Bearer repository-{name}-pull"
        sent = request.headers.get("Authorization")
        return OK(request) if sent == wanted else unauthorised(BEARER)(request)

    bench = Bench(default=respond)
    names = [f"r{number % 5}" for number in range(40)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda one: bench.get(f"/v2/{one}", scope=Scope(one, ("pull",))), names))
    realms = [one for one in bench.asked if REALM in one]
    assert len(realms) == 5


def test_R16_a_mount_asks_for_both_repositories() -> None:
    bench = Bench([unauthorised(BEARER), token(), OK])
    scope = Scope("b", ("pull", "push"), also=(Scope("a", ("pull",)),))
    bench.client.call("POST", "/v2/b/blobs/uploads/?mount=x&from=a", scope=scope)
    query = parse_qsl(urlsplit(bench.transport.asked[1].url).query)
    assert query[1:] == [("scope", "repository:a:pull"), ("scope", "repository:b:pull,push")]


def test_the_scope_of_the_challenge_is_asked_for_too() -> None:
    challenge = BEARER + ',scope="repository:team/a:pull"'
    bench = Bench([unauthorised(challenge), token(), OK, OK])
    bench.get("/v2/a/x", scope=PULL)
    bench.get("/v2/a/x", scope=PULL)
    query = parse_qsl(urlsplit(bench.transport.asked[1].url).query)
    assert query[1:] == [("scope", "repository:a:pull"), ("scope", "repository:team/a:pull")]
    assert bench.sent == [None, None, "Bearer t1", "Bearer t1"]


def test_the_list_of_repositories_has_a_scope_of_its_own() -> None:
    assert Scope.catalog().grants == {("registry:catalog", "*")}


@pytest.mark.parametrize(
    ("base_url", "realm", "why"),
    [
        ("https://registry.example", "http://auth.example/t", "is not https"),
        ("https://registry.example", "https://127.0.0.1/t", "this machine"),
        ("https://registry.example", "https://localhost:9/t", "this machine"),
        ("https://registry.example", "https://2130706433/t", "this machine"),
        ("http://registry.example", "http://[::1]/t", "this machine"),
        ("https://registry.example", "https://169.254.169.254/t", "link-local"),
        ("http://registry.example", "http://[fe80::1]/t", "link-local"),
        ("http://127.0.0.1:5000", "http://169.254.169.254/t", "link-local"),
    ],
)
@pytest.mark.parametrize("secret", [SECRET, {"refreshToken": HIDDEN}, None])
def test_R20_a_realm_that_credentials_must_not_go_to_is_asked_for_nothing(
    base_url, realm, why, secret
) -> None:
    bench = Bench([unauthorised(f'Bearer realm="{realm}"')], base_url=base_url, secret=secret)
    with pytest.raises(AuthenticationError, match=why) as caught:
        bench.get()
    assert len(bench.asked) == 1
    assert "http.config.ocm.software" in caught.value.hint


@pytest.mark.parametrize(
    ("base_url", "realm"),
    [
        ("https://registry.example", "https://auth.example/t"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5001/t"),
        ("http://localhost:5000", "https://auth.example/t"),
        ("http://registry.example", "http://auth.example/t"),
    ],
)
def test_R20_other_realms_are_asked(base_url, realm) -> None:
    bench = Bench(
        [unauthorised(f'Bearer realm="{realm}"'), token(), OK], base_url=base_url, secret=SECRET
    )
    bench.get()
    assert bench.sent[1] == SENT_BASIC


def test_R20_a_realm_that_is_configured_as_a_host_is_asked() -> None:
    http = HttpSettings(hosts={"auth.example:80": HttpSettings()})
    script = [unauthorised('Bearer realm="http://auth.example/t"'), token(), OK]
    bench = Bench(script, http=http, secret=SECRET)
    bench.get()
    assert bench.sent == [None, SENT_BASIC, "Bearer t1"]


@pytest.mark.parametrize(
    "realm",
    ["file:///etc/passwd", "ftp://auth.example/", "https://user:x@auth.example/", "/token", "x\n"],
)
def test_R20_a_realm_that_is_no_url_is_refused(realm) -> None:
    bench = Bench([unauthorised(f'Bearer realm="{realm}"')], secret=SECRET)
    with pytest.raises(RegistryError):
        bench.get()
    assert len(bench.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 403])
def test_R13_a_login_that_the_realm_does_not_take_is_shown_once(status) -> None:
    refusal = {"errors": [{"code": "UNAUTHORIZED", "message": f"no {HIDDEN} here"}]}
    bench = Bench([unauthorised(BEARER), answer(status, refusal)], secret=SECRET)
    for _ in range(3):
        with pytest.raises(AuthenticationError, match=r"does not take the login .*no \*\*\* here"):
            bench.get(scope=PULL)
        bench.transport.script.append(unauthorised(BEARER))
    assert bench.sent.count(SENT_BASIC) == 1
    assert bench.waits == []


def test_a_realm_that_fails_for_a_moment_is_asked_again() -> None:
    bench = Bench([unauthorised(BEARER), answer(503), token(), OK])
    bench.get()
    assert bench.waits == [0.2]
    bench = Bench([unauthorised(BEARER), answer(500), answer(500), answer(500)], secret=SECRET)
    with pytest.raises(RegistryError, match=r"500 .*tried 3 times") as caught:
        bench.get()
    assert caught.value.status == 500


def test_R07_a_token_answer_without_end_is_refused() -> None:
    bench = Bench([unauthorised(BEARER), answer(200, b"[" * (1024 * 1024 + 1))])
    with pytest.raises(RegistryError, match="longer than"):
        bench.get()


def test_R20_the_login_does_not_follow_a_realm_that_redirects_elsewhere() -> None:
    script = [unauthorised(BEARER), answer(302, b"", {"Location": "https://evil.example/"})]
    bench = Bench([*script, token(), OK], secret=SECRET)
    bench.get()
    assert bench.sent == [None, SENT_BASIC, None, "Bearer t1"]
