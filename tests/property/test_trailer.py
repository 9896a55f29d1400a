"""Laws of the trailer: what is written is read back; any bytes give a value or one named error."""

from __future__ import annotations

import hashlib
import string

from hypothesis import given, settings
from hypothesis import strategies as st

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import Digest
from ocm_pkg.model.trailer import MAGIC, MAX_CAPABILITIES, SIZE, Trailer

SETTINGS = settings(derandomize=True, deadline=None, max_examples=200)
SIZES = st.integers(1, 2**61 - 1)
DIGESTS = st.binary(min_size=32, max_size=32).map(lambda raw: Digest("sha256", raw.hex()))
PARTS = st.text(string.ascii_letters + "äß_0", min_size=1, max_size=20)
TRAILERS = st.builds(
    Trailer,
    launcher_size=SIZES,
    capabilities_size=st.integers(0, MAX_CAPABILITIES),
    payload_size=SIZES,
    unpacked_size=SIZES,
    capabilities=DIGESTS,
    payload=DIGESTS,
    program=st.lists(PARTS, min_size=1, max_size=5).map("/".join),
)


def read(data: bytes, file_size: int) -> Trailer | None:
    try:
        trailer = Trailer.parse(data, file_size=file_size, name="x")
    except InvalidDocumentError:
        return None
    assert trailer.encode() == data
    assert trailer.file_size == file_size
    return trailer


@SETTINGS
@given(TRAILERS)
def test_what_is_written_is_read_back(trailer):
    try:
        data = trailer.encode()
    except InvalidDocumentError:
        assert len(trailer.program.encode()) > 256 or trailer.program in ("nul", "con")
        return
    assert read(data, trailer.file_size) == trailer


@SETTINGS
@given(st.binary(max_size=2 * SIZE), st.integers(0, 2**64))
def test_any_bytes_give_a_trailer_or_an_error(data, file_size):
    read(data, file_size)


@SETTINGS
@given(TRAILERS, st.integers(0, SIZE - 33), st.binary(min_size=1, max_size=8))
def test_a_trailer_that_was_changed_and_summed_anew_says_one_thing_or_nothing(trailer, at, value):
    data = bytearray(trailer.encode())
    data[at : at + len(value)] = value
    fields = bytes(data[: SIZE - 32])
    changed = read(fields + hashlib.sha256(fields).digest(), trailer.file_size)
    assert changed is None or fields.startswith(MAGIC)
