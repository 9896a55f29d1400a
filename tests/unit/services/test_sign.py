from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ocm_pkg.errors import (
    AlreadyExistsError,
    ComponentVersionNotFoundError,
    ConflictError,
    DigestMismatchError,
    UnreachableContentError,
    UntrustedError,
    UsageError,
)
from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.normalise import normalise
from ocm_pkg.services.sign import sign
from ocm_pkg.services.verify import verify
from ocm_pkg.signing.form import Request
from ocm_pkg.signing.gpgsign import GpgSigningKey
from ocm_pkg.signing.keys import load_certificates, load_private_key
from ocm_pkg.signing.trust import TrustPolicy
from tests.fakes.signing import NAME, NOW, VERSION, new_repository, signing_key, stored, trusting

VECTORS = Path(__file__).parents[2] / "vectors/keys"
V3, V4 = "jsonNormalisation/v3", "jsonNormalisation/v4alpha1"
PSS, PKCS1 = "RSASSA-PSS", "RSASSA-PKCS1-V1_5"
CHILD = "example.com/plugins/child"
REFERENCE = {"name": "child", "componentName": CHILD, "version": "1.0.0"}
IMAGE = {
    "name": "image",
    "version": "1.0.0",
    "type": "ociImage",
    "relation": "external",
    "access": {"type": "ociArtifact", "imageReference": "ghcr.io/a/b:1"},
}


def sign_it(repository, descriptor, *, key=None, now=NOW, force=False, dry_run=False, **wanted):
    return sign(
        repository=repository,
        descriptor=descriptor,
        key=key or signing_key(),
        now=now,
        request=Request(**wanted),
        force=force,
        dry_run=dry_run,
    )


def check(repository, name=NAME, trust=None, **options):
    descriptor = repository.get(name, VERSION)
    return verify(
        repository=repository, descriptor=descriptor, trust=trust or trusting(), now=NOW, **options
    )


def test_a_plain_component_version_gets_the_form_that_both_tools_verify() -> None:
    repository = new_repository()
    signed = sign_it(repository, stored(repository))
    entry = signed.signature.to_json()
    assert entry["name"] == "default"
    assert entry["digest"]["normalisationAlgorithm"] == V3
    assert entry["digest"]["hashAlgorithm"] == "SHA-256"
    assert entry["signature"]["algorithm"] == PKCS1
    assert entry["signature"]["mediaType"] == "application/vnd.ocm.signature.rsa"
    assert set(entry["signature"]) == {"algorithm", "mediaType", "value"}
    assert signed.form.both_tools
    assert signed.form.notes == ()
    assert check(repository).result == "ok"


def test_the_digest_that_is_signed_is_the_normalised_one() -> None:
    repository = new_repository()
    signed = sign_it(repository, stored(repository), hash_algorithm="SHA-512")
    expected = digest_of(normalise(repository.get(NAME, VERSION), V3), "sha512")
    assert signed.signature.digest.value == expected.hex
    assert check(repository).signatures[0].digest == expected


@pytest.mark.parametrize("algorithm", [PSS, PKCS1])
@pytest.mark.parametrize(
    "normalisation", [f"jsonNormalisation/{one}" for one in ("v1", "v2")] + [V3, V4]
)
@pytest.mark.parametrize("hash_algorithm", ["SHA-256", "SHA-512"])
def test_every_form_that_is_asked_for_verifies(algorithm, normalisation, hash_algorithm) -> None:
    repository = new_repository()
    signed = sign_it(
        repository,
        stored(repository),
        algorithm=algorithm,
        normalisation=normalisation,
        hash_algorithm=hash_algorithm,
    )
    assert signed.form.both_tools is (algorithm == PKCS1 and normalisation == V3)
    (signer,) = check(repository).signatures
    assert (signer.algorithm, signer.normalisation) == (algorithm, normalisation)
    assert signer.fingerprint == signing_key().fingerprint


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"labels": [{"name": "l", "value": "x", "signing": True, "version": "v1"}]}, "normalise"),
        ({"labels": [{"name": "l", "value": {"a": None}, "signing": True}]}, "normalise"),
        (
            {
                "resources": [
                    IMAGE
                    | {
                        "digest": {
                            "hashAlgorithm": "SHA-256",
                            "normalisationAlgorithm": "genericBlobDigest/v1",
                            "value": "0" * 64,
                        }
                    }
                ]
            },
            "OCI artifact 'image'",
        ),
    ],
)
def test_what_v1_cannot_verify_gets_the_form_of_v2_and_the_reason(members, why) -> None:
    repository = new_repository()
    signed = sign_it(repository, stored(repository, **members))
    assert (signed.form.normalisation, signed.form.algorithm) == (V4, PSS)
    assert not signed.form.both_tools
    assert any(why in note for note in signed.form.notes)
    assert check(repository, skip_external=True).result == "ok"


