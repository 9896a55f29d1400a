from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest

from ocm_pkg.errors import DigestMismatchError, TransportError
from ocm_pkg.fs.blob import BytesBlob, VerifyingReader, copy_blob, read_all
from ocm_pkg.fs.blobcache import BlobCache, Usage
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.cached import CachedContent
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.model.digest import Digest

MIB = 1024 * 1024
DATA = b"some content"
REGISTRY = "https://registry.example"


class Remote:
    """A blob of a registry: verified as it is read, and each reading is counted.

    Without ``verifies`` it leaves that to its reader; ``breaks`` is where the connection ends.
    """

    media_type = "text/plain"

    def __init__(
        self, data: bytes = DATA, promised: bytes | None = None, *, verifies: bool = True
    ) -> None:
        self.data = data
        self.digest: Digest | None = digest_of(data if promised is None else promised)
        self.size: int | None = len(data)
        self.verifies = verifies
        self.breaks: int | None = None
        self.opened = 0

    def open(self, offset: int = 0) -> BinaryIO:
        self.opened += 1
        stream: BinaryIO = io.BytesIO(self.data[offset:])
        if self.breaks is not None:
            stream = cast("BinaryIO", _Breaking(self.data[offset : self.breaks]))
        if offset or not self.verifies or self.digest is None:
            return stream
        return cast("BinaryIO", VerifyingReader(stream, self.digest, self.size, "the remote"))


class _Breaking(io.BytesIO):
    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = super().readinto(buffer)
        if not count:
            raise TransportError("the connection is gone")
        return count


@pytest.fixture
def cached(tmp_path: Path) -> CachedContent:
    return CachedContent(BlobCache(tmp_path / "blobs", 100 * MIB, free_bytes=0))


def kept(cached: CachedContent) -> int:
    assert not list((cached.cache.folder / "incoming").glob(".*"))
    return cached.cache.usage().items


@pytest.mark.parametrize("verifies", [True, False])
@pytest.mark.parametrize("size", [0, 12, 5 * MIB + 1])
def test_content_is_fetched_once(cached: CachedContent, size: int, verifies: bool) -> None:
    remote = Remote(os.urandom(size), verifies=verifies)
    for _ in range(3):
        blob = cached.blob(remote)
        assert (blob.media_type, blob.size, blob.digest) == ("text/plain", size, remote.digest)
        assert read_all(blob, 10 * MIB, "it") == remote.data
    assert (remote.opened, kept(cached)) == (1, 1)


def test_nothing_is_hashed_a_second_time(cached: CachedContent) -> None:
    for _fetched in range(2):
        with cached.blob(Remote()).open() as stream:
            assert isinstance(stream, VerifyingReader)
            assert stream.read() == DATA
            assert (stream.verified, stream.count) == (True, len(DATA))


def test_a_part_is_read_from_the_cache_but_never_kept(cached: CachedContent) -> None:
    remote = Remote()
    with cached.blob(remote).open(5) as stream:
        assert stream.read() == DATA[5:]
    assert cached.cache.usage() == Usage()
    read_all(cached.blob(remote), 100, "it")
    with cached.blob(remote).open(5) as stream:
        assert stream.read() == DATA[5:]
    assert remote.opened == 2


