from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ocm_pkg.errors import InvalidDocumentError, UntrustedError
from ocm_pkg.signing import certificates, keys

VECTORS = Path(__file__).parents[2] / "vectors/keys"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
CODE_SIGNING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
ANY_KEY = rsa.generate_private_key(65537, 2048)
ROOT_KEY = rsa.generate_private_key(65537, 2048)


def chain(name: str) -> tuple[x509.Certificate, ...]:
    return keys.load_certificates(VECTORS / f"{name}.pem")


ROOTS = chain("test-root-ca.cert")
OTHER_ROOTS = chain("test-other-root-ca.cert")


def name_of(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject: str, issuer: str, *extensions, key=ANY_KEY, signer=ROOT_KEY, sha=None):
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(subject))
        .issuer_name(name_of(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    for extension in extensions:
        value, critical = extension if isinstance(extension, tuple) else (extension, False)
        builder = builder.add_extension(value, critical)
    return builder.sign(signer, sha or hashes.SHA256())


def authority(subject: str, issuer: str, *extensions, key=ANY_KEY, path_length=None, **options):
    constraints = (x509.BasicConstraints(ca=True, path_length=path_length), True)
    return certificate(subject, issuer, constraints, *extensions, key=key, **options)


ROOT = authority("root", "root", key=ROOT_KEY)


def refused(found, roots=(ROOT,), now=NOW) -> str:
    with pytest.raises(UntrustedError) as error:
        certificates.check_chain(found, roots, now)
    return " ".join([error.value.message, *error.value.detail])


def test_a_chain_that_leads_to_a_given_root_is_accepted() -> None:
    certificates.check_chain(chain("test-leaf.chain"), ROOTS, NOW)
    certificates.check_chain((certificate("leaf", "root", CODE_SIGNING),), (ROOT,), NOW)


def test_a_root_in_the_chain_does_no_harm_and_is_no_anchor() -> None:
    carried = chain("test-leaf.chain-with-root")
    certificates.check_chain(carried, ROOTS, NOW)
    assert "leads to no trusted root" in refused(carried, OTHER_ROOTS)


def test_S13_a_foreign_root_a_missing_intermediate_and_no_root_are_refused() -> None:
    assert "leads to no trusted root" in refused(chain("test-leaf.chain"), OTHER_ROOTS)
    assert "leads to no trusted root" in refused(chain("test-leaf.chain")[:1], ROOTS)


def test_S13_an_expired_leaf_and_one_not_for_code_are_refused() -> None:
    expired = refused(chain("test-leaf-expired.chain"), ROOTS)
    assert "expired on 2021-01-01" in expired
    assert "not for code signing" in refused(chain("test-leaf-serverauth.chain"), ROOTS)
    assert "not for code signing" in refused((certificate("leaf", "root"),))


@pytest.mark.parametrize(
    ("year", "reason"), [(1970, "not valid before"), (2106, "expired on"), (2024, "not valid")]
)
def test_S14_a_clock_that_is_far_off_is_a_refusal_that_shows_the_clock(year, reason) -> None:
    now = datetime(year, 1, 1, tzinfo=UTC)
    assert reason in refused(chain("test-leaf.chain"), ROOTS, now)
    with pytest.raises(UntrustedError) as error:
        certificates.check_chain(chain("test-leaf.chain"), ROOTS, now)
    assert str(year) in str(error.value.hint)


def test_S13_an_issuer_without_basic_constraints_is_no_authority() -> None:
    between = certificate("between", "root")
    leaf = certificate("leaf", "between", CODE_SIGNING, signer=ANY_KEY)
    assert "leads to no trusted root" in refused((leaf, between))
    good = authority("between", "root")
    certificates.check_chain((leaf, good), (ROOT,), NOW)


def test_S13_an_issuer_that_may_not_sign_certificates_is_refused() -> None:
    usage = x509.KeyUsage(True, *[False] * 8)
    leaf = certificate("leaf", "between", CODE_SIGNING, signer=ANY_KEY)
    assert "leads to no trusted root" in refused((leaf, authority("between", "root", usage)))


def test_S13_the_path_length_counts() -> None:
    one = authority("one", "root", path_length=0)
    two = authority("two", "one", signer=ANY_KEY)
    leaf = certificate("leaf", "two", CODE_SIGNING, signer=ANY_KEY)
    assert "leads to no trusted root" in refused((leaf, two, one))
    certificates.check_chain((leaf, two, authority("one", "root", path_length=1)), (ROOT,), NOW)


def test_S13_name_constraints_that_are_broken_are_refused() -> None:
    only = x509.NameConstraints([x509.DNSName("example.com")], None)
    between = authority("between", "root", (only, True))

    def leaf(host: str):
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        return certificate("leaf", "between", CODE_SIGNING, names, signer=ANY_KEY)

    assert "leads to no trusted root" in refused((leaf("evil.test"), between))
    certificates.check_chain((leaf("a.example.com"), between), (ROOT,), NOW)


def test_S13_constraints_on_directory_names_are_not_passed_over() -> None:
    only = x509.NameConstraints([x509.DirectoryName(name_of("acme"))], None)
    between = authority("between", "root", (only, True))
    leaf = certificate("leaf", "between", CODE_SIGNING, signer=ANY_KEY)
    assert "directoryName constraint" in refused((leaf, between))


def test_S13_a_critical_extension_that_nobody_knows_is_refused() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    assert "1.2.3.4" in refused((certificate("leaf", "root", CODE_SIGNING, (unknown, True)),))
    certificates.check_chain((certificate("leaf", "root", CODE_SIGNING, unknown),), (ROOT,), NOW)


def test_S13_a_self_signed_leaf_is_trusted_by_nobody() -> None:
    leaf = certificate("leaf", "leaf", CODE_SIGNING, signer=ANY_KEY)
    assert "leads to no trusted root" in refused((leaf,))


def test_S13_an_authority_may_not_sign_code_itself() -> None:
    assert "is an authority" in refused((authority("leaf", "root", CODE_SIGNING),))


def test_S13_a_leaf_whose_usage_leaves_out_signatures_is_refused() -> None:
    usage = x509.KeyUsage(False, False, True, *[False] * 6)
    assert "digital signature" in refused((certificate("leaf", "root", CODE_SIGNING, usage),))


def test_S13_a_chain_of_100_is_refused() -> None:
    leaf = certificate("leaf", "root", CODE_SIGNING)
    assert "100 certificates" in refused((leaf,) * 100)


def test_S05_a_certificate_for_a_weak_or_another_kind_of_key_is_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505
    assert "1024 bits" in refused((certificate("leaf", "root", CODE_SIGNING, key=weak),))
    curve = ec.generate_private_key(ec.SECP256R1())
    assert "RSA" in refused((certificate("leaf", "root", CODE_SIGNING, key=curve),))


def test_S01_a_certificate_with_any_byte_changed_is_refused() -> None:
    leaf, *between = chain("test-leaf.chain")
    der = leaf.public_bytes(keys.serialization.Encoding.DER)
    for index in range(len(der)):
        changed = bytearray(der)
        changed[index] ^= 1
        try:
            read = certificates.load_der(bytes(changed), name="x")
            certificates.check_chain((read, *between), ROOTS, NOW)
        except (InvalidDocumentError, UntrustedError):
            continue
        pytest.fail(f"byte {index} can be changed")


@pytest.mark.parametrize(
    ("issuer", "fits"),
    [
        ("CN=TEST Leaf Signer,O=ocm-pkg TEST ONLY,C=XX", True),
        ("C=XX,O=ocm-pkg TEST ONLY,CN=TEST Leaf Signer", True),
        ("CN=TEST Intermediate CA,O=ocm-pkg TEST ONLY,C=XX", True),
        ("TEST Leaf Signer", True),
        ("TEST Intermediate CA", False),
        ("CN=TEST Leaf Signer", False),
        ("CN=TEST Leaf Signer,O=other,C=XX", False),
        ("CN=TEST Root CA,O=ocm-pkg TEST ONLY,C=XX", False),
        ("=", False),
        ("", False),
    ],
)
def test_the_issuer_of_a_signature_is_the_leaf_or_who_issued_it(issuer, fits) -> None:
    assert certificates.issuer_fits(issuer, chain("test-leaf.cert")[0]) is fits
