from __future__ import annotations

import json
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from ocm_pkg.errors import (
    DigestMismatchError,
    IntegrityError,
    UnreachableContentError,
    UntrustedError,
)
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.published import Moving
from ocm_pkg.services.sign import sign
from ocm_pkg.services.verify import FAILED, OK, SKIPPED, inspect, verify
from ocm_pkg.signing.form import Request
from ocm_pkg.store.closure import ReferenceLimits
from ocm_pkg.store.digester import OCI_ARTIFACT
from tests.fakes.components import artifact_set
from tests.fakes.signing import NAME, NOW, VERSION, new_repository, signing_key, stored, trusting

CHILD = "example.com/plugins/child"
GRANDCHILD = "example.com/plugins/grandchild"
IMAGE = {
    "name": "image",
    "version": "1.0.0",
    "type": "ociImage",
    "relation": "external",
    "access": {"type": "ociArtifact", "imageReference": "ghcr.io/a/b:1"},
    "digest": {
        "hashAlgorithm": "SHA-256",
        "normalisationAlgorithm": "ociArtifactDigest/v1",
        "value": "0" * 64,
    },
}


class Wrapped:
    """A repository that counts, and may give other content than it should."""

    def __init__(self, repository) -> None:
        self._repository = repository
        self.reads: list[str] = []
        self.lies: dict[str, bytes] = {}
        self.barrier: threading.Barrier | None = None

    def __getattr__(self, name: str):
        return getattr(self._repository, name)

    def blob(self, descriptor, element):
        self.reads.append(element.name)
        if self.barrier is not None:
            self.barrier.wait(timeout=10)
        if element.name in self.lies:
            return BytesBlob(self.lies[element.name])
        return self._repository.blob(descriptor, element)


def signed(repository, descriptor, **wanted):
    return sign(
        repository=repository,
        descriptor=descriptor,
        key=signing_key(),
        now=NOW,
        request=Request(**wanted),
    ).descriptor


def reference(name: str, **members) -> dict:
    short = name.rpartition("/")[2]
    return {"name": short, "componentName": name, "version": VERSION, **members}


def look(repository, name: str = NAME, **options):
    descriptor = options.pop("descriptor", None) or repository.get(name, VERSION)
    return inspect(
        repository=repository,
        descriptor=descriptor,
        trust=options.pop("trust", trusting()),
        now=NOW,
        **options,
    )


def test_every_signature_and_every_resource_is_a_check() -> None:
    repository = new_repository()
    signed(repository, stored(repository, {"hello": b"one", "docs": b"two"}))
    found = look(repository)
    assert found.result == OK
    assert [(check.check, check.result) for check in found.checks] == [
        ("signature default", OK),
        ("resource name=hello", OK),
        ("resource name=docs", OK),
    ]


def test_at_level_signature_no_content_is_read() -> None:
    repository = Wrapped(new_repository())
    signed(repository, stored(repository))
    assert look(repository, level="signature").result == OK
    assert repository.reads == []
    assert look(repository).result == OK
    assert repository.reads == ["hello"]


def test_no_content_is_read_unless_the_signature_is_good() -> None:
    repository = Wrapped(new_repository())
    signed(repository, stored(repository))
    found = look(repository, trust=trusting(1))
    assert (found.result, found.signatures) == (FAILED, ())
    assert repository.reads == []


def test_content_that_two_resources_share_is_read_once() -> None:
    repository = Wrapped(new_repository())
    signed(repository, stored(repository, {"hello": b"same", "again": b"same"}))
    assert [check.result for check in look(repository).checks] == [OK] * 3
    assert repository.reads == ["hello"]


def test_content_is_read_in_parallel() -> None:
    repository = Wrapped(new_repository())
    signed(repository, stored(repository, {f"r{number}": b"%d" % number for number in range(3)}))
    repository.barrier = threading.Barrier(3)
    with ThreadPoolExecutor(3) as executor:
        assert look(repository, moving=Moving(executor)).result == OK


def test_verify_raises_what_inspect_reports() -> None:
    repository = Wrapped(new_repository())
    descriptor = signed(repository, stored(repository))
    options = {"repository": repository, "descriptor": descriptor, "trust": trusting(), "now": NOW}
    assert verify(**options).result == OK
    repository.lies["hello"] = b"other"
    with pytest.raises(DigestMismatchError, match="name=hello"):
        verify(**options)


def test_changed_content_is_refused_and_all_failures_are_listed() -> None:
    repository = Wrapped(new_repository())
    signed(repository, stored(repository, {"hello": b"one", "docs": b"two", "more": b"three"}))
    repository.lies = {"hello": b"other", "docs": b""}
    found = look(repository)
    assert [check.result for check in found.checks] == [OK, FAILED, FAILED, OK]
    assert isinstance(found.error, DigestMismatchError)
    assert any("name=docs" in line for line in found.error.detail)