@pytest.mark.parametrize("size", [100, 6 * MIB])
def test_what_was_not_read_to_its_end_is_not_kept(cached: CachedContent, size: int) -> None:
    remote = Remote(os.urandom(size))
    with cached.blob(remote).open() as stream:
        stream.read(size // 2)
    assert kept(cached) == 0


@pytest.mark.parametrize("verifies", [True, False])
@pytest.mark.parametrize("size", [100, 6 * MIB])
def test_a_broken_connection_is_its_own_error_and_keeps_nothing(
    cached: CachedContent, size: int, verifies: bool
) -> None:
    remote = Remote(os.urandom(size), verifies=verifies)
    remote.breaks = size - 1
    with pytest.raises(TransportError):
        read_all(cached.blob(remote), 10 * MIB, "it")
    assert kept(cached) == 0


@pytest.mark.parametrize("verifies", [True, False])
def test_wrong_content_is_refused_and_never_served_later(
    cached: CachedContent, verifies: bool
) -> None:
    with pytest.raises(DigestMismatchError):
        copy_blob(cached.blob(Remote(b"evil content", DATA, verifies=verifies)), io.BytesIO())
    remote = Remote()
    assert read_all(cached.blob(remote), 100, "it") == DATA
    assert remote.opened == 1
    assert kept(cached) == 1


@pytest.mark.parametrize("evil", [b"evil content", b"", b"some", DATA + b"!"])
def test_a_changed_item_is_fetched_again_and_nobody_notices(
    cached: CachedContent, evil: bytes
) -> None:
    remote = Remote()
    read_all(cached.blob(remote), 100, "it")
    [path] = cached.cache.folder.glob("sha256-*")
    path.write_bytes(evil)
    assert read_all(cached.blob(remote), 100, "it") == DATA
    assert remote.opened == 2
    assert path.read_bytes() == DATA
    assert read_all(cached.blob(remote), 100, "it") == DATA
    assert remote.opened == 2


def test_content_without_digest_or_size_passes_by(cached: CachedContent) -> None:
    for member in ("digest", "size"):
        remote = Remote()
        setattr(remote, member, None)
        assert cached.blob(remote) is remote


def test_content_above_an_eighth_passes_by(tmp_path: Path) -> None:
    cached = CachedContent(BlobCache(tmp_path / "blobs", 80, free_bytes=0))
    assert read_all(cached.blob(Remote()), 100, "it") == DATA
    assert not (tmp_path / "blobs").exists()
    assert read_all(cached.blob(Remote(b"ten bytes!")), 100, "it") == b"ten bytes!"
    assert cached.cache.usage() == Usage(1, 10)


def test_a_folder_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    cached = CachedContent(BlobCache(tmp_path / "file/blobs", free_bytes=0))
    remote = Remote()
    for _ in range(2):
        assert read_all(cached.blob(remote), 100, "it") == DATA
    cached.remember(REGISTRY, "a/b", "1.0.0", top())
    assert cached.recall(REGISTRY, "a/b", "1.0.0") is None
    assert remote.opened == 2


def top(data: bytes = b"{}") -> OCIDescriptor:
    return OCIDescriptor(media.OCI_MANIFEST, digest_of(data), len(data))


def test_what_a_tag_stood_for_is_remembered(cached: CachedContent) -> None:
    assert cached.recall(REGISTRY, "a/b", "1.0.0") is None
    cached.remember(REGISTRY, "a/b", "1.0.0", top())
    cached.remember(REGISTRY, "a/b", "2.0.0", top(b"{ }"))
    cached.remember(REGISTRY, "a/c", "1.0.0", top(b"[]"))
    assert cached.recall(REGISTRY, "a/b", "1.0.0") == top()
    assert cached.recall("https://Registry.example:443", "a/b", "1.0.0") == top()
    cached.remember("no registry", "a/b", "1.0.0", top())
    assert cached.recall("no registry", "a/b", "1.0.0") == top()
    assert cached.recall("http://registry.example", "a/b", "1.0.0") is None
    assert cached.tags(REGISTRY, "a/b") == ["1.0.0", "2.0.0"]
    assert cached.tags(REGISTRY, "a/d") == []
    cached.remember(REGISTRY, "a/b", "1.0.0", top(b"moved"))
    assert cached.recall(REGISTRY, "a/b", "1.0.0") == top(b"moved")
    assert cached.remembered() == 4
    assert cached.forget() == 4
    assert cached.recall(REGISTRY, "a/b", "1.0.0") is None
    assert (cached.remembered(), cached.forget()) == (0, 0)


def test_the_oldest_tags_are_forgotten(tmp_path: Path) -> None:
    cached = CachedContent(BlobCache(tmp_path / "blobs", free_bytes=0), max_tags=8)
    for number in range(20):
        cached.remember(REGISTRY, "a/b", f"1.0.{number}", top())
        [folder] = (tmp_path / "blobs/tags").iterdir()
        for age, tag in enumerate(range(number + 1)):
            for note in folder.iterdir():
                if f'"1.0.{tag}"' in note.read_text():
                    os.utime(note, (age, age))
    assert len(cached.tags(REGISTRY, "a/b")) <= 8
    assert "1.0.19" in cached.tags(REGISTRY, "a/b")
    for number in range(20):
        cached.remember(REGISTRY, f"a/{number}", "1.0.0", top())
    assert len(list((tmp_path / "blobs/tags").iterdir())) <= 8


def test_a_tag_of_any_text_is_just_text(cached: CachedContent, tmp_path: Path) -> None:
    for tag in ("../../evil", "a/b", "", "x" * 5000, "\x00\x1b"):
        cached.remember(REGISTRY, "../..", tag, top())
        assert cached.recall(REGISTRY, "../..", tag) == top()
    assert {one.name for one in tmp_path.iterdir()} == {"blobs"}
    cached.remember(REGISTRY, "a", "x" * 50_000, top())
    assert cached.recall(REGISTRY, "a", "x" * 50_000) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"registry": 1}',
        '{"registry": "https://registry.example", "repository": "a/b", "tag": "1.0.0"}',
        '{"registry": "https://registry.example", "repository": "a/b", "tag": "9.9.9", '
        '"descriptor": {"mediaType": "a/b", "size": 1, "digest": "sha256:' + "0" * 64 + '"}}',
        " " * 20_000 + "{}",
    ],
)
def test_a_broken_note_is_none_and_is_written_anew(cached: CachedContent, text: str) -> None:
    cached.remember(REGISTRY, "a/b", "1.0.0", top())
    [note] = cached.cache.folder.glob("tags/*/*")
    note.write_text(text)
    assert cached.recall(REGISTRY, "a/b", "1.0.0") is None
    cached.remember(REGISTRY, "a/b", "1.0.0", top())
    assert cached.recall(REGISTRY, "a/b", "1.0.0") == top()


def test_links_among_the_notes_are_neither_followed_nor_removed(
    cached: CachedContent, tmp_path: Path
) -> None:
    cached.remember(REGISTRY, "a/b", "1.0.0", top())
    [note] = cached.cache.folder.glob("tags/*/*")
    outside = tmp_path / "outside"
    outside.mkdir()
    note.rename(outside / note.name)
    note.symlink_to(outside / note.name)
    (note.parent / "mine.txt").write_text("mine")
    (note.parent.parent / ("0" * 40)).symlink_to(outside)
    before = snapshot(tmp_path)
    cached.remember(REGISTRY, "a/b", "1.0.0", top(b"other"))
    assert cached.recall(REGISTRY, "a/b", "1.0.0") is None
    assert cached.forget() == 0
    assert snapshot(tmp_path) == before


def test_a_folder_that_others_may_write_to_says_nothing_of_tags(cached: CachedContent) -> None:
    cached.remember(REGISTRY, "a/b", "1.0.0", top())
    cached.cache.folder.chmod(0o777)
    assert cached.recall(REGISTRY, "a/b", "1.0.0") is None
    assert (list(cached.tags(REGISTRY, "a/b")), cached.remembered(), cached.forget()) == ([], 0, 0)


def test_blobs_in_memory_can_be_cached_too(cached: CachedContent) -> None:
    assert read_all(cached.blob(BytesBlob(DATA)), 100, "it") == DATA
    assert kept(cached) == 1
