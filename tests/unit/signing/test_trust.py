from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ocm_pkg.errors import (
    InvalidDocumentError,
    OcmPkgError,
    SignatureError,
    UntrustedError,
    UsageError,
)
from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.services.sign import sign
from ocm_pkg.services.verify import inspect
from ocm_pkg.signing.form import Request
from ocm_pkg.signing.keys import load_certificates, load_private_key, load_public_key
from ocm_pkg.signing.rsa import PKCS1, PSS
from ocm_pkg.signing.trust import TrustPolicy, same_text
from tests.fakes.signing import NAME, NOW, VERSION, new_repository, signing_key, stored, trusting

VECTORS = Path(__file__).parents[2] / "vectors/keys"


def signed(*numbers: int, repository=None, **wanted) -> ComponentDescriptor:
    repository = repository or new_repository()
    descriptor = stored(repository)
    for number in numbers or (0,):
        name = f"key-{number}"
        descriptor = sign(
            repository=repository,
            descriptor=descriptor,
            key=signing_key(number),
            now=NOW,
            request=Request(name, **wanted),
        ).descriptor
    return descriptor


def changed(descriptor: ComponentDescriptor, **members) -> ComponentDescriptor:
    """Return the descriptor with members of its first signature changed; dotted names."""
    value = descriptor.to_json()
    for path, member in members.items():
        *parents, last = path.split("__")
        at = value["signatures"][0]
        for parent in parents:
            at = at[parent]
        at[last] = member
    return ComponentDescriptor.from_json(value, name="test")


def refused(descriptor, trust=None, kind=OcmPkgError, **options) -> str:
    with pytest.raises(kind) as error:
        (trust or trusting()).check(descriptor, now=NOW, **options)
    assert error.value.exit_code == 4
    return error.value.message


def test_a_good_signature_gives_who_made_it() -> None:
    (signer,) = trusting(1, 0).check(signed(), now=NOW)
    assert (signer.name, signer.algorithm) == ("key-0", PKCS1)
    assert signer.fingerprint == signing_key(0).fingerprint
    assert signer.trusted_as == "key-0.public.pem"


def test_S02_an_unsigned_version_and_a_name_that_is_not_there_are_refused() -> None:
    descriptor = signed()
    bare = descriptor.model_copy(update={"signatures": ()})
    assert "not signed" in refused(bare, kind=UntrustedError)
    assert "no signature 'other'" in refused(descriptor, names=["other"], kind=UntrustedError)
    assert "no signature" in refused(descriptor, names=["key-0", "other"], kind=UntrustedError)
    refused(descriptor, names=[], kind=UntrustedError)
    assert trusting().check(descriptor, names=["key-0"], now=NOW)


def test_S02_a_signature_by_a_key_that_is_not_trusted_is_refused_whatever_its_name() -> None:
    repository = new_repository()
    descriptor = sign(
        repository=repository,
        descriptor=stored(repository),
        key=signing_key(1),
        now=NOW,
        request=Request("key-0"),
    ).descriptor
    assert "none of the trusted keys" in refused(descriptor, kind=UntrustedError)
    assert "none is trusted" in refused(descriptor, TrustPolicy(), kind=UntrustedError)
    assert trusting(1).check(descriptor, now=NOW)


@pytest.mark.parametrize(
    "value", ["00", "00" * 255, "00" * 256, "ff" * 256, "00" * 257, "00" * 9000]
)
def test_S02_an_empty_or_odd_value_is_refused(value) -> None:
    refused(changed(signed(), signature__value=value))
    with pytest.raises(InvalidDocumentError, match="must not be empty"):
        changed(signed(), signature__value="")


def test_S03_all_signatures_must_be_good_unless_named() -> None:
    descriptor = signed(0, 1)
    assert len(trusting(0, 1).check(descriptor, now=NOW)) == 2
    assert "'key-1'" in refused(descriptor, trusting(0), kind=UntrustedError)
    (signer,) = trusting(0).check(descriptor, names=["key-0"], now=NOW)
    assert signer.name == "key-0"
    bad = changed(descriptor, signature__value="00" * 256)
    refused(bad, trusting(0, 1))
    assert trusting(0, 1).check(bad, names=["key-1"], now=NOW)


def test_S03_two_signatures_of_one_name_are_refused() -> None:
    descriptor = signed(0)
    twice = descriptor.model_copy(update={"signatures": descriptor.signatures * 2})
    assert "two signatures" in refused(twice, kind=SignatureError)
    assert "two signatures" in refused(twice, names=["key-0"], kind=SignatureError)


def test_S17_more_signatures_than_allowed_are_refused() -> None:
    descriptor = signed(0)
    (one,) = descriptor.signatures
    many = [one.model_copy(update={"name": f"key-{number}"}) for number in range(33)]
    too_many = descriptor.model_copy(update={"signatures": tuple(many)})
    assert "33 signatures" in refused(too_many, names=["key-0"], kind=SignatureError)
    allowed = descriptor.model_copy(update={"signatures": tuple(many[:32])})
    assert len(trusting().check(allowed, now=NOW)) == 32


