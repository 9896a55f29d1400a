from __future__ import annotations

import pytest

from ocm_pkg.errors import UsageError
from ocm_pkg.store.serving.listening import is_loopback, parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("127.0.0.1", ("127.0.0.1", 5000)),
        ("localhost:80", ("localhost", 80)),
        ("[::1]:65535", ("::1", 65535)),
        ("[::]", ("::", 5000)),
    ],
)
def test_an_address_is_read(text, expected):
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    "text", ["", ":5000", "a:", "a:b", "::1", "a:65536", "[::1", "a:-1", "a:1:2"]
)
def test_no_address_is_guessed(text):
    with pytest.raises(UsageError, match="no address"):
        parse_address(text)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - is what is tested
        ("::", False),
        ("10.0.0.1", False),
        ("example.com", False),
    ],
)
def test_only_loopback_is_for_this_machine_alone(host, expected):
    assert is_loopback(host) is expected
