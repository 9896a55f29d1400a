from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ocm_pkg.errors import (
    AuthenticationError,
    ConfigError,
    InvalidReferenceError,
    RegistryError,
    TransportError,
)
from ocm_pkg.model.config_settings import HttpSettings
from ocm_pkg.store.client import RegistryClient, Scope
from ocm_pkg.store.exchange import Body, ExchangeError, Phase
from tests.fakes.clients import (
    BASIC,
    BEARER,
    HIDDEN,
    REGISTRY,
    SECRET,
    SENT_BASIC,
    Bench,
    redirect,
    token,
    unauthorised,
)
from tests.fakes.exchange import answer

PULL = Scope("a", ("pull",))
PUSH = Scope("a", ("pull", "push"))
OK = answer(200, b"content")
RETRIED = [408, 425, 429, 500, 502, 503, 504]


def lost() -> ExchangeError:
    return ExchangeError("connection lost", phase=Phase.HEADERS, lost=True)


@pytest.mark.parametrize(
    "url", ["https://h:99999", "ftp://h", "h", "https://", "https://u:hunter2-of-the-test@h"]
)
def test_what_is_no_address_of_a_registry_is_a_mistake_of_the_user(url) -> None:
    with pytest.raises(InvalidReferenceError, match="no address of a registry") as caught:
        Bench(base_url=url)
    assert HIDDEN not in caught.value.message


def test_an_open_registry_is_sent_no_login_and_none_is_looked_for() -> None:
    bench = Bench([OK], secret=SECRET)
    with bench.get("/v2/a/manifests/1", scope=PULL, headers={"Accept": "x"}) as response:
        assert response.read(10) == b"content"
    assert bench.asked == [f"GET {REGISTRY}/v2/a/manifests/1"]
    assert bench.transport.asked[0].headers == {"Accept": "x"}
    assert bench.logins == 0


def test_R12_basic_sends_the_stored_login_and_is_remembered() -> None:
    bench = Bench([unauthorised(BASIC), OK, OK], secret=SECRET)
    bench.get()
    bench.get()
    assert bench.sent == [None, SENT_BASIC, SENT_BASIC]
    assert bench.logins == 1


def test_R11_bearer_is_chosen_whatever_the_order() -> None:
    for challenges in ([BASIC, BEARER], [BEARER, BASIC], [f"{BASIC}, {BEARER}"]):
        bench = Bench([unauthorised(*challenges), token(), OK], secret=SECRET)
        bench.get()
        assert bench.sent[-1] == "Bearer t1"


@pytest.mark.parametrize(
    ("challenges", "secret", "why"),
    [
        ([], SECRET, "does not say how"),
        (["Negotiate"], SECRET, "with negotiate, which ocm-pkg does not know"),
        (["Digest realm=x, NTLM"], SECRET, "with digest, ntlm"),
        (["Bearer service=x"], SECRET, "names no realm"),
        ([BASIC], None, "none are stored"),
        ([BASIC], {"refreshToken": HIDDEN}, "only a token is stored"),
    ],
)
def test_R12_a_challenge_that_cannot_be_answered_fails_at_once(challenges, secret, why) -> None:
    bench = Bench([unauthorised(*challenges)], secret=secret)
    with pytest.raises(AuthenticationError, match=why) as caught:
        bench.get()
    assert caught.value.hint
    assert len(bench.asked) == 1
    assert bench.waits == []


@pytest.mark.parametrize("status", [401, 403])
def test_R13_a_wrong_password_is_sent_once(status) -> None:
    text = {"errors": [{"code": "UNAUTHORIZED", "message": f"{HIDDEN} is wrong"}]}
    bench = Bench([unauthorised(BASIC), answer(status, text, {"WWW-Authenticate": BASIC})])
    bench.secret = SECRET
    with pytest.raises(AuthenticationError) as caught:
        bench.get()
    assert bench.sent == [None, SENT_BASIC]
    assert HIDDEN not in caught.value.message
    assert "*** is wrong" in caught.value.message
    assert caught.value.hint is not None
    assert caught.value.hint.endswith("for another one: ocm-pkg login registry.example")


