"""Whatever bytes come as a key, a certificate or a signature: a value, or an error of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocm_pkg.errors import OcmPkgError, SignatureError
from ocm_pkg.model.descriptor import SignatureSpec
from ocm_pkg.signing import certificates, keys, pem
from ocm_pkg.signing.handlers import PEM_MEDIA_TYPE, PLAIN_MEDIA_TYPES, read_value
from ocm_pkg.signing.rsa import ALGORITHMS

VECTORS = Path(__file__).parents[1] / "vectors/keys"
CERTIFICATE = pem.parse((VECTORS / "test-leaf.cert.pem").read_text(), name="leaf")[0].content
TEXTS = [path.read_bytes() for path in sorted(VECTORS.glob("*.pem"))]
LABELS = ["SIGNATURE", "CERTIFICATE", "PRIVATE KEY", "X"]
BLOCKS = st.builds(
    pem.Block,
    st.sampled_from(LABELS),
    st.binary(min_size=1, max_size=200),
    st.dictionaries(st.sampled_from(["Signature Algorithm", "A"]), st.sampled_from(["b", "c d"])),
)

SETTINGS = settings(derandomize=True, deadline=None, max_examples=200)


@st.composite
def mutated(draw: st.DrawFn, sources: list[bytes]) -> bytes:
    data = bytearray(draw(st.sampled_from(sources)))
    for _ in range(draw(st.integers(1, 3))):
        index = draw(st.integers(0, len(data) - 1))
        action = draw(st.sampled_from(["set", "cut", "add"]))
        if action == "set":
            data[index] = draw(st.integers(0, 255))
        elif action == "cut":
            del data[index : index + draw(st.integers(1, 20))]
        else:
            data[index:index] = draw(st.binary(max_size=20))
        data = data or bytearray(b"x")
    return bytes(data)


@SETTINGS
@given(st.lists(BLOCKS, min_size=1, max_size=5))
def test_blocks_that_are_written_are_read_back(blocks) -> None:
    assert pem.parse("".join(map(pem.encode, blocks)), name="x") == tuple(blocks)


@SETTINGS
@given(st.one_of(st.text(), st.lists(BLOCKS).map(lambda some: "".join(map(pem.encode, some)))))
def test_any_text_is_a_signature_value_or_an_error(text) -> None:
    for parse in (pem.parse, pem.parse_signature):
        try:
            parse(text, name="x")
        except OcmPkgError:
            continue


@SETTINGS
@given(st.one_of(st.binary(max_size=300), mutated(TEXTS)))
def test_any_file_is_a_key_or_an_error(tmp_path_factory, data) -> None:
    path = tmp_path_factory.mktemp("key") / "k.pem"
    path.write_bytes(data)
    for load in (keys.load_public_key, keys.load_certificates):
        try:
            load(path)
        except OcmPkgError:
            continue


@settings(SETTINGS, max_examples=30)
@given(mutated([one for one in TEXTS if b"PRIVATE KEY" in one]))
def test_any_private_key_file_is_a_key_or_an_error(tmp_path_factory, data) -> None:
    path = tmp_path_factory.mktemp("key") / "k.pem"
    path.write_bytes(data)
    try:
        keys.load_private_key(path)
    except OcmPkgError:
        return


@SETTINGS
@given(st.one_of(st.binary(max_size=300), mutated([CERTIFICATE])))
def test_any_bytes_are_a_certificate_or_an_error(data) -> None:
    try:
        certificate = certificates.load_der(data, name="x")
        certificates.issuer_fits("CN=a", certificate)
        certificates.common_name(certificate)
        certificates.rsa_key(certificate)
    except OcmPkgError:
        return


@SETTINGS
@given(
    st.sampled_from([*ALGORITHMS, "none"]),
    st.sampled_from([PEM_MEDIA_TYPE, *PLAIN_MEDIA_TYPES.values(), "x"]),
    st.one_of(st.text(min_size=1), st.from_regex(r"[0-9a-fA-F]{1,40}", fullmatch=True)),
)
def test_any_entry_is_a_signature_or_an_error(algorithm, media_type, value) -> None:
    spec = SignatureSpec(algorithm=algorithm, media_type=media_type, value=value)
    try:
        read = read_value(spec, what="signature 'x'")
    except SignatureError:
        return
    assert read.value.hex() == value


@SETTINGS
@given(st.text(max_size=60))
def test_any_issuer_is_compared_without_an_error(issuer) -> None:
    leaf = certificates.load_der(CERTIFICATE, name="leaf")
    assert certificates.issuer_fits(issuer, leaf) is False


@pytest.mark.parametrize("name", ["test-leaf.chain.pem", "test-leaf.chain-with-root.pem"])
def test_certificates_are_written_as_they_were_read(name) -> None:
    text = (VECTORS / name).read_text()
    assert "".join(map(pem.encode, pem.parse(text, name=name))) == text
