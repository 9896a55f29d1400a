"""What was fetched from registries, kept for the next time, and for times without a network."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg._typing import override
from ocm_pkg.errors import OcmPkgError
from ocm_pkg.fs.blob import FileBlob, VerifyingReader, read_all, read_into
from ocm_pkg.model.jsontext import Limits, parse_json
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.origin import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ocm_pkg.fs.blob import Buffer
    from ocm_pkg.fs.blobcache import BlobCache
    from ocm_pkg.fs.cachewriter import ItemWriter
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Blob

MAX_TAGS = 1000
"""How many tags are remembered of a repository, and of how many repositories."""

_TAGS = "tags"
_MAX_NOTE = 16 * 1024
_NAME = re.compile(r"[0-9a-f]{40}(\.json)?")


class CachedContent:
    """Content and tags in ``cache``; implements ``store.base.ContentCache``.

    Nothing here fails because of the disk. Safe to use from many threads and processes.
    """

    def __init__(self, cache: BlobCache, *, max_tags: int = MAX_TAGS) -> None:
        self.cache = cache
        self._folder = cache.folder / _TAGS
        self._max_tags = max_tags

    def blob(self, remote: Blob) -> Blob:
        """Return content that is read from the cache, else from ``remote``, and kept then.

        Without a digest or a size it is ``remote`` itself.
        """
        if remote.digest is None or remote.size is None:
            return remote
        return _CachedBlob(self.cache, remote, remote.digest, remote.size)

    def remember(self, registry: str, repository: str, tag: str, descriptor: OCIDescriptor) -> None:
        """Keep what a tag stands for: a small file of its own, so that no writer undoes another."""
        note = {
            "registry": _registry(registry),
            "repository": repository,
            "tag": tag,
            "descriptor": descriptor.to_json(),
        }
        data = json.dumps(note, sort_keys=True).encode()
        folder = self._of(registry, repository)
        path = folder / f"{_hash(tag)}.json"
        with contextlib.suppress(OSError):
            if path.is_symlink() or len(data) > _MAX_NOTE:
                return
            if _note(path) == data:
                os.utime(path, follow_symlinks=False)
                return
            is_new = (not path.exists(), not folder.exists())
            if self.cache.write_beside(path, data):
                if is_new[0]:
                    self._forget_oldest(folder)
                if is_new[1]:
                    self._forget_oldest(self._folder)

    def _forget_oldest(self, folder: Path) -> None:
        """Remove a quarter of the notes, or of the folders of notes, if there are too many."""
        found = list(_ours(folder))
        if len(found) > self._max_tags:
            found.sort(key=lambda path: path.lstat().st_mtime_ns)
            for path in found[: len(found) - self._max_tags * 3 // 4]:
                _remove(path)

    def recall(self, registry: str, repository: str, tag: str) -> OCIDescriptor | None:
        """Return what a tag stood for when it was last resolved, or None."""
        path = self._of(registry, repository) / f"{_hash(tag)}.json"
        note = self._read(path)
        if note is None or note[:3] != (_registry(registry), repository, tag):
            return None
        return note[3]

    def tags(self, registry: str, repository: str) -> Sequence[str]:
        """Return the tags of a repository that are remembered, sorted."""
        wanted = (_registry(registry), repository)
        notes = map(self._read, _ours(self._of(registry, repository)))
        return sorted(note[2] for note in notes if note is not None and note[:2] == wanted)

    def forget(self) -> int:
        """Remove all that tags stood for; return how many they were."""
        count = 0
        if self.cache.is_ours:
            for folder in list(_ours(self._folder)):
                count += _remove(folder)
            with contextlib.suppress(OSError):
                self._folder.rmdir()
        return count

    def remembered(self) -> int:
        """Return how many tags are remembered, of all repositories."""
        if not self.cache.is_ours:
            return 0
        return sum(1 for folder in _ours(self._folder) for _note in _ours(folder))

    def _read(self, path: Path) -> tuple[str, str, str, OCIDescriptor] | None:
        """Return registry, repository, tag and descriptor of a note; None if it is no good one."""
        try:
            value = parse_json(_note(path), name=path.name, limits=Limits(size=_MAX_NOTE))
            if not self.cache.is_ours or not isinstance(value, dict):
                return None
            names = [value.get(name) for name in ("registry", "repository", "tag")]
            descriptor = OCIDescriptor.from_json(value.get("descriptor"), what=path.name)
        except OcmPkgError:
            return None
        return str(names[0]), str(names[1]), str(names[2]), descriptor

    def _of(self, registry: str, repository: str) -> Path:
        return self._folder / _hash(f"{_registry(registry)}\n{repository}")


def _registry(registry: str) -> str:
    try:
        return str(Origin.of(registry))
    except OcmPkgError:
        return registry


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:40]


def _note(path: Path) -> bytes:
    """Return the bytes of a note; none if it can't be read."""
    try:
        return read_all(FileBlob(path, follow_links=False), _MAX_NOTE, path.name)
    except OcmPkgError:
        return b""


