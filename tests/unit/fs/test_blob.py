from __future__ import annotations

import hashlib
import io
import os

import pytest

from ocm_pkg.errors import (
    DigestMismatchError,
    FileMissingError,
    InvalidDocumentError,
    LocalStorageError,
    UnsafeArchiveError,
    UsageError,
)
from ocm_pkg.fs.blob import (
    BUFFER,
    BytesBlob,
    FileBlob,
    VerifyingReader,
    copy_blob,
    open_regular,
    read_all,
    verify,
)
from ocm_pkg.model.digest import digest_of

DATA = bytes(range(256)) * 40


SIZE = len(DATA)


def reader(data, promised=DATA, size=SIZE):
    return VerifyingReader(io.BytesIO(data), digest_of(promised), size, "the program")


def test_a_verified_stream_gives_all_bytes():
    stream = reader(DATA)
    assert stream.read() == DATA
    assert stream.verified
    assert stream.read(10) == b""


def test_a_verified_stream_of_no_bytes_is_verified():
    assert VerifyingReader(io.BytesIO(b""), digest_of(b""), 0, "it").read() == b""
    with pytest.raises(DigestMismatchError):
        VerifyingReader(io.BytesIO(b""), digest_of(b"x"), 0, "it").read()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (DATA[:-1], "ends after 10239 bytes, expected 10240"),
        (DATA + b"x", "longer than the expected 10240 bytes"),
        (b"x" + DATA[1:], f"expected {digest_of(DATA)}, got {digest_of(b'x' + DATA[1:])}"),
    ],
)
def test_a_verified_stream_refuses_other_bytes(data, why):
    with pytest.raises(DigestMismatchError, match="the program") as caught:
        reader(data).read()
    assert why in caught.value.message


def test_the_last_byte_is_not_handed_out_before_all_are_verified():
    stream = reader(b"x" + DATA[1:])
    assert len(stream.read(len(DATA) - 1)) == len(DATA) - 1
    with pytest.raises(DigestMismatchError):
        stream.read(1)
    with pytest.raises(DigestMismatchError):
        stream.read(1)


def test_without_a_size_the_digest_is_checked_at_the_end():
    assert reader(DATA, size=None).read() == DATA
    with pytest.raises(DigestMismatchError):
        reader(DATA[:-1], size=None).read()


def test_a_verified_stream_asks_its_source_for_no_more_than_one_byte_beyond_the_size():
    endless = io.BytesIO(DATA + bytes(10 * BUFFER))
    with pytest.raises(DigestMismatchError, match="longer"):
        VerifyingReader(endless, digest_of(DATA), len(DATA), "it").read()
    assert endless.tell() == len(DATA) + 1


def test_a_stream_that_only_has_read_is_verified_too():
    class Reads:
        def __init__(self):
            self.data = io.BytesIO(DATA)

        def read(self, size):
            return self.data.read(min(size, 7))

        def close(self):
            self.data.close()

    assert VerifyingReader(Reads(), digest_of(DATA), len(DATA), "it").read() == DATA


