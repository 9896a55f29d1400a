from __future__ import annotations

import io

import pytest

from ocm_pkg.errors import DigestMismatchError
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.digest import Digest, digest_of
from ocm_pkg.store.content import Content, WholeContent

DATA = bytes(range(256)) * 10


class Unhashed(BytesBlob):
    """A blob whose digest nobody knows; counts how much of it is read."""

    digest = None

    def __init__(self, data):
        super().__init__(data)
        self.opened = []

    def open(self, offset=0):
        self.opened.append(offset)
        return super().open(offset)


class ReadOnly:
    """A stream that has nothing but ``read``."""

    def __init__(self, data):
        self._stream = io.BytesIO(data)

    def read(self, size):
        return self._stream.read(size)

    def close(self):
        self._stream.close()


def read(body):
    with body.open() as stream:
        data = b"".join(iter(lambda: stream.read(100), b""))
    assert len(data) == body.length
    return data


def test_content_of_a_known_digest_is_verified_in_parts():
    with Content(BytesBlob(DATA), len(DATA), digest_of(DATA)) as content:
        assert read(content.part(0, 1000)) + read(content.part(1000, len(DATA) - 1000)) == DATA


def test_the_last_byte_of_what_is_not_promised_is_not_given_out():
    with Content(BytesBlob(DATA), len(DATA), digest_of(b"other")) as content:
        assert read(content.part(0, 2000)) == DATA[:2000]
        with pytest.raises(DigestMismatchError):
            read(content.part(2000, len(DATA) - 2000))


def test_a_part_can_be_read_again_and_later_ones_are_still_verified():
    changed = DATA[:-1] + b"!"
    with Content(BytesBlob(changed), len(DATA), digest_of(DATA)) as content:
        assert read(content.part(500, 100)) == DATA[500:600]
        assert read(content.part(0, 100)) == DATA[:100]
        with pytest.raises(DigestMismatchError):
            read(content.part(100, len(DATA) - 100))


def test_the_digest_of_unknown_content_is_known_at_its_end_whatever_was_read_twice():
    blob = Unhashed(DATA)
    with Content(blob, len(DATA), None) as content:
        assert content.digest is None
        read(content.part(0, 1500))
        assert content.digest is None
        read(content.part(700, len(DATA) - 700))
        assert content.digest == digest_of(DATA)
        assert read(content.part(3, 7)) == DATA[3:10]
    assert blob.opened == [0, 700, 3]


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1])
def test_content_of_another_size_than_promised_is_refused(size):
    with Content(Unhashed(DATA), size, None) as content, pytest.raises(DigestMismatchError):
        read(content.part(0, size))
    with pytest.raises(DigestMismatchError):
        WholeContent.read(Unhashed(DATA), size, None)


def test_a_stream_that_can_only_read_is_read():
    class Blob(BytesBlob):
        digest = None

        def open(self, _offset=0):
            return ReadOnly(DATA)

    with Content(Blob(DATA), len(DATA), None) as content:
        assert read(content.part(0, len(DATA))) == DATA


def test_small_content_is_verified_before_it_is_sent():
    whole = WholeContent.read(BytesBlob(DATA), len(DATA), None)
    assert whole.digest == digest_of(DATA)
    assert read(whole.part(10, 20)) == DATA[10:30]
    sha512 = digest_of(DATA, "sha512")
    assert WholeContent.read(BytesBlob(DATA), len(DATA), sha512).digest == sha512
    with pytest.raises(DigestMismatchError):
        WholeContent.read(BytesBlob(DATA), len(DATA), Digest("sha512", "0" * 128))


def test_nothing_is_read_of_empty_content():
    assert WholeContent.read(BytesBlob(b""), 0, digest_of(b"")).size == 0
