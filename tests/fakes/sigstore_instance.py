"""A Sigstore of its own: certificate authority, certificate log, transparency log, trusted root.

It issues certificates as Fulcio does, and log entries as Rekor (version 1) does, so that bundles
can be made, and broken, without a network. Keys are made once per instance.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ocm_pkg.signing.sigstorebundle import Expected, SigstoreTrust
from ocm_pkg.signing.sigstoreroot import read_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.signing.sigstoreroot import TrustRoot

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
IDENTITY = "release@example.com"
ISSUER = "https://login.example.com"
SIGNED = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)

_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ISSUER_V1 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
_UNTIL = datetime(2036, 1, 1, tzinfo=UTC)
_ISSUER_FORMS = ("v1", "v2")


def b64(data: bytes) -> str:
    """Return base64 text."""
    return base64.b64encode(data).decode()


@dataclass
class Wish:
    """What a certificate shall be; everything that is left alone is as Fulcio does it."""

    identity: str = IDENTITY
    issuer: str = ISSUER
    at: datetime = SIGNED
    issuer_forms: Sequence[str] = _ISSUER_FORMS
    v1_issuer: str | None = None
    names: Sequence[x509.GeneralName] | None = None
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING
    with_sct: bool = True
    sct_key: ec.EllipticCurvePrivateKey | None = None


@dataclass
class SigstoreInstance:
    """One instance; ``url`` is where its services are said to be."""

    url: str = "http://127.0.0.1:9"
    leaves: list[bytes] = field(default_factory=lambda: [b"somebody else's", b"another's"])

    def __post_init__(self) -> None:
        self.ca_key, self.ct_key, self.log_key = (
            ec.generate_private_key(ec.SECP256R1()) for _ in range(3)
        )
        self.ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.ca = (
            x509.CertificateBuilder()
            .subject_name(self.ca_name)
            .issuer_name(self.ca_name)
            .public_key(self.ca_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_SINCE)
            .not_valid_after(_UNTIL)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(self._key_identifier(), critical=False)
            .sign(self.ca_key, hashes.SHA256())
        )

    def _key_identifier(self) -> x509.SubjectKeyIdentifier:
        return x509.SubjectKeyIdentifier.from_public_key(self.ca_key.public_key())

    def trusted_root(self) -> dict[str, Any]:
        """Return the trusted root of this instance."""
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self._log(self.log_key)],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "test", "commonName": "test authority"},
                    "uri": self.url,
                    "certChain": {
                        "certificates": [
                            {"rawBytes": b64(self.ca.public_bytes(serialization.Encoding.DER))}
                        ]
                    },
                    "validFor": {"start": _rfc3339(_SINCE)},
                }
            ],
            "ctlogs": [self._log(self.ct_key)],
        }

    def client_config(self) -> dict[str, Any]:
        """Return the trusted root together with the addresses of the services."""
        service = {
            "url": self.url,
            "majorApiVersion": 1,
            "validFor": {"start": _rfc3339(_SINCE)},
            "operator": "test",
        }
        return {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": self.trusted_root(),
            "signingConfig": {
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "caUrls": [service],
                "oidcUrls": [service],
                "rekorTlogUrls": [service],
                "rekorTlogConfig": {"selector": "ANY"},
                "tsaUrls": [],
                "tsaConfig": {"selector": "ANY"},
            },
        }

    def _log(self, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
        return {
            "baseUrl": self.url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": b64(spki(key)),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": {"start": _rfc3339(_SINCE)},
            },
            "logId": {"keyId": b64(_key_id(key))},
        }

    def certificate(
        self, key: ec.EllipticCurvePublicKey | Any, wish: Wish | None = None
    ) -> x509.Certificate:
        """Return a certificate for ten minutes, with the promise of the certificate log in it."""
        wish = wish or Wish()
        names = wish.names
        if names is None:
            is_mail = "@" in wish.identity and "//" not in wish.identity
            kind = x509.RFC822Name if is_mail else x509.UniformResourceIdentifier
            names = [kind(wish.identity)]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.ca_name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(wish.at)
            .not_valid_after(wish.at + timedelta(minutes=10))
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([wish.usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                    self._key_identifier()
                ),
                critical=False,
            )
        )
        if "v1" in wish.issuer_forms:
            old = (wish.v1_issuer or wish.issuer).encode()
            builder = builder.add_extension(
                x509.UnrecognizedExtension(_ISSUER_V1, old), critical=False
            )
        if "v2" in wish.issuer_forms:
            new = _der(0x0C, wish.issuer.encode())
            builder = builder.add_extension(
                x509.UnrecognizedExtension(_ISSUER_V2, new), critical=False
            )
        bare = builder.sign(self.ca_key, hashes.SHA256())
        if not wish.with_sct:
            return bare
        promise = self._sct(bare.tbs_certificate_bytes, wish)
        return builder.add_extension(
            x509.UnrecognizedExtension(_SCT_LIST, _der(0x04, promise)), critical=False
        ).sign(self.ca_key, hashes.SHA256())

    def _sct(self, certificate: bytes, wish: Wish) -> bytes:
        key = wish.sct_key or self.ct_key
        milliseconds = int(wish.at.timestamp() * 1000)
        length = struct.pack("!I", len(certificate))[1:]
        entry = _key_id(self.ca_key) + length + certificate
        signed = struct.pack("!BBQH", 0, 0, milliseconds, 1) + entry + b"\0\0"
        signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
        one = struct.pack("!B32sQH", 0, _key_id(key), milliseconds, 0)
        one += struct.pack("!BBH", 4, 3, len(signature)) + signature
        return struct.pack("!HH", len(one) + 2, len(one)) + one

    def entry(self, body: bytes, at: datetime = SIGNED) -> dict[str, Any]:
        """Take ``body`` into the log; return the log entry, with promise and proof."""
        self.leaves.append(body)
        index, size = len(self.leaves) - 1, len(self.leaves)
        root, path = _root(self.leaves), _path(index, self.leaves)
        note = f"log.test - 1\n{size}\n{b64(root)}\n"
        signature = self._signed(note.encode())
        checkpoint = f"{note}\n\u2014 log.test {b64(_key_id(self.log_key)[:4] + signature)}\n"
        promise = {
            "body": b64(body),
            "integratedTime": int(at.timestamp()),
            "logID": _key_id(self.log_key).hex(),
            "logIndex": index,
        }
        return {
            "logIndex": str(index),
            "logId": {"keyId": b64(_key_id(self.log_key))},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
            "integratedTime": str(int(at.timestamp())),
            "inclusionPromise": {"signedEntryTimestamp": b64(self._signed(canonical(promise)))},
            "inclusionProof": {
                "logIndex": str(index),
                "rootHash": b64(root),
                "treeSize": str(size),
                "hashes": [b64(one) for one in path],
                "checkpoint": {"envelope": checkpoint},
            },
            "canonicalizedBody": b64(body),
        }

    def _signed(self, data: bytes) -> bytes:
        return self.log_key.sign(data, ec.ECDSA(hashes.SHA256()))

    def bundle(
        self, artifact: bytes, wish: Wish | None = None, *, logged: datetime | None = None
    ) -> dict[str, Any]:
        """Return a bundle that signs ``artifact``, as JSON data."""
        wish = wish or Wish()
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.certificate(key.public_key(), wish)
        signature = key.sign(artifact, ec.ECDSA(hashes.SHA256()))
        body = hashedrekord(artifact, signature, certificate)
        return bundle_of(artifact, signature, certificate, self.entry(body, logged or wish.at))


def bundle_of(
    artifact: bytes, signature: bytes, certificate: x509.Certificate, entry: dict[str, Any]
) -> dict[str, Any]:
    """Put a bundle together."""
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {
            "certificate": {"rawBytes": b64(certificate.public_bytes(serialization.Encoding.DER))},
            "tlogEntries": [entry],
        },
        "messageSignature": {
            "messageDigest": {
                "algorithm": "SHA2_256",
                "digest": b64(hashlib.sha256(artifact).digest()),
            },
            "signature": b64(signature),
        },
    }


def hashedrekord(artifact: bytes, signature: bytes, certificate: x509.Certificate) -> bytes:
    """Return the body of a log entry, as the log keeps it."""
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    return canonical(
        {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {
                    "hash": {"algorithm": "sha256", "value": hashlib.sha256(artifact).hexdigest()}
                },
                "signature": {"content": b64(signature), "publicKey": {"content": b64(pem)}},
            },
        }
    )


def root_of(instance: SigstoreInstance) -> TrustRoot:
    """Return the trusted root of an instance, as it is read from a file."""
    return read_root(json.dumps(instance.trusted_root()).encode(), name="root.json")


def trusting(instance: SigstoreInstance, **members: Any) -> SigstoreTrust:
    """Return trust in the usual identity and issuer of an instance."""
    said = {"identity": Expected(IDENTITY), "issuer": Expected(ISSUER), "root": root_of(instance)}
    return SigstoreTrust(**{**said, **members})


def encoded(bundle: object) -> str:
    """Return the value of a signature: a bundle in base64, or the text as it is."""
    return bundle if isinstance(bundle, str) else b64(json.dumps(bundle).encode())


def canonical(value: object) -> bytes:
    """Return JSON with sorted keys and no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the public key in DER."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _key_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(spki(key)).digest()


def _rfc3339(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _der(tag: int, value: bytes) -> bytes:
    size = len(value)
    if size < 128:
        return bytes([tag, size]) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + value


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _split(count: int) -> int:
    """Return the greatest power of two below ``count``."""
    return 1 << ((count - 1).bit_length() - 1)


def _root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = _split(len(leaves))
    return hashlib.sha256(b"\1" + _root(leaves[:half]) + _root(leaves[half:])).digest()


def _path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    half = _split(len(leaves))
    if index < half:
        return [*_path(index, leaves[:half]), _root(leaves[half:])]
    return [*_path(index - half, leaves[half:]), _root(leaves[:half])]
