"""The configuration: any text gives a value or one of our errors, and secrets stay hidden."""

from __future__ import annotations

import json

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.model.config import Configuration, Kind, parse_entries
from ocm_pkg.model.config_docker import DockerConfig, Helper, read_answer
from ocm_pkg.model.config_show import holds_secrets, lines, shown
from ocm_pkg.model.consumer import fits, most_specific
from ocm_pkg.model.glob import Glob
from ocm_pkg.model.version import Version, is_version
from ocm_pkg.model.versionrange import VersionRange
from tests.fakes.outcome import outcome

HUSHED = "hunter2"
KEYS = [
    *("type", "consumers", "identity", "identities", "credentials", "properties", "repositories"),
    *("repository", "dockerConfig", "dockerConfigFile", "password", "accessToken", "resolvers"),
    *("componentNamePattern", "versionConstraint", "aliases", "prefix", "priority", "signer"),
    *("signatureAlgorithm", "locations", "idleTimeout", "hosts", "timeout", "retry", "maxRetries"),
]
TEXTS = [HUSHED, "Credentials/v1", "OCICredentials", "DockerConfig/v1", "OCI", "a[", "^1", "1h", ""]
LEAVES = st.none() | st.booleans() | st.integers(-2, 5) | st.sampled_from(TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=15,
)
ENTRIES = st.tuples(
    st.sampled_from([str(kind) for kind in Kind] + ["other/v1"]),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4),
)
PATTERNS = st.text("ab/*?[]{},!-\\", max_size=12)
VERSIONS = st.from_regex(r"\A[0-3]\.[0-3]\.[0-3](-(rc|a)\.[0-2])?\Z")
PARTS = st.dictionaries(
    st.sampled_from(["type", "hostname", "port", "scheme", "path", "pathprefix", "x"]),
    st.sampled_from(["", "a", "a/b", "a/*", "[", "80", "443", "http", "https", "oci"]),
)


def read(data: bytes) -> Configuration:
    entries = parse_entries(data, name="c")
    assert holds_secrets(entries) in (True, False)
    return Configuration.of(entries)


@given(st.lists(ENTRIES, max_size=3))
@settings(max_examples=300, derandomize=True, deadline=None)
def test_any_document_is_a_configuration_or_refused_without_its_secrets(entries) -> None:
    document = {
        "type": "generic.config.ocm.software/v1",
        "configurations": [{**members, "type": name} for name, members in entries],
    }
    found = outcome(lambda: read(json.dumps(document).encode()))
    if isinstance(found, OcmPkgError):
        assert HUSHED not in f"{found.message} {found.hint} {found.detail}"
        assert str(found.at).startswith("c:")
        return
    for entry in found.entries:
        text = f"{shown(entry)} {list(lines(entry))}"
        if entry.kind is Kind.CREDENTIALS:
            assert f"'password': '{HUSHED}'" not in text
    assert repr(found.consumers).count(HUSHED) <= repr(
        [one.identity for one in found.consumers]
    ).count(HUSHED)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_any_bytes_are_entries_or_one_of_our_errors(data) -> None:
    for found in (
        outcome(lambda: read(data)),
        outcome(lambda: DockerConfig.parse(data, name="d")),
        outcome(lambda: read_answer(data, helper=Helper("x", "y"))),
    ):
        assert not isinstance(found, OcmPkgError) or found.exit_code == 2


@given(st.text("0123.x*^~<>=!|, -rcv", max_size=20), VERSIONS)
@settings(max_examples=300, derandomize=True, deadline=None)
def test_any_text_is_a_range_or_refused(text, version) -> None:
    try:
        found = VersionRange.parse(text)
    except OcmPkgError:
        return
    assert found.contains(version) in (True, False)


@given(VERSIONS, VERSIONS)
@settings(max_examples=200, derandomize=True, deadline=None)
def test_ranges_agree_with_the_order_of_versions(one, other) -> None:
    assume(is_version(one) and is_version(other))
    first, second = Version.parse(one), Version.parse(other)
    assume(first.pre is None or second.pre is not None)
    assert VersionRange.parse(f">={other}").contains(one) == (first.precedence >= second.precedence)
    assert VersionRange.parse(f"<{other}").contains(one) == (first.precedence < second.precedence)
    inside = VersionRange.parse(f"~{other}").contains(one)
    assert not inside or VersionRange.parse(f">={other}").contains(one)
    both = VersionRange.parse(f"<{other} || >={other}")
    assert both.contains(one)


@given(PATTERNS, st.text("ab/", max_size=8))
@settings(max_examples=300, derandomize=True, deadline=None)
def test_any_text_is_a_pattern_or_refused(pattern, name) -> None:
    try:
        found = Glob.parse(pattern)
    except OcmPkgError:
        return
    assert found.matches(name) in (True, False)


@given(st.lists(PARTS, max_size=4), PARTS)
@settings(max_examples=300, derandomize=True, deadline=None)
def test_what_is_chosen_fits_and_something_is_chosen_if_anything_fits(identities, request) -> None:
    best = most_specific(identities, request)
    usable = [fits(one, request) or one == request for one in identities]
    assert (best is not None) == any(usable)
    assert best is None or usable[best]
    if request in identities:
        assert identities[best] == request