def test_content_outside_is_unreachable_unless_skipped() -> None:
    repository = new_repository()
    signed(repository, stored(repository, resources=[IMAGE]))
    found = look(repository)
    assert isinstance(found.error, UnreachableContentError)
    assert "--skip-external" in str(found.error.hint)
    skipping = look(repository, skip_external=True)
    assert skipping.result == OK
    assert [check.result for check in skipping.checks if "image" in check.check] == [SKIPPED]


def test_wrong_content_is_graver_than_content_outside() -> None:
    repository = Wrapped(new_repository())
    signed(repository, stored(repository, resources=[IMAGE]))
    repository.lies["hello"] = b"other"
    assert isinstance(look(repository).error, DigestMismatchError)
    assert isinstance(look(repository, skip_external=True).error, DigestMismatchError)


def test_content_that_is_excluded_from_the_signature_is_skipped_and_said() -> None:
    repository = new_repository()
    excluded = {
        "hashAlgorithm": "NO-DIGEST",
        "normalisationAlgorithm": "EXCLUDE-FROM-SIGNATURE",
        "value": "NO-DIGEST",
    }
    descriptor = stored(repository)
    (resource,) = descriptor.component.resources
    spec = type(resource.digest).model_validate(excluded)
    descriptor = descriptor.with_resources([resource.model_copy(update={"digest": spec})])
    signed(repository, descriptor)
    found = look(repository)
    assert found.result == OK
    assert found.checks[-1].result == SKIPPED
    assert "excluded" in found.checks[-1].detail


def test_S07_a_resource_without_a_digest_is_refused_though_the_signature_is_good() -> None:
    repository = new_repository()
    descriptor = stored(repository, digests=False)
    bad = with_own_signature(descriptor)
    found = look(repository, descriptor=bad)
    assert found.checks[0].result == OK
    assert isinstance(found.error, DigestMismatchError)
    assert "has no digest" in found.error.message
    assert look(repository, descriptor=bad, level="signature").result == OK
    signed(repository, descriptor)
    assert look(repository).result == OK


def test_S07_content_swapped_under_the_same_digest_is_refused() -> None:
    repository = new_repository()
    descriptor = signed(repository, stored(repository, {"hello": b"good", "other": b"evil"}))
    hello, other = descriptor.component.resources
    swapped = descriptor.with_resources([hello.model_copy(update={"access": other.access}), other])
    repository.add(swapped, replace=True)
    found = look(repository)
    assert found.checks[0].result == OK
    assert isinstance(found.error, DigestMismatchError)
    assert "name=hello was signed as" in found.error.message


def test_S07_a_digest_of_an_unknown_sort_vouches_for_nothing() -> None:
    repository = new_repository()
    descriptor = stored(repository)
    (resource,) = descriptor.component.resources
    for changes in (
        {"normalisation_algorithm": "trustMe/v1"},
        {"hash_algorithm": "MD5"},
        {"value": "00"},
        {"value": resource.digest.value.upper()},
        {"value": resource.digest.value[:-1]},
    ):
        spec = resource.digest.model_copy(update=changes)
        bad = with_own_signature(
            descriptor.with_resources([resource.model_copy(update={"digest": spec})])
        )
        found = look(repository, descriptor=bad)
        assert isinstance(found.error, IntegrityError), changes


def test_sha512_digests_of_content_are_checked_in_the_same_read() -> None:
    repository = Wrapped(new_repository())
    descriptor = stored(repository, {"hello": b"program"})
    (resource,) = descriptor.component.resources
    digest = digest_of(b"program", "sha512")
    changes = {"hash_algorithm": digest.ocm_algorithm, "value": digest.hex}
    spec = resource.digest.model_copy(update=changes)
    signed(repository, descriptor.with_resources([resource.model_copy(update={"digest": spec})]))
    assert look(repository).result == OK
    assert repository.reads == ["hello"]
    repository.lies["hello"] = b"other"
    assert look(repository).result == FAILED


def test_S07_an_artifact_set_has_the_digest_of_the_manifest_in_it() -> None:
    config = b"{}"
    part = {"mediaType": "x/y", "digest": str(digest_of(config)), "size": len(config)}
    manifest = json.dumps({"schemaVersion": 2, "config": part, "layers": []}).encode()
    index = {"manifests": [{"digest": str(digest_of(manifest)), "size": len(manifest)}]}
    parts = {f"blobs/sha256.{digest_of(one).hex}": one for one in (config, manifest)}
    content = artifact_set({"index.json": json.dumps(index).encode(), **parts})
    repository = new_repository()
    descriptor = stored(repository, {"image": content, "same": content, "other": b"other"})
    image, same, other = descriptor.component.resources
    changes = {"normalisation_algorithm": OCI_ARTIFACT, "value": digest_of(manifest).hex}
    spec = image.digest.model_copy(update=changes)
    image = image.model_copy(update={"digest": spec})
    signed(repository, descriptor.with_resources([image, same, other]))
    assert look(repository).result == OK
    bad = other.model_copy(update={"digest": spec})
    wrong = image.model_copy(update={"digest": same.digest.model_copy(update=changes | {
        "value": same.digest.value})})  # fmt: skip
    for resources in ([image, same, bad], [wrong, same, other]):
        changed = with_own_signature(descriptor.with_resources(resources))
        found = look(repository, descriptor=changed)
        assert isinstance(found.error, IntegrityError)


