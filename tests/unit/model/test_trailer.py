"""The trailer of a launcher: written, read back, and refused when anything is odd."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import Digest, digest_of
from ocm_pkg.model.trailer import MAGIC, MAX_CAPABILITIES, SIZE, Trailer

GOOD = Trailer(
    launcher_size=1000,
    capabilities_size=20,
    payload_size=300,
    unpacked_size=10240,
    capabilities=digest_of(b"answer"),
    payload=digest_of(b"payload"),
    program="hello/hello",
)
WHOLE = 1000 + 20 + 300 + SIZE


def parsed(data: bytes, file_size: int = WHOLE) -> Trailer:
    return Trailer.parse(data, file_size=file_size, name="x")


def summed(data: bytes | bytearray) -> bytes:
    """Return a trailer with the digest of what it says."""
    return bytes(data[:384]) + hashlib.sha256(data[:384]).digest()


def test_a_trailer_has_416_bytes_at_fixed_places():
    data = GOOD.encode()
    assert (len(data), SIZE) == (416, 416)
    assert data[:16] == MAGIC == b"ocm-pkg launcher"
    assert struct.unpack_from("<II5Q", data, 16) == (1, 11, 1000, 20, 1020, 300, 10240)
    assert data[64:96] == digest_of(b"answer").raw
    assert data[96:128] == digest_of(b"payload").raw
    assert data[128:384] == b"hello/hello" + bytes(245)
    assert data[384:] == hashlib.sha256(data[:384]).digest()


def test_what_was_written_is_read_back():
    assert parsed(GOOD.encode()) == GOOD
    assert (GOOD.payload_offset, GOOD.file_size) == (1020, WHOLE)
    without = replace(GOOD, capabilities_size=0)
    assert parsed(without.encode(), WHOLE - 20) == without


@pytest.mark.parametrize(
    "changes",
    [
        {"launcher_size": 0},
        {"launcher_size": -1},
        {"payload_size": 0},
        {"payload_size": 2**63},
        {"unpacked_size": 0},
        {"capabilities_size": MAX_CAPABILITIES + 1},
        {"capabilities_size": -1},
        {"program": ""},
        {"program": "../hello"},
        {"program": "/hello"},
        {"program": "a\\b"},
        {"program": "x" * 257},
        {"program": "\udcff"},
        {"payload": Digest("sha512", "0" * 128)},
    ],
)
def test_what_can_be_no_launcher_is_not_written(changes):
    with pytest.raises(InvalidDocumentError, match="no launcher like this"):
        replace(GOOD, **changes).encode()


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "has no trailer"),
        (GOOD.encode()[:-1], "has no trailer"),
        (GOOD.encode()[1:] + b"\0", "has no trailer"),
        (GOOD.encode() + b"\0", "has no trailer"),
        (bytes(SIZE), "has no trailer"),
        (GOOD.encode()[:-1] + b"\0", "damaged"),
        (GOOD.encode().replace(b"hello/hello", b"hello/evil!"), "damaged"),
    ],
)
def test_A_what_is_cut_or_changed_is_refused(data, match):
    with pytest.raises(InvalidDocumentError, match=match) as caught:
        parsed(data)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("at", "value", "match"),
    [
        (16, struct.pack("<I", 2), "version 2"),
        (20, struct.pack("<I", 0), "longer than it says"),
        (20, struct.pack("<I", 5), "longer than it says"),
        (20, struct.pack("<I", 12), "unprintable"),
        (20, struct.pack("<I", 257), "longer than it says"),
        (24, struct.pack("<Q", 0), "is empty"),
        (24, struct.pack("<Q", 999), "not as long"),
        (32, struct.pack("<Q", 2**63), "longer than"),
        (40, struct.pack("<Q", 1021), "not as long"),
        (48, struct.pack("<Q", 2**64 - 1), "larger"),
        (56, struct.pack("<Q", 0), "is empty"),
        (128, b"\xff", "not UTF-8"),
        (128, b"../..", "the part"),
        (383, b"x", "longer than it says"),
    ],
)
def test_A_a_trailer_that_lies_about_itself_is_refused(at, value, match):
    data = bytearray(GOOD.encode())
    data[at : at + len(value)] = value
    with pytest.raises(InvalidDocumentError, match=match):
        parsed(summed(data))


@pytest.mark.parametrize("size", [0, WHOLE - 1, WHOLE + 1])
def test_A_a_file_of_another_length_is_refused(size):
    with pytest.raises(InvalidDocumentError, match="not as long"):
        parsed(GOOD.encode(), size)
