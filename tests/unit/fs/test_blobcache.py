from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.errors import DigestMismatchError
from ocm_pkg.fs import blobcache
from ocm_pkg.fs.atomic import TEMPORARY_PREFIX, FolderLock
from ocm_pkg.fs.blob import VerifyingReader
from ocm_pkg.fs.blobcache import BlobCache, Usage
from ocm_pkg.model.digest import digest_of
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from ocm_pkg.model.digest import Digest

MIB = 1024 * 1024


@pytest.fixture
def cache(tmp_path: Path) -> BlobCache:
    return BlobCache(tmp_path / "cache/blobs", 10_000, free_bytes=0)


def keep(cache: BlobCache, data: bytes, algorithm: str = "sha256") -> Digest:
    digest = digest_of(data, algorithm)
    writer = cache.writer(digest, len(data))
    if writer is not None:
        writer.write(memoryview(data))
        writer.commit()
    return digest


def content(cache: BlobCache, digest: Digest, size: int | None = None) -> bytes | None:
    stream = cache.open(digest, size)
    if stream is None:
        return None
    with stream:
        return stream.read()


def item(cache: BlobCache, digest: Digest) -> Path:
    return cache.folder / f"{digest.algorithm}-{digest.hex}"


def aged(cache: BlobCache, digest: Digest, seconds: int) -> None:
    os.utime(item(cache, digest), (seconds, seconds))


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("data", [b"", b"content", bytes(range(256)) * 4])
def test_what_was_kept_is_found(cache: BlobCache, data: bytes, algorithm: str) -> None:
    assert content(cache, digest_of(data, algorithm)) is None
    digest = keep(cache, data, algorithm)
    assert content(cache, digest) == data
    assert content(cache, digest, len(data)) == data
    assert cache.size(digest) == len(data)
    assert cache.usage() == Usage(1, len(data))


def test_large_items_are_written_aside_and_read_in_parts(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path / "blobs", 100 * MIB, free_bytes=0)
    data = os.urandom(5 * MIB + 3)
    digest = digest_of(data)
    writer = cache.writer(digest, len(data))
    assert writer is not None
    buffer = bytearray(700_001)
    for start in range(0, len(data), len(buffer)):
        part = data[start : start + len(buffer)]
        buffer[: len(part)] = part
        writer.write(memoryview(buffer)[: len(part)])
    writer.commit()
    assert content(cache, digest) == data
    assert not [one for one in threading.enumerate() if one.name == "cache"]


def test_a_stream_from_the_start_is_one_that_verifies(cache: BlobCache) -> None:
    digest = keep(cache, b"content")
    with cache.open(digest) as stream:  # type: ignore[union-attr]
        assert isinstance(stream, VerifyingReader)
        assert stream.digest == digest
    with cache.open(digest, 7, 3) as stream:  # type: ignore[union-attr]
        assert stream.read() == b"tent"


@pytest.mark.parametrize("change", ["used", "same", "other", "cut"])
def test_a_file_that_changes_while_it_is_read_is_noticed(cache: BlobCache, change: str) -> None:
    digest = keep(cache, b"content" * 100)
    stream = cache.open(digest)
    assert stream is not None
    with stream:
        assert stream.read(7) == b"content"
        if change == "used":
            os.utime(item(cache, digest))
        elif change == "cut":
            item(cache, digest).write_bytes(b"content" * 50)
        else:
            item(cache, digest).write_bytes((b"content" if change == "same" else b"CONTENT") * 100)
        if change in ("used", "same"):
            assert stream.read() == b"content" * 99
            return
        with pytest.raises(DigestMismatchError):
            stream.read()


def test_folders_and_files_are_the_users_alone(cache: BlobCache) -> None:
    digest = keep(cache, b"content")
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert item(cache, digest).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("wrong", [b"CONTENT", b"", b"content and more", b"con"])
def test_a_changed_item_is_removed_and_never_given_away(cache: BlobCache, wrong: bytes) -> None:
    digest = keep(cache, b"content")
    item(cache, digest).write_bytes(wrong)
    assert content(cache, digest) is None
    assert not item(cache, digest).exists()
    keep(cache, b"content")
    assert content(cache, digest) == b"content"