def with_own_signature(descriptor):
    """Sign as somebody does who holds the key and leaves out every check."""
    from ocm_pkg.model.descriptor import DigestSpec, Signature
    from ocm_pkg.model.normalise import V4ALPHA1, normalise
    from ocm_pkg.signing.handlers import make_value
    from ocm_pkg.signing.rsa import PSS

    digest = digest_of(normalise(descriptor, V4ALPHA1))
    spec = DigestSpec(hash_algorithm="SHA-256", normalisation_algorithm=V4ALPHA1, value=digest.hex)
    value = make_value(digest, signing_key(), PSS)
    return descriptor.with_signature(Signature(name="own", digest=spec, signature=value))


def family(repository) -> None:
    stored(repository, {"grand": b"grand"}, name=GRANDCHILD)
    signed(
        repository,
        stored(
            repository, {"child": b"child"}, name=CHILD, componentReferences=[reference(GRANDCHILD)]
        ),
    )
    references = [reference(CHILD), reference(GRANDCHILD)]
    signed(repository, stored(repository, componentReferences=references))


def test_referenced_component_versions_are_checked_with_their_content_each_once() -> None:
    repository = Wrapped(new_repository())
    family(repository)
    repository.reads.clear()
    found = look(repository)
    assert found.result == OK
    assert sorted(repository.reads) == ["child", "grand", "hello"]
    names = [check.check for check in found.checks]
    assert f"{CHILD}:1.0.0 reference name=grandchild" in names
    assert f"{GRANDCHILD}:1.0.0 resource name=grand" in names
    repository.lies["grand"] = b"other"
    assert isinstance(look(repository).error, DigestMismatchError)


@pytest.mark.parametrize("name", [CHILD, GRANDCHILD])
def test_S20_a_changed_component_version_below_is_refused(name) -> None:
    repository = new_repository()
    family(repository)
    assert look(repository).result == OK
    stored(repository, {"evil": b"evil"}, name=name)
    found = look(repository)
    assert found.checks[0].result == OK
    assert isinstance(found.error, DigestMismatchError)
    assert name in found.error.message


def test_a_missing_component_version_below_is_unreachable_unless_skipped() -> None:
    repository = new_repository()
    digest = IMAGE["digest"] | {"normalisationAlgorithm": "jsonNormalisation/v3"}
    references = [reference(CHILD, digest=digest)]
    signed(repository, stored(repository, componentReferences=references))
    assert isinstance(look(repository).error, UnreachableContentError)
    skipping = look(repository, skip_external=True)
    assert skipping.result == OK
    assert skipping.checks[1].result == SKIPPED


def test_a_reference_without_a_digest_is_refused_also_when_external_is_skipped() -> None:
    repository = new_repository()
    stored(repository, name=CHILD)
    bad = with_own_signature(stored(repository, componentReferences=[reference(CHILD)]))
    for skip_external in (False, True):
        found = look(repository, descriptor=bad, skip_external=skip_external)
        assert isinstance(found.error, DigestMismatchError)
        assert "has no digest" in found.error.message


def test_references_in_a_circle_end_with_a_refusal() -> None:
    repository = new_repository()
    digest = IMAGE["digest"] | {"normalisationAlgorithm": "jsonNormalisation/v4alpha1"}
    stored(repository, name=CHILD, componentReferences=[reference(NAME, digest=digest)])
    family_of_two = stored(repository, componentReferences=[reference(CHILD, digest=digest)])
    found = look(repository, descriptor=with_own_signature(family_of_two))
    assert isinstance(found.error, DigestMismatchError)


def test_S17_too_many_component_versions_below_are_refused() -> None:
    repository = new_repository()
    family(repository)
    assert look(repository, limits=ReferenceLimits(components=3)).result == OK
    error = look(repository, limits=ReferenceLimits(components=2)).error
    assert isinstance(error, IntegrityError)
    assert "more than 2" in error.message


def test_S02_nothing_to_verify_is_a_failure() -> None:
    repository = new_repository()
    stored(repository)
    found = look(repository)
    assert found.result == FAILED
    assert isinstance(found.error, UntrustedError)
    assert "nothing to verify" in found.error.message


def test_content_takes_constant_memory() -> None:
    repository = new_repository()
    signed(repository, stored(repository, {"hello": bytes(24 * 1024 * 1024)}))
    look(repository)
    tracemalloc.start()
    assert look(repository).result == OK
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024
