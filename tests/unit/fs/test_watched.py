from __future__ import annotations

from concurrent.futures import CancelledError

import pytest

from ocm_pkg.errors import DigestMismatchError
from ocm_pkg.fs.blob import BytesBlob, FileBlob, VerifyingReader, copy_blob, read_all, verify
from ocm_pkg.fs.staged import StagedBlob
from ocm_pkg.fs.watched import Reading, file_of, watched
from ocm_pkg.model.digest import digest_of


class Counter:
    def __init__(self):
        self.total = 0
        self.reading = Reading(self.add)

    def add(self, count):
        self.total += count


@pytest.fixture
def counter():
    return Counter()


def blobs(tmp_path, data):
    path = tmp_path / "file"
    path.write_bytes(data)
    return [
        BytesBlob(data, "text/plain"),
        FileBlob(path, "text/plain", len(data)),
        FileBlob(path, "text/plain", len(data), digest_of(data)),
        StagedBlob(path, "text/plain", len(data), digest_of(data)),
    ]


def test_all_bytes_are_counted_and_all_else_is_as_it_was(tmp_path):
    data = b"0123456789" * 1000
    for blob in blobs(tmp_path, data):
        counter = Counter()
        same = watched(blob, counter.reading)
        assert (same.media_type, same.size, same.digest) == (blob.media_type, 10_000, blob.digest)
        assert not counter.reading.was_read
        assert read_all(same, 20_000, "it") == data
        assert (counter.total, counter.reading.was_read) == (10_000, True)


def test_what_is_read_again_counts_once(tmp_path):
    for blob in blobs(tmp_path, b"0123456789"):
        counter = Counter()
        same = watched(blob, counter.reading)
        for offset in (0, 4, 0):
            with same.open(offset) as stream:
                assert stream.read() == b"0123456789"[offset:]
        assert counter.total == 10


def test_B02_a_stream_that_verifies_itself_is_not_hashed_once_more(tmp_path, counter, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    blob = watched(FileBlob(path, None, 7, digest_of(b"content")), counter.reading)
    with blob.open() as stream:
        assert isinstance(stream, VerifyingReader)
    hashed = []

    class Hasher:
        def __init__(self, inner):
            self._inner = inner

        def update(self, data):
            hashed.append(len(data))
            self._inner.update(data)

        def hexdigest(self):
            return self._inner.hexdigest()

    from ocm_pkg.fs import blob as module

    new_hasher = module.new_hasher
    monkeypatch.setattr(module, "new_hasher", lambda *names: Hasher(new_hasher(*names)))
    assert verify(blob) == (digest_of(b"content"), 7)
    assert sum(hashed) == 7


def test_content_that_is_not_what_it_promises_is_found_as_before(tmp_path, counter):
    path = tmp_path / "file"
    path.write_bytes(b"other!!")
    with pytest.raises(DigestMismatchError):
        verify(watched(FileBlob(path, None, 7, digest_of(b"content")), counter.reading))


def test_an_error_of_the_watcher_ends_the_reading(tmp_path):
    def stop(_count):
        raise CancelledError

    for blob in blobs(tmp_path, b"x" * 100):
        with pytest.raises(CancelledError):
            verify(watched(blob, Reading(stop)))


def test_a_store_may_take_a_staged_file_which_counts_as_read(tmp_path, counter):
    blob = blobs(tmp_path, b"content")[-1]
    same = watched(blob, counter.reading)
    assert isinstance(same, StagedBlob)
    assert same.move(tmp_path / "target", 0o644)
    assert (counter.total, counter.reading.was_read) == (7, True)
    assert (tmp_path / "target").read_bytes() == b"content"
    assert same.path == blob.path == tmp_path / "target"
    with (tmp_path / "copy").open("wb") as out:
        assert copy_blob(same, out) == (digest_of(b"content"), 7)
    (tmp_path / "target").unlink()
    assert not same.move(tmp_path / "elsewhere", 0o644)


def test_a_file_is_known_as_one_also_when_it_is_watched(tmp_path):
    path = tmp_path / "content"
    path.write_bytes(b"content")
    for blob in (FileBlob(path), StagedBlob(path, "text/plain", 7, digest_of(b"content"))):
        assert file_of(blob) is blob
        assert file_of(watched(blob, Reading(lambda _count: None))).path == path
    assert file_of(BytesBlob(b"")) is None
    assert file_of(watched(BytesBlob(b""), Reading(lambda _count: None))) is None
