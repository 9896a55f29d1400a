from __future__ import annotations

import pytest

from ocm_pkg.errors import InvalidReferenceError
from ocm_pkg.model.digest import Digest
from ocm_pkg.store.registry import ImageName, image_name

SHA = "sha256:" + "a" * 64
DIGEST = Digest("sha256", "a" * 64)
HUB = "https://registry-1.docker.io"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("ghcr.io/a/b:1.0", ImageName("https://ghcr.io", "a/b", "1.0", None)),
        ("ghcr.io/a", ImageName("https://ghcr.io", "a", None, None)),
        (f"ghcr.io/a/b:1.0@{SHA}", ImageName("https://ghcr.io", "a/b", "1.0", DIGEST)),
        (f"ghcr.io/a/b@{SHA}", ImageName("https://ghcr.io", "a/b", None, DIGEST)),
        ("http://localhost:5000/a/b/c", ImageName("http://localhost:5000", "a/b/c", None, None)),
        ("https://example.com:8443/a", ImageName("https://example.com:8443", "a", None, None)),
        ("localhost/a:1", ImageName("https://localhost", "a", "1", None)),
        ("host:5000/a:1", ImageName("https://host:5000", "a", "1", None)),
        ("127.0.0.1:5000/a", ImageName("https://127.0.0.1:5000", "a", None, None)),
        ("[::1]:5000/a/b:1", ImageName("https://[::1]:5000", "a/b", "1", None)),
        ("alpine", ImageName(HUB, "library/alpine", None, None)),
        ("alpine:3", ImageName(HUB, "library/alpine", "3", None)),
        ("docker.io/alpine", ImageName(HUB, "library/alpine", None, None)),
        ("index.docker.io/grafana/loki:2", ImageName(HUB, "grafana/loki", "2", None)),
        ("grafana/loki", ImageName(HUB, "grafana/loki", None, None)),
        ("a.b/c.d/e", ImageName("https://a.b", "c.d/e", None, None)),
    ],
)
def test_an_image_reference_is_read(reference, expected):
    assert image_name(reference) == expected


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "/",
        "ghcr.io/",
        "ghcr.io/A/b",
        "ghcr.io/a/../b",
        "ghcr.io/a//b",
        "ghcr.io/a:",
        "ghcr.io/a:-x",
        "ghcr.io/a@sha256:xyz",
        "ghcr.io/a@md5:" + "a" * 32,
        "ghcr.io/a@" + SHA.upper(),
        "ftp://ghcr.io/a",
        "https:///a",
        "https://user:pass@ghcr.io/a",
        "ghcr.io/a b",
        "ghcr.io/a\n",
        "ghcr.io:99999999/a",
        "ghcr.io/a?x",
        "ghcr.io/" + "a" * 300,
        "a" * 2000,
        "ghcr.io/\x1b[31m",
        ".../a",
    ],
)
def test_what_is_no_image_reference_is_refused(reference):
    with pytest.raises(InvalidReferenceError) as caught:
        image_name(reference)
    assert caught.value.message.isprintable()