def test_a_file_can_be_opened_as_often_as_needed_and_from_an_offset(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(DATA)
    blob = FileBlob(path, "text/plain")
    for _ in range(2):
        with blob.open() as stream:
            assert stream.read() == DATA
    with blob.open(10_000) as stream:
        assert stream.read() == DATA[10_000:]
    assert (blob.size, blob.media_type, blob.digest) == (len(DATA), "text/plain", None)


def test_a_part_of_a_file_is_a_blob(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"before" + DATA + b"after")
    blob = FileBlob(path, digest=digest_of(DATA), offset=6, length=len(DATA))
    assert read_all(blob, BUFFER, "it") == DATA
    with blob.open(100) as stream:
        assert stream.read() == DATA[100:]
    assert blob.size == len(DATA)


def test_a_file_with_a_digest_is_verified(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(DATA)
    digest = digest_of(DATA)
    assert verify(FileBlob(path, digest=digest)) == (digest, len(DATA))
    path.write_bytes(DATA[1:] + b"x")
    with pytest.raises(DigestMismatchError):
        verify(FileBlob(path, digest=digest))


def test_a_link_is_followed_only_where_that_is_allowed(tmp_path):
    (tmp_path / "file").write_bytes(DATA)
    link = tmp_path / "link"
    link.symlink_to("file")
    assert FileBlob(link).size == len(DATA)
    with pytest.raises(UnsafeArchiveError, match="symbolic link"):
        FileBlob(link, follow_links=False).open()


@pytest.mark.parametrize("follow", [True, False])
def test_pipes_and_folders_are_refused_without_waiting(tmp_path, follow):
    os.mkfifo(tmp_path / "pipe")
    kind = UsageError if follow else UnsafeArchiveError
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(kind, match="no regular file"):
            open_regular(path, follow_links=follow)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileMissingError, match="nowhere"):
        FileBlob(tmp_path / "nowhere").open()
    (tmp_path / "file").touch()
    with pytest.raises(FileMissingError):
        FileBlob(tmp_path / "file" / "below").open()


def test_I05_a_read_error_names_the_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(DATA)
    stream = open_regular(path)
    folder = os.open(tmp_path, os.O_RDONLY)
    os.dup2(folder, stream.fileno())
    os.close(folder)
    with stream, pytest.raises(LocalStorageError, match=f"reading {path}"):
        stream.read(10)
    with open_regular(path) as stream:
        assert stream.read() == DATA


def test_a_path_that_no_system_has_is_refused(tmp_path):
    with pytest.raises(UsageError):
        FileBlob(tmp_path / "a\0b").open()


@pytest.mark.parametrize("size", [0, 1, BUFFER, 4 * BUFFER + 1, 9 * BUFFER + 5])
def test_copying_tells_digest_and_size(tmp_path, size):
    data = hashlib.sha512(b"seed").digest() * (size // 64 + 1)
    path = tmp_path / "file"
    path.write_bytes(data[:size])
    out = io.BytesIO()
    other = hashlib.sha512()
    assert copy_blob(FileBlob(path), out, hasher=other) == (digest_of(data[:size]), size)
    assert out.getvalue() == data[:size]
    assert other.hexdigest() == hashlib.sha512(data[:size]).hexdigest()


def test_copying_a_verified_blob_does_not_hash_it_again(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(DATA)
    made = []
    monkeypatch.setattr("ocm_pkg.fs.blob.new_hasher", lambda *a: made.append(a) or hashlib.sha256())
    copy_blob(FileBlob(path, digest=digest_of(DATA)), io.BytesIO())
    assert len(made) == 1


def test_copying_refuses_a_blob_that_is_not_what_it_promises():
    class Liar(BytesBlob):
        size = 3

    with pytest.raises(DigestMismatchError, match="7 bytes, expected 3"):
        copy_blob(Liar(b"content"), io.BytesIO())

    class OtherLiar(BytesBlob):
        digest = digest_of(b"other")

    with pytest.raises(DigestMismatchError, match="expected sha256"):
        copy_blob(OtherLiar(b"content"), io.BytesIO())


def test_copying_a_large_file_to_disk_syncs_early_and_changes_nothing(tmp_path):
    path = tmp_path / "file"
    with path.open("wb") as stream:
        stream.truncate(130 * BUFFER)
    with (tmp_path / "copy").open("wb") as out:
        digest, size = copy_blob(FileBlob(path), out, durable=True)
    assert size == 130 * BUFFER
    assert verify(FileBlob(tmp_path / "copy", digest=digest))[1] == size


def test_a_document_has_a_limit():
    assert read_all(BytesBlob(b"12345"), 5, "the index") == b"12345"
    with pytest.raises(InvalidDocumentError, match="the index is longer than the 4 bytes"):
        read_all(BytesBlob(b"12345"), 4, "the index")


def test_bytes_know_their_digest():
    blob = BytesBlob(DATA)
    assert blob.digest == digest_of(DATA)
    with blob.open(3) as stream:
        assert stream.read(2) == DATA[3:5]