def _ours(folder: Path) -> Iterator[Path]:
    """Yield what has a name that only we give; never what a link leads to."""
    with contextlib.suppress(OSError):
        for path in () if folder.is_symlink() else folder.iterdir():
            if _NAME.fullmatch(path.name) and not path.is_symlink():
                yield path


def _remove(path: Path) -> int:
    """Remove a note, or a folder of notes; return how many notes went."""
    with contextlib.suppress(OSError):
        if not path.is_dir():
            path.unlink()
            return 1
    count = sum(map(_remove, list(_ours(path))))
    with contextlib.suppress(OSError):
        path.rmdir()
    return count


class _CachedBlob:
    """Content that is read from the cache, else from where it comes from, and kept then."""

    def __init__(self, cache: BlobCache, remote: Blob, digest: Digest, size: int) -> None:
        self._cache = cache
        self._remote = remote
        self._digest = digest
        self._size = size

    @property
    def media_type(self) -> str | None:
        """The media type, if it is known."""
        return self._remote.media_type

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self._size

    @property
    def digest(self) -> Digest:
        """The digest."""
        return self._digest

    def open(self, offset: int = 0) -> BinaryIO:
        """Return a new stream from ``offset``; one from the start verifies what it gives."""
        found = self._cache.open(self._digest, self._size, offset)
        if found is not None:
            return found
        stream = self._remote.open(offset)
        writer = None if offset else self._cache.writer(self._digest, self._size)
        if writer is None:
            return stream
        keeper = _Keeper(writer, self._size)
        if isinstance(stream, VerifyingReader):
            return cast("BinaryIO", _KeepingVerified(stream, keeper))
        return cast("BinaryIO", _Keeping(stream, keeper))


class _Keeper:
    """Keeps what was read, once all of it was: its reader raises if it is not what it should be.

    If that reader leaves it to others to verify, wrong content is kept, and found when it is used.
    """

    def __init__(self, writer: ItemWriter, size: int) -> None:
        self._writer: ItemWriter | None = writer
        self._left = size

    def read(self, stream: BinaryIO | VerifyingReader, buffer: Buffer) -> int:
        """Read from ``stream`` and keep it; return how many bytes there were."""
        try:
            count = read_into(stream, memoryview(buffer))
        except BaseException:
            self.close()
            raise
        if self._writer is not None:
            self._writer.write(memoryview(buffer)[:count])
            self._left -= count
            if self._left == 0:
                writer, self._writer = self._writer, None
                writer.commit()
        return count

    def close(self) -> None:
        """Forget what isn't complete."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.discard()


class _Keeping(io.RawIOBase):
    """A stream that is kept while it is read."""

    def __init__(self, inner: BinaryIO, keeper: _Keeper) -> None:
        super().__init__()
        self._inner = inner
        self._keeper = keeper

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        return self._keeper.read(self._inner, buffer)

    @override
    def close(self) -> None:
        self._keeper.close()
        self._inner.close()
        super().close()


class _KeepingVerified(VerifyingReader):
    """The same over a reader that verifies, which its user is to see: nothing is hashed twice."""

    def __init__(self, inner: VerifyingReader, keeper: _Keeper) -> None:
        super().__init__(cast("BinaryIO", inner), inner.digest, None, "")
        self._inner = inner
        self._keeper = keeper

    @override
    def watch(self, watcher: Callable[[int], None]) -> None:
        self._inner.watch(watcher)

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        """Fill ``buffer`` with the next bytes; return how many, 0 at the verified end."""
        count = self._keeper.read(self._inner, buffer)
        self.count, self.verified = self._inner.count, self._inner.verified
        return count

    @override
    def close(self) -> None:
        self._keeper.close()
        super().close()
