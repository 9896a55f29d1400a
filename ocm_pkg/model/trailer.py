"""The trailer of a launcher: where in the file its parts are, and what they must be.

A launcher is one file: an executable, the answer to ``capabilities``, a tar in gzip, and the last
416 bytes, the trailer. The parts follow each other without a gap. Numbers are little endian.

    offset  bytes
         0     16  magic, ``ocm-pkg launcher``
        16      4  version of this format, 1
        20      4  length of the program's path in bytes, 1 to 256
        24      8  offset of the answer to ``capabilities``: the size of the executable
        32      8  its length; 0 if there is none, and the program is asked
        40      8  offset of the payload, a tar in gzip
        48      8  its length
        56      8  length of the tar once it is unpacked from gzip, at most
        64     32  SHA-256 of the answer to ``capabilities``
        96     32  SHA-256 of the payload
       128    256  path of the program in the tar, UTF-8, the rest zeros
       384     32  SHA-256 of the 384 bytes before

``builders/launcher/trailer.go`` is the same in Go.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import Digest
from ocm_pkg.model.innerpath import problem_of

MAGIC = b"ocm-pkg launcher"
VERSION = 1
MAX_CAPABILITIES = 8 * 1024 * 1024
"""How long the answer to ``capabilities`` may be, in bytes."""
MAX_PROGRAM = 256
"""How long the path of the program may be, in bytes."""

_FIELDS = struct.Struct("<16sIIQQQQQ32s32s256s")
SIZE = _FIELDS.size + 32
"""How many bytes at the end of the file the trailer is."""
_MOST = (2**63 - 1) // 4
"""What a length may be, so that no sum of them is more than any reader can count."""


@dataclass(frozen=True, slots=True)
class Trailer:
    """The parts of one launcher; sizes in bytes, ``unpacked_size`` that of the tar.

    ``capabilities_size`` is 0 if no answer is embedded. ``program`` is the path of the program in
    the tar.
    """

    launcher_size: int
    capabilities_size: int
    payload_size: int
    unpacked_size: int
    capabilities: Digest
    payload: Digest
    program: str

    @property
    def payload_offset(self) -> int:
        """Where the payload begins."""
        return self.launcher_size + self.capabilities_size

    @property
    def file_size(self) -> int:
        """How long the whole file is."""
        return self.payload_offset + self.payload_size + SIZE

    def encode(self) -> bytes:
        """Return the trailer. Raises ``InvalidDocumentError`` if there can be no such launcher."""
        program = self.program.encode("utf-8", "replace")
        if problem := self._problem(program):
            raise InvalidDocumentError(f"there can be no launcher like this: {problem}")
        fields = _FIELDS.pack(
            MAGIC,
            VERSION,
            len(program),
            self.launcher_size,
            self.capabilities_size,
            self.payload_offset,
            self.payload_size,
            self.unpacked_size,
            self.capabilities.raw,
            self.payload.raw,
            program,
        )
        return fields + hashlib.sha256(fields).digest()

    @classmethod
    def parse(cls, data: bytes, *, file_size: int, name: str) -> Trailer:
        """Read the last ``SIZE`` bytes of a file of ``file_size`` bytes; ``name`` is for errors.

        There is one reading of a file or none: raises ``InvalidDocumentError`` for anything that
        ``encode`` would not have written.
        """
        if len(data) != SIZE or not data.startswith(MAGIC):
            raise _bad(name, "has no trailer: it is cut off, or is no launcher")
        fields, stated = data[: _FIELDS.size], data[_FIELDS.size :]
        if hashlib.sha256(fields).digest() != stated:
            raise _bad(name, "has a damaged trailer")
        _, version, length, *numbers, capabilities, payload, path = _FIELDS.unpack(fields)
        if version != VERSION:
            raise InvalidDocumentError(
                f"{name} has a trailer of version {version}, this ocm-pkg reads {VERSION}",
                hint="update ocm-pkg",
            )
        if length > MAX_PROGRAM or path[length:].strip(b"\0"):
            raise _bad(name, "has a trailer whose program is longer than it says")
        launcher_size, capabilities_size, payload_offset, payload_size, unpacked_size = numbers
        try:
            program = path[:length].decode()
        except UnicodeDecodeError as error:
            raise _bad(name, "has a trailer whose program is not UTF-8") from error
        trailer = cls(
            launcher_size=launcher_size,
            capabilities_size=capabilities_size,
            payload_size=payload_size,
            unpacked_size=unpacked_size,
            capabilities=Digest("sha256", capabilities.hex()),
            payload=Digest("sha256", payload.hex()),
            program=program,
        )
        if problem := trailer._problem(path[:length]):
            raise _bad(name, f"has a trailer that cannot be: {problem}")
        if trailer.payload_offset != payload_offset or trailer.file_size != file_size:
            raise _bad(name, f"is not as long as its trailer says: {trailer.file_size} bytes")
        return trailer

    def _problem(self, program: bytes) -> str | None:
        sizes = (self.launcher_size, self.payload_size, self.unpacked_size)
        if not all(0 < size <= _MOST for size in sizes):
            return "a part is empty, or larger than any file"
        if {self.capabilities.algorithm, self.payload.algorithm} != {"sha256"}:
            return "a digest is not SHA-256"
        if not 0 <= self.capabilities_size <= MAX_CAPABILITIES:
            return f"the answer to capabilities is longer than {MAX_CAPABILITIES} bytes"
        if not 0 < len(program) <= MAX_PROGRAM:
            return f"the path of the program has not 1 to {MAX_PROGRAM} bytes"
        if problem := problem_of(self.program):
            return f"the path of the program {problem}"
        return None


def _bad(name: str, problem: str) -> InvalidDocumentError:
    return InvalidDocumentError(
        f"{name} {problem}", hint="nothing of it was used; ask its provider to pack it anew"
    )