def test_a_registry_that_forbids_without_asking_for_a_login_may_have_none() -> None:
    text = {"errors": [{"code": "DENIED", "message": "this registry is read-only"}]}
    bench = Bench([answer(403, text)])
    with pytest.raises(
        AuthenticationError, match=r"does not allow this: GET .* read-only"
    ) as caught:
        bench.get()
    assert caught.value.hint == "if it has logins: ocm-pkg login registry.example"
    assert bench.logins == 0


def test_R13_a_registry_that_is_never_content_gets_two_tries() -> None:
    bench = Bench([unauthorised(BEARER), token("t1"), unauthorised(BEARER)], secret=SECRET)
    with pytest.raises(AuthenticationError, match="does not allow this login"):
        bench.get()
    assert bench.sent == [None, SENT_BASIC, "Bearer t1"]


def test_the_same_token_again_is_not_sent_again() -> None:
    script = [unauthorised(BEARER), token("t1"), OK, unauthorised(BEARER), token("t1")]
    bench = Bench(script)
    bench.get()
    with pytest.raises(AuthenticationError, match="does not take the login"):
        bench.get()


@pytest.mark.parametrize("method", ["PATCH", "PUT", "POST", "GET", "DELETE"])
def test_R15_a_token_that_ends_on_the_way_is_renewed_once(method) -> None:
    script = [unauthorised(BEARER), token("t1"), OK, unauthorised(BEARER), token("t2"), OK]
    bench = Bench(script, secret=SECRET)
    body = None if method in ("GET", "DELETE") else Body.of(b"piece")
    for _ in range(2):
        bench.client.call(method, "/v2/a/blobs/uploads/1", scope=PUSH, body=body, idempotent=False)
    last = bench.transport.asked[-1]
    assert last.header("Authorization") == "Bearer t2"
    assert last.body == (body and b"piece")
    bench.transport.script.append(OK)
    bench.client.call(method, "/v2/a/x", scope=PULL)
    assert bench.sent[-1] == "Bearer t2"


def test_R41_twenty_threads_share_one_token_and_one_login() -> None:
    gate = threading.Barrier(20)
    lock = threading.Lock()
    tokens: list[str] = []

    def respond(request):
        if "auth.example" in request.url:
            with lock:
                tokens.append(f"t{len(tokens)}")
                return token(tokens[-1])(request)
        if request.headers.get("Authorization") == "Bearer t0":
            return OK(request)
        gate.wait(5)
        return unauthorised(BEARER)(request)

    bench = Bench(default=respond, secret=SECRET)
    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(lambda _: bench.get("/v2/a/x", scope=PULL), range(20)))
    assert [one.status for one in responses] == [200] * 20
    assert tokens == ["t0"]
    assert bench.logins == 1


def test_credentials_that_cannot_be_read_are_asked_for_once() -> None:
    calls = []

    def broken():
        calls.append(1)
        raise ConfigError("config.json is no JSON object")

    bench = Bench(default=unauthorised(BASIC))
    client = RegistryClient(REGISTRY, bench.transport, credentials=broken)
    for _ in range(2):
        with pytest.raises(ConfigError):
            client.call("GET", "/v2/")
    assert calls == [1]


def test_R17_an_upload_on_another_host_gets_no_login() -> None:
    elsewhere = "https://uploads.example/x?sig=1"
    bench = Bench([unauthorised(BEARER), token(), answer(202, b"", {"Location": elsewhere})])
    bench.secret = SECRET
    started = bench.client.call("POST", "/v2/a/blobs/uploads/", scope=PUSH, expect={202})
    url = bench.client.location(started)
    assert url == elsewhere
    bench.transport.script += [answer(201), unauthorised(BASIC)]
    bench.client.call("PUT", url, scope=PUSH, expect={201}, body=Body.of(b"x"))
    assert bench.sent[-1] is None
    with pytest.raises(AuthenticationError, match=r"uploads\.example/x") as caught:
        bench.client.call("PUT", url, scope=PUSH, expect={201}, body=Body.of(b"x"))
    assert "credentials are not sent to others" in caught.value.hint
    assert "sig=1" not in caught.value.message
    assert bench.sent[-1] is None


