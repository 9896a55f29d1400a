"""Provenance of a binary: an in-toto statement that is the same wherever it is made."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import Digest, digest_of
from ocm_pkg.model.part import BuiltTarget, Part
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.provenance import Provenance, SourceLocation

DIGEST, LOCK, PYTHON = digest_of(b"x"), digest_of(b"lock"), digest_of(b"python")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
IMAGE = f"docker.io/library/debian@{digest_of(b'image')}"
LOCATION = SourceLocation("https://example.com/acme/hello.git", "plugins/hello")
TARGET = BuiltTarget(
    Platform("linux", "amd64"),
    DIGEST,
    1,
    "file",
    "pyinstaller",
    tools={"python": "3.11.7", "python-digest": str(PYTHON), "ocm-pkg": "0.1.0", "image": IMAGE},
)
PART = Part("example.com/plugins/hello", "1.0.0", COMMIT, digest_of(b"config"), LOCK, (TARGET,))


def made(part=PART, target=TARGET, location=LOCATION):
    return Provenance.of(part, target, file="hello.linux-amd64", location=location)


def test_the_statement_has_the_documented_form():
    statement = json.loads(made().encode())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["subject"] == [{"name": "hello.linux-amd64", "digest": {"sha256": DIGEST.hex}}]
    definition = statement["predicate"]["buildDefinition"]
    assert definition["buildType"] == "https://ocm-pkg.dev/build/v1"
    assert definition["externalParameters"] == {
        "component": "example.com/plugins/hello",
        "version": "1.0.0",
        "platform": "linux/amd64",
        "builder": "pyinstaller",
        "shape": "file",
        "config": str(PART.config),
        "project": "plugins/hello",
        "source": {"repository": LOCATION.repository, "commit": COMMIT},
    }
    assert definition["internalParameters"] == {"tools": dict(TARGET.tools)}
    assert statement["predicate"]["runDetails"] == {
        "builder": {"id": "https://ocm-pkg.dev/builder/v1", "version": {"ocm-pkg": "0.1.0"}}
    }


def test_everything_that_went_in_is_a_dependency_with_its_digest():
    definition = json.loads(made().encode())["predicate"]["buildDefinition"]
    assert definition["resolvedDependencies"] == [
        {
            "name": "source",
            "uri": f"git+https://example.com/acme/hello.git@{COMMIT}",
            "digest": {"gitCommit": COMMIT},
        },
        {"name": "requirements", "digest": {"sha256": LOCK.hex}},
        {"name": "python", "digest": {"sha256": PYTHON.hex}},
        {
            "name": "image",
            "uri": f"oci://{IMAGE}",
            "digest": {"sha256": digest_of(b"image").hex},
        },
    ]


def test_what_is_not_known_is_no_dependency():
    part = replace(PART, commit=None, lock=None)
    plain = made(part, replace(TARGET, tools={"image": "debian:12"}), SourceLocation())
    definition = plain.to_json()["predicate"]["buildDefinition"]
    assert definition["resolvedDependencies"] == []
    assert definition["externalParameters"]["source"] == {"repository": None, "commit": None}
    assert definition["externalParameters"]["project"] == "."
    assert plain.to_json()["predicate"]["runDetails"]["builder"].keys() == {"id"}


def test_the_git_protocol_needs_no_prefix():
    location = SourceLocation("git://example.com/hello")
    (source, *_others) = made(location=location).to_json()["predicate"]["buildDefinition"][
        "resolvedDependencies"
    ]
    assert source["uri"] == f"git://example.com/hello@{COMMIT}"


def test_sources_that_differ_from_their_commit_have_none():
    assert made(replace(PART, commit=f"{COMMIT}-dirty")).commit is None


def test_the_same_build_has_the_same_bytes_whatever_the_order_of_its_tools():
    other = replace(TARGET, tools=dict(reversed(TARGET.tools.items())))
    assert made(target=other).encode() == made().encode()
    assert made().encode().endswith(b"}\n")


@pytest.mark.parametrize("location", [LOCATION, SourceLocation()], ids=["known", "unknown"])
@pytest.mark.parametrize("lock", [LOCK, None, Digest("sha512", "ab" * 64)], ids=str)
def test_it_is_read_as_it_was_written(location, lock):
    written = made(replace(PART, lock=lock), location=location)
    assert Provenance.parse(written.encode(), name="it") == written


def test_members_that_others_added_are_passed_over():
    statement = made().to_json()
    statement["predicate"]["runDetails"]["metadata"] = {"invocationId": "x"}
    statement["predicate"]["buildDefinition"]["externalParameters"]["more"] = 1
    assert Provenance.parse(json.dumps(statement).encode(), name="it") == made()


def without(path):
    statement = made().to_json()
    *above, last = path.split(".")
    value = statement
    for key in above:
        value = value[int(key)] if key.isdecimal() else value[key]
    del value[last]
    return statement


@pytest.mark.parametrize(
    "path",
    [
        "_type",
        "subject",
        "subject.0.name",
        "subject.0.digest",
        "predicateType",
        "predicate",
        "predicate.buildDefinition",
        "predicate.buildDefinition.buildType",
        "predicate.buildDefinition.internalParameters",
        "predicate.buildDefinition.internalParameters.tools",
        "predicate.buildDefinition.resolvedDependencies",
        "predicate.buildDefinition.externalParameters.component",
        "predicate.buildDefinition.externalParameters.version",
        "predicate.buildDefinition.externalParameters.platform",
        "predicate.buildDefinition.externalParameters.builder",
        "predicate.buildDefinition.externalParameters.shape",
        "predicate.buildDefinition.externalParameters.config",
        "predicate.buildDefinition.externalParameters.project",
        "predicate.buildDefinition.externalParameters.source",
    ],
)
def test_a_statement_that_lacks_something_is_refused_and_it_is_named(path):
    with pytest.raises(InvalidDocumentError) as caught:
        Provenance.parse(json.dumps(without(path)).encode(), name="it.json")
    assert path.rpartition(".")[2] in caught.value.message
    assert "it.json" in caught.value.message


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("_type",), "https://in-toto.io/Statement/v0.1", "_type is not"),
        (("predicateType",), "https://slsa.dev/provenance/v0.2", "predicateType is not"),
        (("subject",), [], "subject must be one file"),
        (("subject",), [{"name": "a", "digest": {}}] * 2, "subject must be one file"),
        (("subject", 0, "digest"), {"md5": "x"}, "neither sha256 nor sha512"),
        (("subject", 0, "digest"), {"sha256": "x"}, "is no digest"),
        (("predicate", "buildDefinition", "buildType"), "https://example.com", "buildType is not"),
        (
            ("predicate", "buildDefinition", "internalParameters", "tools", "python-digest"),
            "3.11.7",
            "tools.python-digest is no digest",
        ),
        (
            ("predicate", "buildDefinition", "externalParameters", "platform"),
            "linux",
            "is no platform",
        ),
        (
            ("predicate", "buildDefinition", "resolvedDependencies"),
            [{"name": "requirements", "digest": {}}],
            "neither sha256 nor sha512",
        ),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_a_statement_that_says_something_else_is_refused(path, value, says):
    statement = made().to_json()
    above = statement
    for key in path[:-1]:
        above = above[key]
    above[path[-1]] = value
    with pytest.raises(InvalidDocumentError, match=says):
        Provenance.parse(json.dumps(statement).encode(), name="it")
