"""PEM text: key files, certificate files, and the PEM form of a signature value.

The reader is strict, because what it reads is untrusted: canonical base64, known labels, nothing
between the blocks, limits on size and number. So a signature has one spelling.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ocm_pkg.errors import InvalidDocumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SIGNATURE = "SIGNATURE"
CERTIFICATE = "CERTIFICATE"
ALGORITHM_HEADER = "Signature Algorithm"

MAX_SIZE = 256 * 1024
MAX_BLOCKS = 32
_LINE_LENGTH = 64
_BLANK = " \t"

_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,64})-----")
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9 -]{0,63}): ?(.*)")


@dataclass(frozen=True, slots=True)
class Block:
    """One ``-----BEGIN LABEL-----`` block: its label, its headers and its content."""

    label: str
    content: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def encrypted(self) -> bool:
        """Whether this is a private key that needs a password."""
        return self.label == "ENCRYPTED PRIVATE KEY" or "ENCRYPTED" in self.headers.get(
            "Proc-Type", ""
        )

    @property
    def private(self) -> bool:
        """Whether this is a private key of any kind."""
        return self.label.endswith("PRIVATE KEY")


def parse(text: str, *, name: str) -> tuple[Block, ...]:
    """Return the blocks of a PEM text; anything else in it is an ``InvalidDocumentError``.

    Text before the first block is skipped, as ``openssl x509 -text`` writes it; between and after
    blocks only empty lines may stand.
    """
    if len(text) > MAX_SIZE:
        raise InvalidDocumentError(f"{name} is larger than {MAX_SIZE // 1024} KiB: no PEM file")
    lines = text.replace("\r\n", "\n").split("\n")
    starts = [index for index, line in enumerate(lines) if _BEGIN.fullmatch(line.rstrip(_BLANK))]
    if not starts:
        raise InvalidDocumentError(
            f"{name} is no PEM file: it has no -----BEGIN ...----- line",
            hint="convert a DER file with: openssl pkey -inform DER -in FILE",
        )
    return tuple(_blocks(lines[starts[0] :], name))


def _blocks(lines: Sequence[str], name: str) -> list[Block]:
    blocks: list[Block] = []
    index = 0
    while index < len(lines):
        line = lines[index].rstrip(_BLANK)
        index += 1
        if not line:
            continue
        begin = _BEGIN.fullmatch(line)
        if begin is None:
            raise InvalidDocumentError(f"{name} has text between its PEM blocks")
        if len(blocks) == MAX_BLOCKS:
            raise InvalidDocumentError(f"{name} has more than {MAX_BLOCKS} PEM blocks")
        end = _end(lines, index, begin[1], name)
        blocks.append(_block(begin[1], lines[index:end], name))
        index = end + 1
    return blocks


def _end(lines: Sequence[str], start: int, label: str, name: str) -> int:
    wanted = f"-----END {label}-----"
    for index in range(start, len(lines)):
        if lines[index].rstrip(_BLANK) == wanted:
            return index
    raise InvalidDocumentError(f"{name}: the PEM block {label} does not end")


def _block(label: str, lines: Sequence[str], name: str) -> Block:
    headers: dict[str, str] = {}
    body = [line.strip(_BLANK) for line in lines]
    if any(":" in line for line in body):
        if "" not in body:
            raise InvalidDocumentError(f"{name}: no empty line after the headers of {label}")
        split = body.index("")
        headers = _headers(body[:split], label, name)
        body = body[split + 1 :]
    return Block(label, _decode("".join(body), label, name), headers)


def _headers(lines: Sequence[str], label: str, name: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None or match[1] in headers:
            raise InvalidDocumentError(f"{name}: a header of the PEM block {label} is wrong")
        headers[match[1]] = match[2].strip()
    return headers


def _decode(text: str, label: str, name: str) -> bytes:
    try:
        content = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InvalidDocumentError(f"{name}: the PEM block {label} is not base64") from error
    if base64.b64encode(content).decode() != text or not content:
        raise InvalidDocumentError(f"{name}: the PEM block {label} is not canonical base64")
    return content


def encode(block: Block) -> str:
    """Return ``block`` as PEM text with a newline at the end; base64 in lines of 64."""
    text = base64.b64encode(block.content).decode()
    lines = [text[start : start + _LINE_LENGTH] for start in range(0, len(text), _LINE_LENGTH)]
    headers = [f"{key}: {value}" for key, value in block.headers.items()]
    if headers:
        headers.append("")
    whole = [f"-----BEGIN {block.label}-----", *headers, *lines, f"-----END {block.label}-----"]
    return "\n".join(whole) + "\n"


@dataclass(frozen=True, slots=True)
class SignaturePem:
    """A signature with its certificates: what a PEM ``value`` holds."""

    algorithm: str | None
    value: bytes
    certificates: tuple[bytes, ...]
    """DER, the leaf first."""


def parse_signature(text: str, *, name: str) -> SignaturePem:
    """Read a PEM ``value``: one SIGNATURE block, then at least one CERTIFICATE."""
    if not text.lstrip().startswith("-----BEGIN "):
        raise InvalidDocumentError(f"{name} does not start with a PEM block")
    first, *rest = parse(text, name=name)
    if first.label != SIGNATURE:
        raise InvalidDocumentError(f"{name} starts with {first.label}, not with {SIGNATURE}")
    unknown = set(first.headers) - {ALGORITHM_HEADER}
    if unknown:
        raise InvalidDocumentError(f"{name} has unknown headers: {', '.join(sorted(unknown))}")
    wrong = next((block.label for block in rest if block.label != CERTIFICATE), None)
    if wrong is not None:
        raise InvalidDocumentError(f"{name} holds a PEM block {wrong}; only certificates may be")
    if not rest:
        raise InvalidDocumentError(f"{name} holds no certificate")
    return SignaturePem(
        first.headers.get(ALGORITHM_HEADER), first.content, tuple(block.content for block in rest)
    )


def encode_signature(signature: SignaturePem) -> str:
    """Return the PEM ``value`` of a signature."""
    headers = {ALGORITHM_HEADER: signature.algorithm} if signature.algorithm else {}
    blocks = [Block(SIGNATURE, signature.value, headers)]
    blocks += [Block(CERTIFICATE, certificate) for certificate in signature.certificates]
    return "".join(encode(block) for block in blocks)