@pytest.mark.parametrize(
    "url", ["https://registry.example:8443/x", "https://registry.example.evil"]
)
def test_R17_another_port_or_name_is_another_origin(url) -> None:
    bench = Bench([unauthorised(BASIC), OK, OK], secret=SECRET)
    bench.get()
    bench.get(url)
    assert bench.sent[-1] is None


@pytest.mark.parametrize("url", ["http://registry.example/x", "https://u:p@registry.example/"])
def test_R17_a_way_down_to_http_or_with_user_info_is_refused(url) -> None:
    bench = Bench([answer(202, b"", {"Location": url})])
    response = bench.client.call("POST", "/v2/", expect={202})
    with pytest.raises(RegistryError):
        bench.client.location(response)
    with pytest.raises(RegistryError):
        bench.get(url)
    assert len(bench.asked) == 1


def test_R22_a_missing_location_is_said() -> None:
    bench = Bench([answer(202)])
    response = bench.client.call("POST", "/v2/a/blobs/uploads/", expect={202})
    with pytest.raises(RegistryError, match="202 Accepted and no Location") as caught:
        bench.client.location(response)
    assert caught.value.status == 202


def test_R19_a_redirect_is_followed_without_the_login_and_back_as_well() -> None:
    script = [redirect("https://cdn.example/1?sig=x"), redirect(f"{REGISTRY}/2"), OK]
    bench = Bench([unauthorised(BASIC), *script], secret=SECRET)
    with bench.get("/v2/a/blobs/x", headers={"Range": "bytes=5-"}) as response:
        assert response.url == f"{REGISTRY}/2"
    assert bench.sent == [None, SENT_BASIC, None, None]
    assert {one.header("Range") for one in bench.transport.asked} == {"bytes=5-"}


def test_R19_a_redirect_within_the_registry_keeps_the_login() -> None:
    bench = Bench([unauthorised(BASIC), redirect("../x"), OK], secret=SECRET)
    bench.get("/v2/a/b")
    assert bench.asked[-1] == f"GET {REGISTRY}/v2/x"
    assert bench.sent == [None, SENT_BASIC, SENT_BASIC]


@pytest.mark.parametrize("before", [[], [unauthorised(BASIC)]])
def test_R19_the_realm_of_another_host_is_never_answered(before) -> None:
    evil = unauthorised('Bearer realm="https://evil.example/token"', BASIC)
    bench = Bench([*before, redirect("https://cdn.example/x"), evil], secret=SECRET)
    with pytest.raises(AuthenticationError, match=r"cdn\.example") as caught:
        bench.get()
    assert not any("evil" in one for one in bench.asked)
    assert bench.sent[-1] is None
    assert HIDDEN not in caught.value.message


@pytest.mark.parametrize(
    "location", ["http://cdn.example/x", "file:///etc/passwd", "ftp://h/x", "data:,x"]
)
def test_R21_a_redirect_down_or_to_another_scheme_is_refused(location) -> None:
    bench = Bench([redirect(location)])
    with pytest.raises(RegistryError, match="nothing is sent"):
        bench.get()
    assert len(bench.asked) == 1


def test_R21_at_most_five_redirects_are_followed() -> None:
    loop = Bench(default=redirect("/v2/"))
    with pytest.raises(RegistryError, match="more than 5 times"):
        loop.get()
    assert len(loop.asked) == 6
    five = Bench([*[redirect("/v2/")] * 5, OK])
    five.get()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_redirect_of_a_write_is_not_followed(method) -> None:
    bench = Bench([redirect("https://cdn.example/x")])
    with pytest.raises(RegistryError, match="307") as caught:
        bench.client.call(method, "/v2/a", body=Body.of(b"x"))
    assert caught.value.status == 307
    expected = Bench([redirect("https://cdn.example/x")])
    assert expected.get(expect={307}).status == 307


@pytest.mark.parametrize("status", RETRIED)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"])
def test_R30_a_passing_failure_is_tried_again_with_its_body(status, method) -> None:
    body = Body.of(b"x") if method in ("PUT", "POST", "PATCH") else None
    bench = Bench([answer(status), answer(status), OK])
    bench.client.call(method, "/v2/a", body=body)
    assert [one.body for one in bench.transport.asked] == [body and b"x"] * 3
    assert bench.waits == [0.2, 0.8]