@pytest.mark.parametrize("algorithm", [PSS, PKCS1])
def test_S04_the_algorithm_is_not_the_signatures_to_choose(algorithm) -> None:
    descriptor = signed(algorithm=algorithm)
    other = PKCS1 if algorithm == PSS else PSS
    media = {
        PSS: "application/vnd.ocm.signature.rsa.pss",
        PKCS1: "application/vnd.ocm.signature.rsa",
    }
    assert "media type" in refused(changed(descriptor, signature__algorithm=other))
    assert "media type" in refused(changed(descriptor, signature__mediaType=media[other]))
    both = changed(descriptor, signature__algorithm=other, signature__mediaType=media[other])
    refused(both, kind=UntrustedError)
    for wrong in ("none", "RSA", algorithm.lower(), "HS256", "Sigstore/v1"):
        message = refused(changed(descriptor, signature__algorithm=wrong))
        assert "not supported" in message
    for other_sort in ("GPG", "Sigstore/v1alpha1"):
        message = refused(changed(descriptor, signature__algorithm=other_sort))
        assert f"says {other_sort}, but media type" in message
    only_other = TrustPolicy(trusting().keys, algorithms=frozenset({other}))
    assert "not accepted" in refused(descriptor, only_other, kind=UntrustedError)
    assert trusting().check(descriptor, now=NOW)


@pytest.mark.parametrize(
    "digest",
    [
        {"digest__hashAlgorithm": "SHA-1", "digest__value": "0" * 40},
        {"digest__hashAlgorithm": "MD5", "digest__value": "0" * 32},
        {"digest__hashAlgorithm": "SHA-512"},
        {"digest__hashAlgorithm": ""},
        {"digest__value": ""},
        {"digest__value": "0" * 64},
        {"digest__normalisationAlgorithm": "none"},
        {"digest__normalisationAlgorithm": "jsonNormalisation/v1"},
    ],
)
def test_S04_another_hash_or_normalisation_is_refused(digest) -> None:
    refused(changed(signed(), **digest), kind=SignatureError)


def test_S18_a_digest_is_equal_only_if_all_of_it_is() -> None:
    descriptor = signed()
    value = descriptor.signatures[0].digest.value
    for wrong in (
        value.upper(),
        value[:-1],
        value + "0",
        f" {value}",
        value[:-2],
        f"sha256:{value}",
    ):
        if wrong != value:
            refused(changed(descriptor, digest__value=wrong), kind=SignatureError)
    plain = descriptor.signatures[0].signature.value
    for wrong in (plain.upper(), f"0x{plain}", f"{plain}\n", f" {plain}", plain[:-2]):
        if wrong != plain:
            refused(changed(descriptor, signature__value=wrong))


def test_S18_digests_and_fingerprints_are_compared_in_constant_time(monkeypatch) -> None:
    import hmac

    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda *two: compared.append(two) or real(*two))
    assert same_text("a", "a")
    assert not same_text("a", "aa")
    trusting().check(signed(), now=NOW)
    assert len(compared) > 2


def pem_signed(**members) -> ComponentDescriptor:
    repository = new_repository()
    descriptor = sign(
        repository=repository,
        descriptor=stored(repository),
        key=load_private_key(VECTORS / "test-leaf.private.pem"),
        now=NOW,
        request=Request(chain=load_certificates(VECTORS / "test-leaf.chain.pem")),
    ).descriptor
    return changed(descriptor, **members) if members else descriptor


ROOT = TrustPolicy.from_files([], [VECTORS / "test-root-ca.cert.pem"])


def test_a_certificate_is_trusted_by_its_root_or_by_itself() -> None:
    descriptor = pem_signed()
    (by_root,) = ROOT.check(descriptor, now=NOW)
    pinned = TrustPolicy.from_files([VECTORS / "test-leaf.cert.pem"])
    (by_key,) = pinned.check(descriptor, now=NOW)
    assert by_root.fingerprint == by_key.fingerprint
    assert by_root.fingerprint == load_public_key(VECTORS / "test-leaf.cert.pem").fingerprint


def test_an_authority_given_as_key_is_a_root_and_a_signer_is_no_authority() -> None:
    policy = TrustPolicy.from_files([VECTORS / "test-root-ca.cert.pem"])
    assert (policy.keys, len(policy.roots)) == ((), 1)
    assert policy.check(pem_signed(), now=NOW)
    with pytest.raises(UntrustedError, match="is no authority"):
        TrustPolicy.from_files([], [VECTORS / "test-leaf.cert.pem"])