def test_a_creation_time_is_warned_of() -> None:
    repository = new_repository()
    signed = sign_it(repository, stored(repository, creationTime="2026-01-01T00:00:00Z"))
    assert signed.form.both_tools
    assert any("creation time" in note for note in signed.form.notes)


def test_missing_digests_are_completed_from_the_bytes() -> None:
    repository = new_repository()
    descriptor = stored(repository, {"hello": b"one", "docs": b"two"}, digests=False)
    signed = sign_it(repository, descriptor)
    assert signed.completed == ("resource name=hello", "resource name=docs")
    values = [resource.digest.value for resource in signed.descriptor.component.resources]
    assert values == [digest_of(b"one").hex, digest_of(b"two").hex]
    assert check(repository).result == "ok"


def test_a_digest_of_content_outside_cannot_be_completed() -> None:
    repository = new_repository()
    descriptor = stored(repository, resources=[IMAGE])
    with pytest.raises(UnreachableContentError, match="image"):
        sign_it(repository, descriptor)
    assert repository.get(NAME, VERSION) == descriptor


def test_a_resource_without_content_needs_no_digest() -> None:
    repository = new_repository()
    nothing = IMAGE | {"access": {"type": "none"}}
    signed = sign_it(repository, stored(repository, resources=[nothing]))
    assert signed.completed == ()
    assert check(repository).result == "ok"


def test_references_get_the_digest_of_the_component_version_they_name() -> None:
    repository = new_repository()
    child = stored(repository, name=CHILD)
    signed = sign_it(repository, stored(repository, componentReferences=[REFERENCE]))
    (reference,) = signed.descriptor.component.component_references
    assert reference.digest.normalisation_algorithm == V3
    assert reference.digest.value == digest_of(normalise(child, V3)).hex
    assert signed.form.both_tools
    assert check(repository).result == "ok"


def test_a_reference_digest_that_v1_does_not_know_is_renamed_where_its_value_is_the_same() -> None:
    repository = new_repository()
    child = stored(repository, name=CHILD)
    digest = {
        "hashAlgorithm": "SHA-256",
        "normalisationAlgorithm": V4,
        "value": digest_of(normalise(child, V4)).hex,
    }
    parent = stored(repository, componentReferences=[REFERENCE | {"digest": digest}])
    signed = sign_it(repository, parent)
    assert signed.form.both_tools
    assert check(repository).result == "ok"
    again = sign_it(repository, parent, normalisation=V4, force=True)
    (reference,) = again.descriptor.component.component_references
    assert reference.digest.normalisation_algorithm == V4
    assert not again.form.both_tools


def test_a_reference_digest_that_is_wrong_is_not_signed() -> None:
    repository = new_repository()
    stored(repository, name=CHILD)
    digest = {"hashAlgorithm": "SHA-256", "normalisationAlgorithm": V4, "value": "0" * 64}
    parent = stored(repository, componentReferences=[REFERENCE | {"digest": digest}])
    with pytest.raises(DigestMismatchError, match="is not what"):
        sign_it(repository, parent)


def test_a_reference_digest_that_cannot_be_looked_up_stays_as_it_is() -> None:
    repository = new_repository()
    digest = {"hashAlgorithm": "SHA-256", "normalisationAlgorithm": V4, "value": "0" * 64}
    parent = stored(repository, componentReferences=[REFERENCE | {"digest": digest}])
    signed = sign_it(repository, parent)
    assert not signed.form.both_tools
    assert any("'child'" in note for note in signed.form.notes)


def test_a_second_signature_leaves_what_the_first_one_covers_as_it_is() -> None:
    repository = new_repository()
    sign_it(repository, stored(repository))
    sign_it(repository, repository.get(NAME, VERSION), name="second", key=signing_key(1))
    found = check(repository, trust=trusting(0, 1))
    assert [signer.name for signer in found.signatures] == ["default", "second"]


def test_a_digest_is_not_completed_where_that_would_break_another_signature() -> None:
    repository = new_repository()
    signed = sign_it(repository, stored(repository)).descriptor
    bare = [one.model_copy(update={"digest": None}) for one in signed.component.resources]
    with pytest.raises(ConflictError, match="would break the signature 'default'"):
        sign_it(repository, signed.with_resources(bare), name="second")