def test_an_item_of_another_size_than_expected_is_not_it_but_stays(cache: BlobCache) -> None:
    digest = keep(cache, b"content")
    assert content(cache, digest, 8) is None
    assert content(cache, digest, 7) == b"content"


def test_what_was_used_last_stays(cache: BlobCache) -> None:
    kept = [keep(cache, bytes([number]) * 1000) for number in range(9)]
    for age, digest in enumerate(kept):
        aged(cache, digest, 1000 + age)
    assert content(cache, kept[0]) is not None
    for number in range(9, 11):
        keep(cache, bytes([number]) * 1000)
    assert cache.usage().size <= 10_000
    assert [content(cache, digest) is None for digest in kept[:3]] == [False, True, True]


def test_the_bound_holds_after_each_item(cache: BlobCache) -> None:
    for number in range(100):
        keep(cache, os.urandom(1 + number * 12))
        assert cache.usage().size <= 10_000


def test_the_number_of_items_is_bounded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobcache, "_RECOUNT_AFTER", 4)
    cache = BlobCache(tmp_path / "blobs", max_items=20, free_bytes=0)
    for number in range(60):
        keep(cache, b"%d" % number)
    assert cache.usage().items <= 24


def test_an_item_above_an_eighth_is_not_kept(cache: BlobCache) -> None:
    assert cache.largest == 1250
    assert cache.writer(digest_of(b"x"), 1251) is None
    assert not cache.folder.exists()
    assert keep(cache, bytes(1250)) is not None
    assert cache.usage().items == 1


def test_a_discarded_item_leaves_nothing(cache: BlobCache) -> None:
    for size in (7, 5 * MIB):
        large = BlobCache(cache.folder, 100 * MIB, free_bytes=0)
        writer = large.writer(digest_of(b"content"), size)
        assert writer is not None
        writer.write(memoryview(b"cont"))
        writer.discard()
    assert cache.usage() == Usage()
    assert not list((cache.folder / "incoming").iterdir())


def test_the_same_item_from_many_threads_is_whole(cache: BlobCache) -> None:
    data = os.urandom(1000)
    found: list[bytes | None] = []

    def work() -> None:
        found.append(content(cache, keep(cache, data)))

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [data] * 20
    assert cache.usage() == Usage(1, 1000)


def test_prune_makes_it_as_large_as_it_may_be(cache: BlobCache) -> None:
    kept = [keep(cache, bytes([number]) * 1000) for number in range(9)]
    for age, digest in enumerate(kept):
        aged(cache, digest, 1000 + age)
    smaller = BlobCache(cache.folder, 5000)
    before = snapshot(cache.folder)
    assert smaller.prune(dry_run=True) == Usage(4, 4000)
    assert snapshot(cache.folder) == before
    assert smaller.prune() == Usage(4, 4000)
    assert smaller.prune() == Usage()
    assert [cache.size(digest) is None for digest in kept] == [True] * 4 + [False] * 5
    assert smaller.prune(everything=True, dry_run=True) == Usage(5, 5000)
    assert smaller.prune(everything=True) == Usage(5, 5000)
    assert cache.usage() == Usage()
    assert content(cache, keep(cache, b"again")) == b"again"


def test_a_recount_that_somebody_else_does_is_not_waited_for(cache: BlobCache) -> None:
    keep(cache, b"first")
    with FolderLock(cache.folder, 0):
        for number in range(12):
            keep(cache, bytes([number]) * 1000)
    assert cache.usage().size > 10_000
    keep(cache, b"last")
    assert cache.usage().size <= 10_000


@pytest.mark.parametrize("journal", [b"many\n", b"\xff\xfe", b"9" * 5000])
def test_a_broken_journal_is_written_anew(cache: BlobCache, journal: bytes) -> None:
    keep(cache, b"first")
    (cache.folder / "journal").write_bytes(journal)
    keep(cache, b"second")
    keep(cache, b"third")
    assert int((cache.folder / "journal").read_bytes().split()[0]) in (11, 16)
    assert cache.usage().items == 3


