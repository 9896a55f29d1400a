"""An OpenPGP signature that the newer reference tool made; needs the ``gpg`` program."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ocm_pkg.errors import OcmPkgError, SignatureError, UntrustedError
from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.services.verify import inspect
from ocm_pkg.signing import gpg
from ocm_pkg.signing.trust import TrustPolicy
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.repository import ComponentRepository

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="needs gpg")

VECTORS = Path(__file__).parents[1] / "vectors"
REPOSITORY = ComponentRepository(CTFStore(VECTORS / "extra/signed-gpg/ctf"))
NOW = datetime(2026, 12, 1, tzinfo=UTC)
KEY = VECTORS / "keys/test-gpg.public.asc"
FINGERPRINT = "openpgp:7a514d066c2485383fb833e502118480b49f42b2"


def signed(**members) -> ComponentDescriptor:
    value = REPOSITORY.get("ocm.test/open/plugins/demo", "1.0.0").to_json()
    value["signatures"][0]["signature"] |= members
    return ComponentDescriptor.from_json(value, name="test")


def test_it_is_accepted_with_its_key_and_leaves_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = inspect(
        repository=REPOSITORY,
        descriptor=signed(),
        trust=TrustPolicy.from_files([KEY]),
        now=NOW,
    )
    assert found.result == "ok"
    (signer,) = found.signatures
    assert (signer.fingerprint, signer.algorithm) == (FINGERPRINT, "GPG")
    assert list(tmp_path.iterdir()) == []


def test_it_is_refused_with_an_rsa_key_and_without_any() -> None:
    rsa = TrustPolicy.from_files([VECTORS / "keys/test-key-a.public.pem"])
    for trust in (rsa, TrustPolicy()):
        with pytest.raises(UntrustedError, match="none of the trusted OpenPGP keys"):
            trust.check(signed(), now=NOW)


def test_it_is_refused_where_the_policy_does_not_allow_openpgp() -> None:
    policy = TrustPolicy.from_files([KEY])
    only_rsa = TrustPolicy(algorithms=frozenset({"RSASSA-PSS"}), gpg_keys=policy.gpg_keys)
    with pytest.raises(UntrustedError, match="not accepted"):
        only_rsa.check(signed(), now=NOW)


def test_another_digest_is_refused() -> None:
    value = signed().to_json()
    value["component"]["provider"] = "evil.test"
    changed = ComponentDescriptor.from_json(value, name="test")
    with pytest.raises(SignatureError, match="changed after it was signed"):
        TrustPolicy.from_files([KEY]).check(changed, now=NOW)


def test_changed_values_are_refused() -> None:
    policy = TrustPolicy.from_files([KEY])
    text = signed().signatures[0].signature.value
    values = ["", "x", text + text, text.replace("SIGNATURE", "MESSAGE"), "x\n" + text]
    values += [
        text[:index] + ("A" if text[index] != "A" else "B") + text[index + 1 :]
        for index in range(60, len(text) - 40, 37)
        if text[index] not in "\n="
    ]
    for value in values:
        with pytest.raises(OcmPkgError):
            policy.check(signed(value=value), now=NOW)
    with pytest.raises(SignatureError, match="media type"):
        policy.check(signed(mediaType="application/vnd.ocm.signature.rsa"), now=NOW)
    assert policy.check(signed(), now=NOW)


def test_S14_a_clock_before_the_signature_is_a_refusal() -> None:
    with pytest.raises(OcmPkgError) as error:
        TrustPolicy.from_files([KEY]).check(signed(), now=datetime(1990, 1, 1, tzinfo=UTC))
    assert error.value.exit_code == 4


def test_a_missing_gpg_is_said(monkeypatch) -> None:
    monkeypatch.setattr(gpg.shutil, "which", lambda *_names, **_options: None)
    with pytest.raises(UntrustedError, match="no gpg"):
        TrustPolicy.from_files([KEY]).check(signed(), now=NOW)