def test_S13_a_pinned_certificate_must_still_be_valid_and_for_code() -> None:
    descriptor = pem_signed()
    pinned = TrustPolicy.from_files([VECTORS / "test-leaf.cert.pem"])
    for year in (1970, 2106):
        with pytest.raises(UntrustedError, match=r"valid before|expired"):
            pinned.check(descriptor, now=datetime(year, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("issuer", "accepted"),
    [
        ("CN=TEST Leaf Signer,O=ocm-pkg TEST ONLY,C=XX", True),
        ("CN=TEST Intermediate CA,O=ocm-pkg TEST ONLY,C=XX", True),
        ("CN=TEST Root CA,O=ocm-pkg TEST ONLY,C=XX", False),
        ("CN=somebody", False),
    ],
)
def test_the_issuer_that_a_signature_names_must_be_the_certificates(issuer, accepted) -> None:
    descriptor = pem_signed(signature__issuer=issuer)
    if accepted:
        assert ROOT.check(descriptor, now=NOW)
    else:
        assert "says issuer" in refused(descriptor, ROOT, kind=SignatureError)


def test_S04_the_algorithm_in_the_pem_text_must_agree() -> None:
    text = pem_signed().signatures[0].signature.value
    other = text.replace("RSASSA-PSS", "RSASSA-PKCS1-V1_5")
    assert "another algorithm" in refused(pem_signed(signature__value=other), ROOT)
    refused(pem_signed(signature__algorithm=PKCS1), ROOT)
    plain = signed().signatures[0].signature.value
    refused(pem_signed(signature__value=plain), ROOT, kind=SignatureError)


def accepted(data: bytes, media_type: str, trust: TrustPolicy, repository) -> bool:
    try:
        descriptor = ComponentDescriptor.parse(data, media_type, name="test")
        if (descriptor.name, descriptor.version) != (NAME, VERSION):
            return False
        found = inspect(repository=repository, descriptor=descriptor, trust=trust, now=NOW)
    except OcmPkgError:
        return False
    return found.result == "ok"


def test_S01_any_byte_of_the_descriptor_changed_is_refused_unless_it_is_not_signed() -> None:
    repository = new_repository()
    descriptor = signed(repository=repository)
    encoded = repository.get(NAME, VERSION).encoded
    assert encoded is not None
    data = encoded.data
    assert accepted(data, encoded.media_type, trusting(), repository)
    good = descriptor.to_json()
    for index in range(len(data)):
        altered = bytearray(data)
        altered[index] ^= 1
        if not accepted(bytes(altered), encoded.media_type, trusting(), repository):
            continue
        value = ComponentDescriptor.parse(bytes(altered), encoded.media_type, name="test").to_json()
        assert signed_part(value) == signed_part(good), bytes(altered[index - 20 : index + 20])


def signed_part(value: dict) -> dict:
    """Return what must not change; what no signature covers may (an access's media type, say).

    The name of the normalisation is not covered either: v2 and v3 give the same bytes here.
    """
    signature = value["signatures"][0]
    resources = [
        {key: resource[key] for key in ("name", "version", "type", "relation", "digest")}
        | {"reference": resource["access"]["localReference"]}
        for resource in value["component"]["resources"]
    ]
    names = [value["component"][key] for key in ("name", "version", "provider")]
    return {
        "names": names,
        "resources": resources,
        "digest": signature["digest"]["value"],
        "value": signature["signature"]["value"],
        "algorithm": signature["signature"]["algorithm"],
    }


def test_S01_any_byte_of_the_signature_value_changed_is_refused() -> None:
    descriptor = signed()
    value = descriptor.signatures[0].signature.value
    for index in range(len(value)):
        digit = "0" if value[index] != "0" else "1"
        bad = value[:index] + digit + value[index + 1 :]
        refused(changed(descriptor, signature__value=bad))
    assert trusting().check(descriptor, now=NOW)


def test_S01_any_byte_of_a_pem_value_changed_is_refused() -> None:
    descriptor = pem_signed()
    value = descriptor.signatures[0].signature.value
    for index in range(0, len(value), 3):
        bad = value[:index] + chr(ord(value[index]) ^ 1) + value[index + 1 :]
        refused(changed(descriptor, signature__value=bad), ROOT)
    assert ROOT.check(descriptor, now=NOW)


def test_S01_any_byte_of_a_blob_changed_is_refused() -> None:
    from ocm_pkg.fs.blob import BytesBlob

    repository = new_repository()
    descriptor = signed(repository=repository)
    content = b"program"
    for index in range(len(content)):
        bad = bytearray(content)
        bad[index] ^= 1

        class Altered:
            def blob(self, _descriptor, _element, bad=bytes(bad)):
                return BytesBlob(bad)

        found = inspect(repository=Altered(), descriptor=descriptor, trust=trusting(), now=NOW)
        assert found.result == "failed"
        assert found.error is not None
        assert found.error.exit_code == 4


def test_an_openpgp_secret_key_is_not_taken_for_a_public_one(tmp_path) -> None:
    path = tmp_path / "secret.asc"
    path.write_text("-----BEGIN PGP PRIVATE KEY BLOCK-----\n")
    with pytest.raises(UsageError, match="verifying needs only the public one"):
        TrustPolicy.from_files([path])