def test_links_and_foreign_files_are_neither_followed_nor_removed(
    cache: BlobCache, tmp_path: Path
) -> None:
    wanted = [keep(cache, bytes([number])) for number in range(4)]
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"\x00")
    for digest in wanted:
        item(cache, digest).unlink()
    item(cache, wanted[0]).symlink_to(outside / "precious")
    item(cache, wanted[1]).symlink_to(tmp_path / "nowhere")
    item(cache, wanted[2]).mkdir()
    os.mkfifo(item(cache, wanted[3]))
    (cache.folder / "notes.txt").write_text("mine")
    (cache.folder / f"sha256-{'A' * 64}").write_text("mine")
    (cache.folder / "folder").symlink_to(outside)
    before = snapshot(tmp_path)
    for number, digest in enumerate(wanted):
        assert content(cache, digest) is None
        assert cache.size(digest) is None
        keep(cache, bytes([number]))
        assert content(cache, digest) is None
    assert cache.prune(everything=True) == Usage()
    changed = {name for name, _ in snapshot(tmp_path).items() ^ before.items()}
    assert {Path(name).name for name in changed} <= {"journal"}


def test_files_beside_are_whole_and_links_to_them_are_not_followed(
    cache: BlobCache, tmp_path: Path
) -> None:
    assert cache.write_beside(cache.folder / "more/note", b"text")
    assert (cache.folder / "more/note").read_bytes() == b"text"
    (tmp_path / "outside").mkdir()
    (cache.folder / "away").symlink_to(tmp_path / "outside")
    assert not cache.write_beside(cache.folder / "away/note", b"text")
    assert not list((tmp_path / "outside").iterdir())


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_to_is_not_used(cache: BlobCache, mode: int) -> None:
    digest = keep(cache, b"content")
    cache.folder.chmod(mode)
    assert (content(cache, digest), cache.size(digest)) == (None, None)
    assert cache.writer(digest, 7) is None
    assert cache.usage() == cache.prune(everything=True) == Usage()
    cache.folder.chmod(0o755)
    assert content(cache, digest) == b"content"


def test_a_folder_that_cannot_be_made_or_is_a_file_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file/below", Path("/proc/nothing/here")):
        cache = BlobCache(folder)
        assert content(cache, keep(cache, b"content")) is None
        assert cache.usage() == cache.prune() == Usage()
    assert (tmp_path / "file").read_text() == "mine"


def test_the_folder_may_vanish_while_an_item_is_written_or_read(
    cache: BlobCache, tmp_path: Path
) -> None:
    digest = keep(cache, b"content")
    stream = cache.open(digest)
    writer = cache.writer(digest_of(b"other"), 5)
    assert writer is not None
    assert stream is not None
    cache.folder.rename(tmp_path / "gone")
    writer.write(memoryview(b"other"))
    writer.commit()
    with stream:
        assert stream.read() == b"content"
    assert content(cache, keep(cache, b"third")) == b"third"


@pytest.mark.parametrize("size", [100, 5 * MIB])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_only_means_that_nothing_is_kept(tmp_path: Path, size: int, code: int) -> None:
    cache = BlobCache(tmp_path / "blobs", 100 * MIB, free_bytes=0)
    writer = cache.writer(digest_of(b"x"), size)
    assert writer is not None

    def full(_data: memoryview) -> int:
        raise OSError(code, os.strerror(code))

    writer._pending.stream.write = full  # type: ignore[method-assign,assignment]
    for _ in range(3):
        writer.write(memoryview(bytearray(size // 2)))
    writer.commit()
    assert cache.usage() == Usage()
    assert not list((cache.folder / "incoming").iterdir())


def test_the_disk_is_not_filled_to_the_brim(tmp_path: Path) -> None:
    there = os.statvfs(tmp_path)
    free = there.f_bavail * there.f_frsize
    assert BlobCache(tmp_path / "b", free_bytes=2 * free).writer(digest_of(b"x"), 1) is None
    writer = BlobCache(tmp_path / "b", free_bytes=free // 2).writer(digest_of(b"x"), 1)
    assert writer is not None
    writer.discard()


def test_what_a_killed_process_left_is_removed_by_the_next(cache: BlobCache) -> None:
    keep(cache, b"first")
    left = cache.folder / "incoming" / f"{TEMPORARY_PREFIX}999999.abcd"
    left.write_bytes(b"half")
    living = cache.writer(digest_of(b"living"), 6)
    assert living is not None
    content(BlobCache(cache.folder), keep(BlobCache(cache.folder, free_bytes=0), b"second"))
    assert not left.exists()
    living.write(memoryview(b"living"))
    living.commit()
    assert content(cache, digest_of(b"living")) == b"living"
