from __future__ import annotations

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.signing.pem import (
    MAX_BLOCKS,
    MAX_SIZE,
    Block,
    SignaturePem,
    encode,
    encode_signature,
    parse,
    parse_signature,
)

BLOCK = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
SIGNATURE = (
    "-----BEGIN SIGNATURE-----\nSignature Algorithm: RSASSA-PSS\n\nAAEC\n-----END SIGNATURE-----\n"
)


def test_a_block_comes_back_as_it_was_written() -> None:
    block = Block("PUBLIC KEY", bytes(range(256)), {"A": "b"})
    assert parse(encode(block), name="x") == (block,)


def test_lines_have_64_characters() -> None:
    lines = encode(Block("X", bytes(200))).splitlines()
    assert max(map(len, lines[1:-1])) == 64


def test_windows_line_ends_and_text_before_the_first_block_are_read() -> None:
    text = "Certificate:\n  Data\n" + BLOCK
    assert parse(text.replace("\n", "\r\n"), name="x")[0].content == b"\0\0\0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n",
        "-----BEGIN CERTIFICATE-----\nAA!A\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAB=\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END PUBLIC KEY-----\n",
        BLOCK + "text\n" + BLOCK,
        "-----BEGIN X-----\nA: b\nAAAA\n-----END X-----\n",
        "-----BEGIN X-----\nA: b\nA: c\n\nAAAA\n-----END X-----\n",
        BLOCK * (MAX_BLOCKS + 1),
        "x" * (MAX_SIZE + 1),
    ],
    ids=range(12),
)
def test_text_that_is_not_strict_pem_is_refused(text: str) -> None:
    with pytest.raises(InvalidDocumentError):
        parse(text, name="file.pem")


def test_a_signature_value_gives_algorithm_value_and_certificates() -> None:
    parsed = parse_signature(SIGNATURE + BLOCK, name="x")
    assert parsed == SignaturePem("RSASSA-PSS", b"\0\1\2", (b"\0\0\0",))
    assert encode_signature(parsed) == SIGNATURE + BLOCK


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (SIGNATURE, "no certificate"),
        (BLOCK + SIGNATURE, "starts with CERTIFICATE"),
        (SIGNATURE + BLOCK.replace("CERTIFICATE", "PRIVATE KEY"), "PRIVATE KEY"),
        (SIGNATURE.replace("Signature Algorithm", "Other") + BLOCK, "unknown headers"),
        ("text\n" + SIGNATURE + BLOCK, "does not start"),
    ],
)
def test_a_wrong_signature_value_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidDocumentError, match=why):
        parse_signature(text, name="signature 'default'")
