"""Certificates in signatures, the clock, and how digests are compared; through commands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.fakes import rawctf
from tests.fakes.arena import KEYS, NAME, REF

if TYPE_CHECKING:
    from tests.fakes.arena import Arena

NOW = datetime(2026, 11, 22, tzinfo=UTC)
CODE: tuple[Any, bool] = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)
SERVER: tuple[Any, bool] = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
CA: tuple[Any, bool] = (x509.BasicConstraints(ca=True, path_length=None), True)
LAST_CA: tuple[Any, bool] = (x509.BasicConstraints(ca=True, path_length=0), True)
VERIFY: list[object] = ["verify", "cv", REF, "--ca", "root.pem", "--level", "signature"]


@cache
def key(number: int) -> rsa.RSAPrivateKey:
    """Return one of three keys: 0 the root's, 1 the leaf's, 2 that of what is between."""
    return rsa.generate_private_key(65537, 2048 + 0 * number)


def certificate(
    subject: str,
    issuer: str,
    *extensions: tuple[Any, bool],
    own: int = 1,
    by: int = 0,
    days: tuple[int, int] = (-1, 1),
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key(own).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(key(by), hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def between(*extensions: tuple[Any, bool], **options: Any) -> x509.Certificate:
    return certificate("between", "root", *(extensions or (CA,)), own=2, **options)


def below(*extensions: tuple[Any, bool], **options: Any) -> x509.Certificate:
    return certificate("leaf", "between", CODE, *extensions, by=2, **options)


def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr("ocm_pkg.cli.wiring.Context.now", lambda _self: now)


@pytest.fixture
def signed(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> Arena:
    """A component version that was signed with a good certificate."""
    at(monkeypatch, NOW)
    private = key(1).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    arena.file("leaf.private.pem", private).chmod(0o600)
    arena.file("root.pem", pem(certificate("root", "root", CA, own=0)))
    arena.file("chain.pem", pem(certificate("leaf", "root", CODE)))
    arena.constructor()
    arena.accepted("add", "cv")
    arena.accepted("sign", "cv", REF, "--key", "leaf.private.pem", "--chain", "chain.pem")
    return arena


def carry(arena: Arena, *certificates: x509.Certificate) -> None:
    """Put other certificates into the signature; who signed does not change."""

    def exchange(descriptor: dict[str, Any]) -> None:
        spec = descriptor["signatures"][0]["signature"]
        head, mark, _ = spec["value"].partition("-----END SIGNATURE-----\n")
        spec["value"] = head + mark + pem(*certificates).decode()

    rawctf.change(arena.ctf, NAME, "1.0.0", exchange)


def test_S13_twin_a_good_chain_is_accepted(signed: Arena) -> None:
    signed.accepted(*VERIFY)
    carry(signed, below(), between())
    signed.accepted(*VERIFY)


def refusals() -> list[Any]:
    constraint = x509.NameConstraints([x509.DNSName("example.com")], None)
    other = x509.SubjectAlternativeName([x509.DNSName("evil.test")])
    usage = x509.KeyUsage(False, False, True, *[False] * 6)
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    leaf = certificate("leaf", "root", CODE)
    cases = {
        "expired": ([certificate("leaf", "root", CODE, days=(-9, -1))], "expired"),
        "not yet valid": ([certificate("leaf", "root", CODE, days=(1, 9))], "not valid before"),
        "usage": ([certificate("leaf", "root", SERVER)], "code signing"),
        "no usage": ([certificate("leaf", "root")], "code signing"),
        "key usage": ([certificate("leaf", "root", CODE, (usage, True))], "digital signature"),
        "constraints": ([below(), certificate("between", "root", own=2)], "root"),
        "path length": (
            [
                certificate("leaf", "two", CODE),
                certificate("two", "between", CA, own=0, by=2),
                between(LAST_CA),
            ],
            "root",
        ),
        "expired between": ([below(), between(days=(-9, -1))], "expired"),
        "name": ([below((other, False)), between(CA, (constraint, True))], "root"),
        "self-signed": ([certificate("leaf", "leaf", CODE, by=1)], "root"),
        "same name as the root": ([certificate("leaf", "root", CODE, by=2)], "root"),
        "missing between": ([below()], "root"),
        "unknown extension": ([certificate("leaf", "root", CODE, (unknown, True))], "1.2.3.4"),
        "authority": ([certificate("leaf", "root", CODE, CA)], "authority"),
        "another key": ([certificate("leaf", "root", CODE, own=2)], ""),
        "100 long": ([leaf] * 100, ""),
        "9 long": ([leaf] * 9, "9 certificates"),
        "carries its own root": ([certificate("leaf", "x", CODE), other_root()], "root"),
    }
    return [pytest.param(*case, id=name) for name, case in cases.items()]


def other_root() -> x509.Certificate:
    return certificate("x", "x", CA, own=0)


@pytest.mark.parametrize(("certificates", "says"), refusals())
def test_S13_a_chain_that_is_refused_with_its_reason(
    signed: Arena, certificates: list[x509.Certificate], says: str
) -> None:
    if says == "root" and certificates[-1].subject == _name("x"):
        signed.file("root.pem", (KEYS / "test-other-root-ca.cert.pem").read_bytes())
    carry(signed, *certificates)
    signed.refused(*VERIFY, code=4, says=says)


def test_S13_a_leaf_is_no_root_and_a_foreign_root_is_none(signed: Arena) -> None:
    signed.refused(*VERIFY[:-4], "--ca", "chain.pem", code=4, says="authority")
    signed.refused(*VERIFY[:-4], "--ca", KEYS / "test-other-root-ca.cert.pem", code=4)


@pytest.mark.parametrize("days", [(-9, -1), (1, 9)])
def test_S13_nobody_signs_with_a_certificate_that_is_not_valid(
    signed: Arena, days: tuple[int, int]
) -> None:
    signed.file("chain.pem", pem(certificate("leaf", "root", CODE, days=days)))
    new = ["--signature", "new", "--key", "leaf.private.pem", "--chain", "chain.pem"]
    signed.refused("sign", "cv", REF, *new, code={2, 4})


@pytest.mark.parametrize("year", [1970, 2038, 2106, 9999])
def test_S14_a_clock_that_is_far_off_is_shown(
    signed: Arena, monkeypatch: pytest.MonkeyPatch, year: int
) -> None:
    at(monkeypatch, datetime(year, 1, 2, tzinfo=UTC))
    signed.refused(*VERIFY, code=4, says=str(year))
    new = ["--signature", "new", "--key", "leaf.private.pem", "--chain", "chain.pem"]
    signed.refused("sign", "cv", REF, *new, code={2, 4}, says=str(year))


@pytest.fixture
def keyed(arena: Arena) -> Arena:
    """A component version that was signed with a key."""
    arena.signed()
    return arena


@pytest.mark.parametrize("trick", ["prefix", "empty", "case", "suffix", "algorithm", "colon"])
def test_S18_a_digest_is_equal_only_if_all_of_it_is(keyed: Arena, trick: str) -> None:
    def turn(descriptor: dict[str, Any]) -> None:
        digest = descriptor["component"]["resources"][0]["digest"]
        value = digest["value"]
        digest["value"] = {
            "prefix": value[:63],
            "empty": "",
            "case": value.upper(),
            "suffix": value + "00",
            "algorithm": value,
            "colon": f"sha256:{value}",
        }[trick]
        digest["hashAlgorithm"] = "sha256" if trick == "algorithm" else "SHA-256"

    rawctf.change(keyed.ctf, NAME, "1.0.0", turn)
    verify: list[object] = ["verify", "cv", REF, "--key", KEYS / "test-key-a.public.pem"]
    keyed.refused(*verify, code={2, 4})
    if trick != "algorithm":
        where: tuple[object, ...] = ("--identity", "name=hello", "--output", "got")
        keyed.refused("download", "resource", REF, *where, code={2, 4})


@pytest.mark.parametrize("trick", ["prefix", "case", "suffix"])
def test_S18_so_is_the_digest_of_a_signature(keyed: Arena, trick: str) -> None:
    def turn(descriptor: dict[str, Any]) -> None:
        digest = descriptor["signatures"][0]["digest"]
        value = digest["value"]
        digest["value"] = {"prefix": value[:63], "case": value.upper(), "suffix": value + "00"}[
            trick
        ]

    rawctf.change(keyed.ctf, NAME, "1.0.0", turn)
    verify: list[object] = ["verify", "cv", REF, "--key", KEYS / "test-key-a.public.pem"]
    keyed.refused(*verify, code=4)


@pytest.mark.parametrize("algorithm", ["RSASSA-PSS", "RSASSA-PKCS1-V1_5"])
@pytest.mark.parametrize("hashing", ["SHA-256", "SHA-512"])
def test_S19_twin_each_form_that_is_made_is_accepted(
    signed: Arena, algorithm: str, hashing: str
) -> None:
    form = ["--algorithm", algorithm, "--hash", hashing, "--key", "leaf.private.pem", "--force"]
    signed.accepted("sign", "cv", REF, *form, "--chain", "chain.pem")
    signed.accepted(*VERIFY)
    signed.accepted("sign", "cv", REF, *form)
    public = (
        key(1)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    signed.file("leaf.public.pem", public)
    signed.accepted("verify", "cv", REF, "--key", "leaf.public.pem")
    signed.refused(*VERIFY, code=4)
