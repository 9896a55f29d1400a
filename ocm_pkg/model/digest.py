"""Digests: of a blob as OCI writes them, of an element as OCM descriptors write them."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ocm_pkg._typing import override
from ocm_pkg.errors import InvalidDocumentError

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEX_DIGITS = {"sha256": 64, "sha512": 128}
_OCM_NAMES = {"sha256": "SHA-256", "sha512": "SHA-512"}
_ALGORITHMS = {name.lower(): algorithm for algorithm, name in _OCM_NAMES.items()}
_HEX = re.compile(r"[0-9a-f]+")


class Hasher(Protocol):
    """The part of a ``hashlib`` object that is used here."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Add bytes."""

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far, lower case."""


@dataclass(frozen=True, slots=True)
class Digest:
    """A content digest ``ALGORITHM:HEX``; only sha256 and sha512, only lower case.

    The text is safe in a path and in a URL. Comparing two digests takes the same time wherever
    they differ.
    """

    algorithm: str
    hex: str

    def __post_init__(self) -> None:
        if _HEX_DIGITS.get(self.algorithm) != len(self.hex) or not _HEX.fullmatch(self.hex):
            shown = f"{self.algorithm}:{self.hex}"[:100]
            raise InvalidDocumentError(
                f"{shown!r} is not a digest",
                hint="a digest is sha256: and 64 lower-case hex digits, or sha512: and 128",
            )

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read ``sha256:HEX`` or ``sha512:HEX``, or raise ``InvalidDocumentError``."""
        algorithm, _, hex_digits = text.partition(":")
        return cls(algorithm, hex_digits)

    @override
    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Digest):
            return NotImplemented
        return hmac.compare_digest(str(self), str(other))

    @override
    def __hash__(self) -> int:
        return hash((self.algorithm, self.hex))

    @property
    def ocm_algorithm(self) -> str:
        """The ``hashAlgorithm`` of a descriptor: ``SHA-256`` or ``SHA-512``."""
        return _OCM_NAMES[self.algorithm]

    @property
    def raw(self) -> bytes:
        """The digest as bytes, which is what an RSA signature covers."""
        return bytes.fromhex(self.hex)


def algorithm_of(ocm_name: str) -> str:
    """Return ``sha256`` or ``sha512`` for a ``hashAlgorithm``; any other is refused."""
    try:
        return _ALGORITHMS[ocm_name.lower()]
    except KeyError:
        raise InvalidDocumentError(
            f"hash algorithm {ocm_name[:40]!r} is not accepted", hint="use SHA-256 or SHA-512"
        ) from None


def new_hasher(algorithm: str = "sha256") -> Hasher:
    """Return an incremental hasher for ``sha256`` or ``sha512``."""
    return hashlib.new(algorithm, usedforsecurity=True)


def digest_of(data: bytes | bytearray | memoryview, algorithm: str = "sha256") -> Digest:
    """Return the digest of bytes that are in memory already."""
    return Digest(algorithm, hashlib.new(algorithm, data).hexdigest())


def digest_of_chunks(chunks: Iterable[bytes], algorithm: str = "sha256") -> Digest:
    """Return the digest of a stream, holding one chunk at a time."""
    hasher = new_hasher(algorithm)
    for chunk in chunks:
        hasher.update(chunk)
    return Digest(algorithm, hasher.hexdigest())