def test_a_missing_or_incomplete_child_is_named() -> None:
    repository = new_repository()
    parent = stored(repository, componentReferences=[REFERENCE])
    with pytest.raises(ComponentVersionNotFoundError, match="'child' has no digest"):
        sign_it(repository, parent)
    stored(repository, name=CHILD, digests=False)
    with pytest.raises(DigestMismatchError, match=f"{CHILD}:1.0.0 has no digest"):
        sign_it(repository, parent)


def test_a_signature_is_not_replaced_unless_forced() -> None:
    repository = new_repository()
    sign_it(repository, stored(repository))
    there = repository.get(NAME, VERSION)
    with pytest.raises(AlreadyExistsError, match="'default' already"):
        sign_it(repository, there, key=signing_key(1))
    assert repository.get(NAME, VERSION) == there
    sign_it(repository, there, key=signing_key(1), force=True)
    assert len(repository.get(NAME, VERSION).signatures) == 1
    assert check(repository, trust=trusting(1)).result == "ok"


def test_a_descriptor_of_the_other_schema_is_signed_in_place_in_its_own() -> None:
    repository = new_repository()
    document = {
        "apiVersion": "ocm.software/v3alpha1",
        "kind": "ComponentVersion",
        "metadata": {"name": NAME, "version": VERSION, "provider": {"name": "example.com"}},
        "spec": {"resources": [], "sources": [], "references": []},
    }
    descriptor = ComponentDescriptor.from_json(document, name="test")
    for name, normalisation in (("old", "jsonNormalisation/v1"), ("default", None)):
        sign_it(repository, descriptor, name=name, normalisation=normalisation)
        descriptor = repository.get(NAME, VERSION)
    assert descriptor.api_version == "ocm.software/v3alpha1"
    assert [signature.name for signature in descriptor.signatures] == ["old", "default"]
    assert check(repository).result == "ok"


def test_a_dry_run_signs_and_writes_nothing() -> None:
    repository = new_repository()
    descriptor = stored(repository, digests=False)
    signed = sign_it(repository, descriptor, dry_run=True)
    assert signed.signature.signature.value
    assert repository.get(NAME, VERSION) == descriptor


def test_a_signature_with_certificates_carries_the_chain_without_root_and_issuer() -> None:
    repository = new_repository()
    key = load_private_key(VECTORS / "test-leaf.private.pem")
    chain = load_certificates(VECTORS / "test-leaf.chain-with-root.pem")
    signed = sign_it(repository, stored(repository), key=key, chain=chain, name="TEST Leaf Signer")
    assert signed.form.both_tools
    assert signed.signature.signature.media_type == "application/x-pem-file"
    assert signed.signature.signature.value.count("BEGIN CERTIFICATE") == 2
    assert signed.signature.signature.issuer is None
    trust = TrustPolicy.from_files([], [VECTORS / "test-root-ca.cert.pem"])
    assert check(repository, trust=trust).signatures[0].trusted_as.startswith("CN=TEST Leaf")
    other = sign_it(repository, signed.descriptor, key=key, chain=chain, name="x")
    assert not other.form.both_tools
    assert any("common name" in note for note in other.form.notes)


@pytest.mark.parametrize("leaf", ["test-leaf-expired", "test-leaf-serverauth"])
def test_a_certificate_that_nobody_would_accept_does_not_sign(leaf) -> None:
    repository = new_repository()
    key = load_private_key(VECTORS / f"{leaf}.private.pem")
    chain = load_certificates(VECTORS / f"{leaf}.chain.pem")
    with pytest.raises(UntrustedError):
        sign_it(repository, stored(repository), key=key, chain=chain)


def test_a_chain_that_is_not_for_the_key_is_refused() -> None:
    repository = new_repository()
    chain = load_certificates(VECTORS / "test-leaf.chain.pem")
    with pytest.raises(UsageError, match="is not for this key"):
        sign_it(repository, stored(repository), chain=chain)
    early = datetime(2020, 1, 1, tzinfo=UTC)
    with pytest.raises(UntrustedError, match="not valid before"):
        sign_it(repository, stored(repository), chain=chain, now=early)


OPENPGP = GpgSigningKey(b"", "secret.asc", "openpgp:00")


@pytest.mark.parametrize(
    ("key", "wanted", "message"),
    [
        (OPENPGP, {"algorithm": PSS}, "not made with an OpenPGP key"),
        (None, {"algorithm": "GPG"}, "not made with an RSA key"),
        (OPENPGP, {"chain": ("certificate",)}, "carries no certificates"),
    ],
)
def test_a_key_of_another_sort_than_the_algorithm_is_refused(key, wanted, message) -> None:
    repository = new_repository()
    with pytest.raises(UsageError, match=message):
        sign_it(repository, stored(repository), key=key, **wanted)
    assert not repository.get(NAME, VERSION).signatures
