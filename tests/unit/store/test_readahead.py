from __future__ import annotations

import io
import threading

import pytest

from ocm_pkg.store.readahead import ReadAhead

DATA = bytes(range(256)) * 50


class Stream(io.BytesIO):
    """Gives at most 100 bytes at a time, and raises when it has given ``good`` of them."""

    def __init__(self, data, good=None):
        super().__init__(data)
        self._good = good

    def readinto(self, buffer):
        if self._good is not None and self.tell() >= self._good:
            raise ValueError("broken")
        return super().readinto(memoryview(buffer)[:100])


def drained(stream, size=64):
    return b"".join(iter(lambda: stream.read(size), b""))


@pytest.mark.parametrize("size", [1, 64, 100, 1000])
def test_everything_comes_in_its_order(size):
    with ReadAhead(Stream(DATA), 128, 3) as stream:
        assert drained(stream, size) == DATA
        assert stream.read(10) == b""


def test_what_reading_raises_comes_after_what_was_good():
    with ReadAhead(Stream(DATA, good=500), 128) as stream:
        got = []
        with pytest.raises(ValueError, match="broken"):
            got.extend(iter(lambda: stream.read(50), b""))
        with pytest.raises(ValueError, match="broken"):
            stream.read(50)
    assert b"".join(got) == DATA[:500]


@pytest.mark.parametrize("count", [0, 10, 5000])
def test_closing_it_ends_the_thread_and_closes_the_stream(count):
    inner = Stream(DATA)
    stream = ReadAhead(inner, 128)
    stream.read(count)
    stream.close()
    stream.close()
    assert inner.closed
    assert not [one for one in threading.enumerate() if one.name == "read-ahead"]


def test_it_reads_no_further_than_its_buffers():
    inner = Stream(DATA)
    with ReadAhead(inner, 100, 2) as stream:
        assert len(stream.read(1)) == 1
        assert inner.tell() <= 300
