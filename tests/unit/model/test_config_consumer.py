from __future__ import annotations

import pytest

from ocm_pkg.model.consumer import default_port, fits, glob_matches, most_specific

REGISTRY = {"type": "OCIRegistry", "hostname": "127.0.0.1"}
REQUEST = {**REGISTRY, "scheme": "http", "port": "5872", "path": "a/b"}
DEFAULT = {"type": "OCIRegistry", "hostname": "ghcr.io", "scheme": "https", "path": "acme/ocm"}


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ({"port": "5872"}, True),
        ({}, False),
        ({"port": "5872", "path": "a/*"}, True),
        ({"port": "5872", "path": "a/b"}, True),
        ({"port": "5872", "path": "a"}, False),
        ({"port": "5872", "pathprefix": "a"}, True),
        ({"port": "5872", "pathprefix": "a/b"}, True),
        ({"port": "5872", "pathprefix": "a/b/c"}, False),
        ({"port": "5872", "pathprefix": "aa"}, False),
        ({"port": "5872", "type": "OCIRegistry/v1"}, False),
        ({"port": "5872", "scheme": "https"}, False),
        ({"port": "5872", "scheme": "http"}, True),
        ({"port": "5872", "hostname": "localhost"}, False),
        ({"port": "5872", "realm": "x"}, False),
    ],
)
def test_the_table_of_the_reference_for_a_registry_with_a_port(configured, expected) -> None:
    assert fits({**REGISTRY, **configured}, REQUEST) is expected


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ({}, True),
        ({"port": "443"}, True),
        ({"port": "80"}, False),
        ({"scheme": "oci"}, True),
        ({"scheme": "http"}, False),
        ({"hostname": "GHCR.io"}, True),
        ({"path": "acme/?cm"}, True),
        ({"path": "*"}, False),
        ({"path": "acme/[^x]cm"}, True),
        ({"path": "acme/[^o]cm"}, False),
    ],
)
def test_defaults_of_the_scheme_stand_for_a_missing_port(configured, expected) -> None:
    base = {"type": "OCIRegistry", "hostname": "ghcr.io"}
    assert fits({**base, **configured}, DEFAULT) is expected


def test_a_missing_hostname_does_not_fit_a_given_one() -> None:
    assert not fits({"type": "OCIRegistry"}, DEFAULT)


def test_all_other_attributes_must_be_equal_on_both_sides() -> None:
    request = {"type": "RSA/v1alpha1", "algorithm": "RSASSA-PSS", "signature": "default"}
    assert fits(request, request)
    assert not fits({**request, "type": "RSA"}, request)
    assert not fits({"type": "RSA/v1alpha1", "signature": "default"}, request)
    assert not fits(request, {"type": "RSA/v1alpha1", "signature": "default"})


@pytest.mark.parametrize(
    ("identities", "wins"),
    [
        ([{}, {"path": "acme/*"}], 1),
        ([{"path": "acme/ocm"}, {"path": "acme/*"}], 0),
        ([{"path": "*/ocm"}, {"pathprefix": "acme"}], 0),
        ([{"pathprefix": "acme"}, {"pathprefix": "acme/ocm"}], 1),
        ([{"path": "acme/ocm"}, {"pathprefix": "acme/ocm"}], 0),
        ([{"scheme": "https"}, {"path": "acme/*"}], 1),
        ([{"scheme": "https"}, {}], 0),
        ([{"port": "443"}, {"scheme": "https"}], 1),
        ([{}, {}], 1),
        ([{"scheme": "https", "path": "acme/ocm"}, {"scheme": "https", "path": "acme/o*"}], 0),
    ],
)
def test_the_most_specific_identity_wins_and_the_later_of_equal_ones(identities, wins) -> None:
    base = {"type": "OCIRegistry", "hostname": "ghcr.io"}
    assert most_specific([{**base, **one} for one in identities], DEFAULT) == wins


def test_an_equal_identity_wins_over_all_and_nothing_fits_a_stranger() -> None:
    request = {**DEFAULT, "path": "a[b"}
    assert most_specific([request, {**DEFAULT, "path": "a?b"}], request) == 0
    assert most_specific([DEFAULT], {**DEFAULT, "hostname": "evil.example"}) is None
    assert most_specific([], DEFAULT) is None


def test_a_request_of_the_older_tool_has_its_path_as_prefix() -> None:
    request = {"type": "OCIRegistry", "hostname": "ghcr.io", "pathprefix": "acme/ocm"}
    assert fits({"type": "OCIRegistry", "hostname": "ghcr.io", "path": "acme/*"}, request)


def test_globs_do_not_cross_segments_and_hostile_ones_are_quick() -> None:
    assert not glob_matches("a*", "a/b")
    assert not glob_matches("*a" * 60 + "b", "a" * 200)
    assert not glob_matches("a" * 2000, "a" * 2000)


def test_ports_of_schemes() -> None:
    assert [default_port(one) for one in ("http", "https", "oci", None)] == ["80"] + ["443"] * 3