@pytest.mark.parametrize("status", RETRIED)
def test_R30_three_tries_are_all(status) -> None:
    refusal = {"errors": [{"code": "UNKNOWN", "message": "try later"}]}
    bench = Bench(default=answer(status, refusal))
    with pytest.raises(RegistryError, match=r"try later.*tried 3 times") as caught:
        bench.get()
    assert caught.value.status == status
    assert caught.value.registry_code == "UNKNOWN"
    assert len(bench.asked) == 3
    assert sum(bench.waits) < 30


@pytest.mark.parametrize("status", RETRIED)
def test_R43_what_may_not_be_repeated_is_repeated_only_if_it_was_not_looked_at(status) -> None:
    bench = Bench([answer(status), OK])
    if status == 429:
        bench.client.call("PATCH", "/v2/a", body=Body.of(b"x"), idempotent=False)
        return
    with pytest.raises(RegistryError):
        bench.client.call("PATCH", "/v2/a", body=Body.of(b"x"), idempotent=False)
    assert len(bench.asked) == 1


@pytest.mark.parametrize("status", [400, 404, 405, 409, 413, 416, 501])
def test_B07_any_other_status_fails_at_once(status) -> None:
    bench = Bench([answer(status)])
    with pytest.raises(RegistryError) as caught:
        bench.get("/v2/a/manifests/nothing", scope=PULL)
    assert caught.value.status == status
    assert "GET https://registry.example/v2/a/manifests/nothing" in caught.value.message
    assert bench.waits == []
    assert Bench([answer(status)]).get(expect={200, status}).status == status


def test_a_status_that_is_expected_is_not_tried_again() -> None:
    bench = Bench([answer(503)])
    assert bench.get(expect={503}).status == 503
    assert Bench([unauthorised()]).get(expect={401}).status == 401


@pytest.mark.parametrize(
    ("headers", "waits", "says"),
    [
        ({"Retry-After": "7"}, [7, 7], "asked to wait 7 s"),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:05 GMT"}, [5, 5], "asked to wait 5 s"),
        ({"Retry-After": "-3"}, [0.2, 0.8], "tried 3 times"),
        ({"Retry-After": "garbage"}, [0.2, 0.8], "tried 3 times"),
        ({"Retry-After": "315360000"}, [], "asked to wait 3650 days"),
        ({"Retry-After": "9" * 30}, [], "asked to wait for ever"),
        ({"Retry-After": "7200"}, [], "asked to wait 2.0 h"),
        ({}, [0.2, 0.8], "tried 3 times"),
    ],
)
def test_R29_the_registry_says_how_long_to_wait_within_a_cap(headers, waits, says) -> None:
    bench = Bench(default=answer(429, b"", headers))
    with pytest.raises(RegistryError, match=says):
        bench.get()
    assert bench.waits == waits


def test_N01_a_lost_connection_is_tried_again_and_nothing_else_is() -> None:
    bench = Bench([lost(), lost(), OK])
    bench.get()
    assert bench.waits == [0.2, 0.8]
    bench = Bench([lost(), lost(), lost()])
    with pytest.raises(TransportError):
        bench.get()
    bench = Bench([lost()])
    with pytest.raises(TransportError):
        bench.client.call("PATCH", "/v2/a", idempotent=False)
    bench = Bench([ExchangeError("refused", phase=Phase.CONNECT)])
    with pytest.raises(TransportError):
        bench.get()
    assert bench.waits == []


def test_work_of_several_calls_has_the_patience_of_one() -> None:
    bench = Bench()
    patience = bench.client.patience()
    while (seconds := patience.wait()) is not None:
        bench.client.pause(seconds)
    assert bench.waits == [0.2, 0.8]


def test_the_settings_of_a_host_say_how_often_it_is_tried() -> None:
    http = HttpSettings(hosts={"registry.example:443": HttpSettings(max_retries=0)})
    bench = Bench([answer(503)], http=http)
    with pytest.raises(RegistryError):
        bench.get()
    assert bench.waits == []
