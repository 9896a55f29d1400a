"""Who is trusted with Sigstore: trusted roots, and the policy that a descriptor is checked with."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.errors import InvalidDocumentError, SignatureError, UntrustedError, UsageError
from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.normalise import V4ALPHA1, normalise
from ocm_pkg.signing import sigstorebundle
from ocm_pkg.signing.sigstoreroot import load_root, read_root, shipped
from ocm_pkg.signing.trust import TrustPolicy
from tests.fakes.signing import NOW, new_repository, stored
from tests.fakes.sigstore_instance import (
    IDENTITY,
    ISSUER,
    MEDIA_TYPE,
    SigstoreInstance,
    encoded,
    trusting,
)

if TYPE_CHECKING:
    from ocm_pkg.signing.sigstorebundle import SigstoreMaker, SigstoreTrust

INSTANCE = SigstoreInstance()
DIGEST = digest_of(b"normalised")
GOOD = INSTANCE.bundle(DIGEST.raw)


def trust(**members: object) -> SigstoreTrust:
    return trusting(INSTANCE, **members)


def check(bundle: object, trusted: SigstoreTrust | None = None) -> SigstoreMaker:
    return sigstorebundle.check(encoded(bundle), DIGEST, trusted or trust(), NOW, what="it")


def test_a_missing_library_is_said_and_refused(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sigstore", None)
    with pytest.raises(UntrustedError, match="not installed") as caught:
        check(GOOD)
    assert caught.value.hint == "pip install 'ocm-pkg[sigstore]'"


def test_a_root_is_read_from_both_documents(tmp_path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(INSTANCE.client_config()))
    assert check(GOOD, trust(root=load_root(file)))
    for text in (b"", b"{}", b"[]", b"nothing", b'{"mediaType":"x"}'):
        file.write_bytes(text)
        with pytest.raises(InvalidDocumentError, match=r"config\.json"):
            load_root(file)
    config = INSTANCE.client_config() | {"trustedRoot": None}
    with pytest.raises(InvalidDocumentError, match="no trustedRoot"):
        read_root(json.dumps(config).encode(), name="x")


@pytest.mark.parametrize(
    "members",
    [{"mediaType": "other"}, {"certificateAuthorities": []}, {"certificateAuthorities": [1]}],
)
def test_a_root_that_is_none_is_said(members) -> None:
    data = json.dumps(INSTANCE.trusted_root() | members).encode()
    with pytest.raises(InvalidDocumentError, match=r"root\.json is no trusted root"):
        check(GOOD, trust(root=read_root(data, name="root.json")))
    without_logs = json.dumps(INSTANCE.trusted_root() | {"tlogs": []}).encode()
    with pytest.raises(SignatureError, match="no transparency log"):
        check(GOOD, trust(root=read_root(without_logs, name="root.json")))


@pytest.mark.parametrize(
    ("kind", "called"),
    [
        ("certificateAuthorities", "certificate authority"),
        ("tlogs", "transparency log"),
        ("ctlogs", "certificate log"),
    ],
)
@pytest.mark.parametrize(
    ("period", "fits"),
    [
        ({"start": "2026-11-01T12:05:00Z"}, True),
        ({"start": "2026-01-01T00:00:00.000Z", "end": "2026-11-01T12:00:00Z"}, True),
        ({"start": "2026-11-01T12:11:00Z"}, False),
        ({"start": "2026-01-01T00:00:00Z", "end": "2026-11-01T11:59:59Z"}, False),
        ({"end": "2030-01-01T00:00:00Z"}, False),
    ],
)
def test_what_is_trusted_for_a_time_is_not_trusted_for_another(kind, called, period, fits) -> None:
    value = INSTANCE.trusted_root()
    [entry] = value[kind]
    entry.get("publicKey", entry)["validFor"] = period
    root = read_root(json.dumps(value).encode(), name="root.json")
    if fits:
        assert check(GOOD, trust(root=root))
        return
    with pytest.raises(UntrustedError, match=f"trusts no {called} for that time"):
        check(GOOD, trust(root=root))
    # A second one that was in force is enough.
    value[kind] += INSTANCE.trusted_root()[kind]
    assert check(GOOD, trust(root=read_root(json.dumps(value).encode(), name="root.json")))


@pytest.mark.parametrize("text", ["yesterday", "2026-11-01T12:00:00", 7])
def test_a_time_that_is_none_is_said(text) -> None:
    value = INSTANCE.trusted_root()
    value["tlogs"][0]["publicKey"]["validFor"] = {"start": text}
    root = read_root(json.dumps(value).encode(), name="root.json")
    with pytest.raises(InvalidDocumentError, match="is no time"):
        check(GOOD, trust(root=root))


def test_a_library_without_the_public_root_is_said() -> None:
    with pytest.raises(UsageError, match=r"brings no nothing\.json"):
        shipped("nothing.json")


def signed(instance: SigstoreInstance = INSTANCE, **members) -> ComponentDescriptor:
    descriptor = stored(new_repository())
    digest = digest_of(normalise(descriptor, V4ALPHA1))
    entry = {
        "name": "default",
        "digest": {
            "hashAlgorithm": "SHA-256",
            "normalisationAlgorithm": V4ALPHA1,
            "value": digest.hex,
        },
        "signature": {
            "algorithm": "Sigstore/v1alpha1",
            "mediaType": MEDIA_TYPE,
            "value": encoded(instance.bundle(digest.raw)),
            "issuer": ISSUER,
        }
        | members,
    }
    value = descriptor.to_json() | {"signatures": [entry]}
    return ComponentDescriptor.from_json(value, name="test")


def test_the_policy_accepts_a_descriptor_and_says_by_whom() -> None:
    policy = TrustPolicy(sigstore=trust())
    [signer] = policy.check(signed(), now=NOW)
    assert (signer.algorithm, signer.name) == ("Sigstore/v1alpha1", "default")
    assert signer.trusted_as == f"{IDENTITY} (according to {ISSUER})"
    assert policy.check(signed(issuer=""), now=NOW)
    for members, says in (
        ({"issuer": "https://evil.example.com"}, "says issuer"),
        ({"mediaType": "application/x-pem-file"}, "media type"),
        ({"algorithm": "sigstore"}, r"older tool \(v1\)"),
        ({"algorithm": "Sigstore/v1"}, "not supported"),
    ):
        with pytest.raises(SignatureError, match=says):
            policy.check(signed(**members), now=NOW)


def test_the_policy_refuses_it_where_only_keys_are_trusted_or_sigstore_is_not_allowed() -> None:
    with pytest.raises(UntrustedError, match="no identity is trusted"):
        TrustPolicy().check(signed(), now=NOW)
    only_rsa = TrustPolicy(algorithms=frozenset({"RSASSA-PSS"}), sigstore=trust())
    with pytest.raises(UntrustedError, match="not accepted"):
        only_rsa.check(signed(), now=NOW)


def test_the_maker_of_a_bundle_can_be_told_unverified() -> None:
    assert sigstorebundle.maker_of(encoded(GOOD), what="it") == check(GOOD)
