"""Where requests go: URLs, proxies, and the heads that are sent."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import ConfigError, RegistryError, TransportError
from ocm_pkg.store.exchange import Body, Request
from ocm_pkg.store.proxies import Proxy, proxy_for
from ocm_pkg.store.route import Route, Target, connect_head, request_head

URL = "https://registry.example.com/v2/x?n=1"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (URL, ("https", "registry.example.com", 443, "registry.example.com", "/v2/x?n=1")),
        ("HTTP://A.B:5000", ("http", "a.b", 5000, "a.b:5000", "/")),
        ("http://[::1]:80/", ("http", "::1", 80, "[::1]:80", "/")),
        ("http://a?x=y", ("http", "a", 80, "a", "/?x=y")),
        ("http://a/%2e%2e/b@c:d", ("http", "a", 80, "a", "/%2e%2e/b@c:d")),
    ],
)
def test_a_url_is_taken_apart(url, expected):
    target = Target.of(url)
    parts = (target.scheme, target.host, target.port, target.authority, target.path)
    assert parts == expected


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://a/", "file:///etc/passwd", "//a/b", "/v2/", "", "http://", "http:///x"),
        *("http://user:pass@a/", "http://a@b/", "http://a:0/", "http://a:99999/", "http://a:x/"),
        *("http://a/b c", "http://a/\r\nX: y", "http://a/\x00", "http://ä/", "http://a/#fragment"),
        *("http://a\\b/", "http://[::1/", "http://a/ü", "http://a..b/", "http://./", "http://.a/"),
        *(f"http://{'a' * 64}/", f"http://{'a.' * 130}/"),
    ],
)
def test_what_is_no_url_for_us_is_refused(url):
    with pytest.raises(RegistryError) as caught:
        Target.of(url)
    assert "pass" not in caught.value.message.replace("passwd", "")
    assert caught.value.hint


def test_the_address_of_an_error_is_host_and_port():
    assert Target.of(URL).address == "registry.example.com:443"
    assert Target.of("http://[::1]/").address == "[::1]:80"


def test_a_request_is_written_with_its_framing():
    request = Request("PUT", URL, {"Accept": "x"}, Body.of(b"1234"))
    head = request_head(request, Target.of(URL), None).decode()
    assert head.startswith("PUT /v2/x?n=1 HTTP/1.1\r\nHost: registry.example.com\r\nUser-Agent: oc")
    assert "\r\nAccept-Encoding: identity\r\nAccept: x\r\nContent-Length: 4\r\n\r\n" in head


@pytest.mark.parametrize(("method", "there"), [("POST", True), ("PUT", True), ("GET", False)])
def test_a_request_without_a_body_says_so_where_one_is_expected(method, there):
    head = request_head(Request(method, URL), Target.of(URL), None).decode()
    assert ("Content-Length: 0" in head) is there


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer a\r\nX: y"},
        {"Authorization": "Bearer ä"},
        {"A\r\nB": "c"},
        {"A": "b\x00"},
        {"Host": "other"},
        {"content-length": "5"},
        {"Accept-Encoding": "gzip"},
    ],
)
def test_headers_that_cannot_be_sent_are_refused_without_their_value(headers):
    with pytest.raises(TransportError, match="cannot be sent") as caught:
        request_head(Request("GET", URL, headers), Target.of(URL), None)
    assert "Bearer" not in caught.value.message


def test_a_tunnel_is_asked_for_with_nothing_but_the_place():
    route = Route("https", "::1", 443, Proxy("p", 3128, authorization="Basic x"))
    assert route.proxy is not None
    assert connect_head(route, route.proxy) == (
        b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: Basic x\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://proxy.test:3128", Proxy("proxy.test", 3128)),
        ("proxy.test:3128/", Proxy("proxy.test", 3128)),
        ("http://proxy.test", Proxy("proxy.test", 80)),
        ("https://proxy.test", Proxy("proxy.test", 443, tls=True)),
        ("http://[::1]:8080", Proxy("::1", 8080)),
        (
            "http://me:p%40ss@proxy.test:1",
            Proxy("proxy.test", 1, authorization="Basic bWU6cEBzcw=="),
        ),
        ("http://me@proxy.test:1", Proxy("proxy.test", 1, authorization="Basic bWU6")),
    ],
)
def test_a_proxy_is_read_from_its_variable(value, expected):
    assert proxy_for("https", "registry.test", 443, {"https_proxy": value}) == expected
    assert proxy_for("https", "registry.test", 443, {"HTTPS_PROXY": value}) == expected
    assert proxy_for("http", "registry.test", 80, {"https_proxy": value}) is None


def test_the_variable_in_lower_case_comes_first_and_an_empty_one_is_none():
    environ = {"http_proxy": "one:1", "HTTP_PROXY": "two:2"}
    assert str(proxy_for("http", "a.test", 80, environ)) == "one:1"
    assert proxy_for("http", "a.test", 80, {"http_proxy": " ", "HTTP_PROXY": ""}) is None


@pytest.mark.parametrize(
    "value", ["socks5://p:1", "http://p:0", "http://p:99999", "http://me:s3cret@", "a b", "http://"]
)
def test_what_is_no_proxy_is_an_error_that_does_not_show_it(value):
    with pytest.raises(ConfigError, match="https_proxy") as caught:
        proxy_for("https", "registry.test", 443, {"https_proxy": value})
    assert "s3cret" not in caught.value.message


def test_the_login_of_a_proxy_is_in_no_repr():
    proxy = proxy_for("http", "a.test", 80, {"http_proxy": "http://me:s3cret@p:1"})
    assert "Basic" not in repr(proxy)
    assert str(proxy) == "p:1"


@pytest.mark.parametrize(
    ("excepted", "host", "direct"),
    [
        ("*", "a.test", True),
        ("example.com", "example.com", True),
        ("example.com", "registry.example.com", True),
        ("example.com", "badexample.com", False),
        (".example.com", "registry.example.com", True),
        (".example.com", "example.com", False),
        ("*.example.com", "registry.example.com", True),
        ("other, EXAMPLE.com ,", "Registry.Example.COM.", True),
        ("example.com:5000", "example.com", True),
        ("example.com:5001", "example.com", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "ten.test", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("2001:db8::/32", "2001:db8::7", True),
        ("[2001:db8::7]:5000", "2001:db8::7", True),
        ("2001:db8:0::7", "2001:db8::7", True),
        ("1.2.3", "10.1.2.3", False),
        ("", "a.test", False),
        ("*.", "a.test", False),
        ("not/anetwork", "a.test", False),
    ],
)
def test_what_NO_PROXY_names_is_reached_directly(excepted, host, direct):
    for name in ("no_proxy", "NO_PROXY"):
        environ = {"http_proxy": "p:1", name: excepted}
        assert (proxy_for("http", host, 5000, environ) is None) is direct


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_reached_directly(host):
    assert proxy_for("http", host, 80, {"http_proxy": "p:1"}) is None
