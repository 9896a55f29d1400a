"""Which provenance of a component version counts, and which is refused."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import (
    AmbiguousResourceError,
    DigestMismatchError,
    IntegrityError,
    InvalidDocumentError,
    ResourceNotFoundError,
)
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.provenance import SourceLocation
from ocm_pkg.services.recorded import read_recorded
from tests.fakes.plugins_to_install import descriptor, resource
from tests.fakes.rebuild_world import ARM, LINUX, MAC, RebuildWorld


@pytest.fixture
def world(tmp_path):
    return RebuildWorld(tmp_path)


def read(world, made=None, **how):
    return read_recorded(made or world.publish(), world.repository, **{"signed": True, **how})


def with_members(made, name, **members):
    """Return the component version with other members of the resource of a name."""
    resources = [
        {**one.to_json(), **(members if one.name == name else {})}
        for one in made.component.resources
    ]
    return descriptor("1.0.0", resources)


def test_every_binary_comes_with_its_provenance(world):
    world.without = (ARM,)
    linux, arm = read(world)
    assert (linux.platform, linux.provenance) == (LINUX, world.provenance(LINUX))
    assert (arm.platform, arm.digest, arm.provenance) == (ARM, digest_of(b"for arm64"), None)


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"component": "example.com/plugins/other"}, "component"),
        ({"version": "1.0.1"}, "version"),
        ({"platform": MAC}, "platform"),
        ({"digest": digest_of(b"another")}, "digest"),
    ],
    ids=["component", "version", "platform", "digest"],
)
def test_the_provenance_of_something_else_is_refused(world, changes, member):
    with pytest.raises(IntegrityError, match=f"of something else: its {member} is"):
        read(world, world.publish(linux_amd64=changes))


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"commit": "d" * 40}, "commit"),
        ({"location": SourceLocation("https://other.example.com/x")}, "repository"),
        ({"location": SourceLocation("https://git.example.com/hello.git", "a")}, "folder"),
        ({"config": digest_of(b"other")}, "configuration"),
        ({"lock": digest_of(b"other")}, "lock"),
    ],
    ids=["commit", "repository", "folder", "configuration", "lock"],
)
def test_binaries_of_one_version_have_one_source(world, changes, member):
    with pytest.raises(IntegrityError, match=f"several sources: the {member} is"):
        read(world, world.publish(linux_arm64=changes))


def test_provenance_with_another_kind_of_digest_counts(world):
    said = digest_of(b"for amd64", "sha512")
    linux, _arm = read(world, world.publish(linux_amd64={"digest": said}))
    assert linux.provenance.digest == said


def test_a_version_without_any_provenance_is_refused(world):
    world.without = (LINUX, ARM)
    with pytest.raises(ResourceNotFoundError, match="no resource 'hello-provenance'"):
        read(world)


def test_a_version_without_binaries_is_refused(world):
    with pytest.raises(ResourceNotFoundError, match="no ocmPlugin for any platform"):
        read(world, descriptor("1.0.0", [resource(b"x", LINUX, extraIdentity={"os": "linux"})]))
    with pytest.raises(ResourceNotFoundError, match="with the name 'other'"):
        read(world, resource="other")


def test_of_two_plugins_one_must_be_chosen(world):
    made = world.publish()
    resources = [one.to_json() for one in made.component.resources]
    both = descriptor("1.0.0", [*resources, resource(b"x", LINUX, name="other")])
    with pytest.raises(AmbiguousResourceError, match="linux/amd64"):
        read(world, both)
    assert len(read(world, both, resource="hello")) == 2


def test_provenance_that_was_exchanged_is_refused(world):
    made = world.publish()
    document = world.provenance(LINUX).encode()
    world.repository.lies[digest_of(document)] = document + b" "
    with pytest.raises(DigestMismatchError, match="is not what was signed"):
        read(world, made)


@pytest.mark.parametrize(
    ("digest", "message"),
    [
        (None, "has no digest"),
        (
            {
                "hashAlgorithm": "NO-DIGEST",
                "normalisationAlgorithm": "EXCLUDE-FROM-SIGNATURE",
                "value": "NO-DIGEST",
            },
            "excluded from the signature",
        ),
    ],
    ids=["missing", "excluded"],
)
def test_provenance_that_no_signature_covers_is_refused(world, digest, message):
    made = with_members(world.publish(), "hello-provenance", digest=digest)
    with pytest.raises(DigestMismatchError, match=message):
        read(world, made)


def test_provenance_of_an_unsigned_version_needs_no_digest(world):
    made = with_members(world.publish(), "hello-provenance", digest=None)
    assert read(world, made, signed=False)[0].provenance is not None


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"_type": 1}'])
def test_a_document_that_is_no_provenance_is_refused(world, data):
    binary = resource(b"for amd64", LINUX)
    document = resource(data, LINUX, name="hello-provenance", type="provenance")
    world.repository.blobs[digest_of(data)] = data
    with pytest.raises(InvalidDocumentError):
        read(world, descriptor("1.0.0", [binary, document]))
