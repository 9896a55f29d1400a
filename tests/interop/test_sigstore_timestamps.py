"""Bundles whose time comes from a timestamp authority; needs the ``openssl`` program for one."""

from __future__ import annotations

import base64
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ocm_pkg.errors import OcmPkgError, SignatureError, UntrustedError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.signing import sigstorebundle
from tests.fakes.sigstore_instance import SigstoreInstance, Wish, b64, encoded, trusting

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")

DIGEST = digest_of(b"normalised")
CONFIGURATION = """\
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
ess_cert_id_alg = sha256
"""


class Authority:
    """A timestamp authority with a root of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        root = _builder("root", "root", root_key)
        root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.root = root.sign(root_key, hashes.SHA256())
        leaf = _builder("tsa", "root", key).add_extension(usage, critical=True)
        self.leaf = leaf.sign(root_key, hashes.SHA256())
        pem = serialization.Encoding.PEM
        (folder / "tsa.pem").write_bytes(self.leaf.public_bytes(pem))
        (folder / "tsa.key").write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder))
        (folder / "serial").write_text("01\n")

    def trusted(self) -> dict[str, object]:
        """Return what a trusted root says of it."""
        chain = [
            {"rawBytes": b64(one.public_bytes(serialization.Encoding.DER))}
            for one in (self.leaf, self.root)
        ]
        return {
            "subject": {"organization": "test", "commonName": "tsa"},
            "certChain": {"certificates": chain},
            "validFor": {"start": "2026-01-01T00:00:00Z"},
        }

    def stamp(self, data: bytes) -> str:
        """Return a timestamp of now, in base64."""
        message, query, reply = (self.folder / name for name in ("message", "query", "reply"))
        message.write_bytes(data)
        openssl("ts", "-query", "-data", message, "-sha256", "-cert", "-out", query)
        config = self.folder / "tsa.cnf"
        openssl("ts", "-reply", "-config", config, "-queryfile", query, "-out", reply)
        return b64(reply.read_bytes())


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (subject, issuer)]
    return (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2126, 1, 1, tzinfo=UTC))
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tsa"))


class Stamped(SigstoreInstance):
    """An instance whose log vouches for no time, with a timestamp authority for that."""

    def __init__(self, authority: Authority) -> None:
        super().__init__()
        self.authority = authority

    def trusted_root(self):
        return super().trusted_root() | {"timestampAuthorities": [self.authority.trusted()]}

    def stamped(self, at: datetime, *, of: bytes | None = None) -> dict:
        bundle = self.bundle(DIGEST.raw, Wish(at=at))
        material = bundle["verificationMaterial"]
        for name in ("integratedTime", "inclusionPromise"):
            del material["tlogEntries"][0][name]
        signature = base64.b64decode(bundle["messageSignature"]["signature"])
        stamps = [{"signedTimestamp": self.authority.stamp(of or signature)}]
        material["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
        return bundle


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def check(bundle: dict, instance: SigstoreInstance) -> sigstorebundle.SigstoreMaker:
    return sigstorebundle.check(encoded(bundle), DIGEST, trusting(instance), now(), what="it")


def test_a_timestamp_is_as_good_as_a_promise_of_the_log(authority) -> None:
    instance = Stamped(authority)
    assert check(instance.stamped(now() - timedelta(minutes=1)), instance)


@pytest.mark.parametrize(
    ("hours", "of", "kind", "says"),
    [
        (-1, None, UntrustedError, "not valid at validation time"),
        (1, None, UntrustedError, "not valid at validation time"),
        (0, b"another signature", SignatureError, "not enough sources of verified time"),
    ],
)
def test_a_timestamp_outside_the_certificates_time_or_of_something_else_is_refused(
    authority, hours, of, kind, says
) -> None:
    instance = Stamped(authority)
    bundle = instance.stamped(now() + timedelta(hours=hours, minutes=-1), of=of)
    with pytest.raises(OcmPkgError, match=says) as caught:
        check(bundle, instance)
    assert type(caught.value) is kind


def test_a_timestamp_of_an_unknown_authority_is_refused(authority, tmp_path) -> None:
    instance, stranger = Stamped(authority), Stamped(Authority(tmp_path))
    bundle = instance.stamped(now() - timedelta(minutes=1))
    assert check(bundle, instance)
    instance.authority = stranger.authority
    with pytest.raises(SignatureError, match="not enough sources of verified time"):
        check(bundle, instance)
    broken = bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"][0]
    broken["signedTimestamp"] = b64(b"no timestamp")
    with pytest.raises(SignatureError, match="Timestamp"):
        check(bundle, instance)
