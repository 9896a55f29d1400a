from __future__ import annotations

import pytest

from ocm_pkg.errors import RegistryError
from ocm_pkg.store.exchange import shown
from ocm_pkg.store.origin import Origin, join

BASE = "https://h/v2/a/uploads/1?state=x"


@pytest.mark.parametrize(
    ("url", "text", "address"),
    [
        ("https://Example.COM/v2/", "https://example.com", "example.com:443"),
        ("https://example.com:443", "https://example.com", "example.com:443"),
        ("http://h:443/", "http://h:443", "h:443"),
        ("http://127.0.0.1:5000/x?y", "http://127.0.0.1:5000", "127.0.0.1:5000"),
        ("http://[::1]/", "http://[::1]", "[::1]:80"),
        ("https://[0:0::1]:8443", "https://[::1]:8443", "[::1]:8443"),
        ("https://my_registry", "https://my_registry", "my_registry:443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url, text, address) -> None:
    origin = Origin.of(url)
    assert str(origin) == text
    assert origin.address == address
    assert origin.name == text.partition("://")[2]


def test_origins_differ_by_scheme_host_or_port_alone() -> None:
    urls = ["https://h", "http://h", "https://h:444", "https://h2"]
    assert len({Origin.of(url) for url in urls}) == 4
    assert Origin.of("https://h/a") == Origin.of("https://H:443/b?c")


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("../x", "https://h/v2/a/x"),
        ("?x=1", "https://h/v2/a/uploads/1?x=1"),
        ("x", "https://h/v2/a/uploads/x"),
        ("/x", "https://h/x"),
        ("//h2:5/x", "https://h2:5/x"),
        ("https://h2/x?a=b#part", "https://h2/x?a=b"),
        (" https://h/a b ", "https://h/a%20b"),
        ("/ü?q=%2F", "https://h/%C3%BC?q=%2F"),
        ("../../../../x", "https://h/x"),
    ],
)
def test_R17_a_location_is_read_by_the_url_standard(location, url) -> None:
    assert join(BASE, location) == url


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://h/x", "from https to http"),
        ("https://user:hunter2@h/x", "user name"),
        ("https://hunter2@h", "user name"),
        ("file:///etc/passwd", "scheme 'file'"),
        ("ftp://h/x", "scheme 'ftp'"),
        ("data:text/plain,x", "scheme 'data'"),
        ("https://h\\@evil/x", "characters"),
        ("https://h/\nx", "characters"),
        ("https://h:port/", "no valid URL"),
        ("https://h:99999/", "no valid URL"),
        ("https://[::1/", "no valid URL"),
        ("https://[::1%25eth0/", "no valid URL"),
        ("https://[1:2]/", "no (valid URL|IPv6 address)"),
        ("https://[v1.x]/", "no IPv6 address"),
        ("https:///x", "no host"),
        ("https:x", "no host"),
        ("https://?x", "no host"),
        ("https://a..b/", "no name"),
        ("https://h%00/", "no name"),
        ("x" * 20_000, "longer than"),
    ],
)
def test_R17_R21_where_nothing_may_be_sent_is_refused(location, why) -> None:
    with pytest.raises(RegistryError, match=why) as caught:
        join(BASE, location)
    assert caught.value.code == "E502"
    assert "hunter2" not in caught.value.message
    assert len(caught.value.message) < 400


def test_http_may_lead_to_https_and_to_http() -> None:
    assert join("http://h/a", "https://h/x") == "https://h/x"
    assert join("http://h/a", "http://h2/x") == "http://h2/x"


@pytest.mark.parametrize(
    ("host", "loopback", "link_local"),
    [
        ("localhost", True, False),
        ("LOCALHOST.", True, False),
        ("a.localhost", True, False),
        ("127.0.0.1", True, False),
        ("127.1", True, False),
        ("0x7f000001", True, False),
        ("2130706433", True, False),
        ("0.0.0.0", True, False),  # noqa: S104
        ("[::1]", True, False),
        ("[::]", True, False),
        ("[::ffff:127.0.0.1]", True, False),
        ("169.254.169.254", False, True),
        ("[fe80::1]", False, True),
        ("[fd00:ec2::254]", False, True),
        ("[::ffff:169.254.1.1]", False, True),
        ("10.0.0.1", False, False),
        ("example.com", False, False),
        ("localhost.example.com", False, False),
    ],
)
def test_R20_this_machine_and_its_link_are_known_in_every_spelling(
    host, loopback, link_local
) -> None:
    origin = Origin.of(f"http://{host}:80/")
    assert (origin.is_loopback, origin.is_link_local) == (loopback, link_local)


def test_a_url_is_shown_without_what_may_be_a_signature() -> None:
    assert shown("https://h/a?X-Amz-Signature=hunter2#x") == "https://h/a"
    assert shown("https://h/\x1b[2J") == "https://h/\\x1b[2J"
