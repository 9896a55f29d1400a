"""Content of a constructor's inputs, read once and hashed on the way.

Inputs are confined to the working folder; links are resolved before that is decided. Files are
copied to a private folder: what is published later are the very bytes that were hashed, whatever
happens to the file meanwhile. If nothing will be stored they are only hashed.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO

from ocm_pkg.errors import FileMissingError, InvalidDocumentError
from ocm_pkg.fs.atomic import storage_errors
from ocm_pkg.fs.blob import BytesBlob, FileBlob, copy_blob
from ocm_pkg.fs.staged import StagedBlob
from ocm_pkg.fs.tree import (
    MAX_CONTENT,
    TreeSelection,
    copy_stable,
    gzipped,
    refuse_changed,
    refuse_size,
    write_tree,
)
from ocm_pkg.model.constructor import DirInput, FileInput, OtherInput, Utf8Input
from ocm_pkg.model.digest import Digest, new_hasher

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

    from ocm_pkg.model.constructor import InputSpec
    from ocm_pkg.ports import Blob

FILE_MEDIA_TYPE = "application/octet-stream"
DIR_MEDIA_TYPE = "application/x-tar"


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where inputs come from: ``folder``, which they can't leave.

    ``scratch`` is an empty private folder for content; it must live as long as the content is
    needed. On the file system of the repository it saves a copy. With ``keep`` false files are
    hashed where they are. No input may be larger than ``max_input_size`` bytes.
    """

    folder: Path
    scratch: Path
    max_input_size: int = MAX_CONTENT
    keep: bool = True


@dataclass(slots=True)
class Inputs:
    """Makes blobs of inputs."""

    workplace: Workplace
    _count: int = field(default=0)

    def blob(self, spec: InputSpec) -> Blob:
        """Return the content of an input, with digest, size and media type."""
        match spec:
            case FileInput():
                return self._file(spec)
            case DirInput():
                return self._dir(spec)
            case Utf8Input():
                return self._utf8(spec)
            case OtherInput():
                raise InvalidDocumentError(
                    f"input type {spec.type[:60]!r} is not built in: it needs a plugin",
                    hint="built in are file, dir and utf8",
                )

    def _file(self, spec: FileInput) -> Blob:
        path, info = self._confined(spec.path)
        if not stat.S_ISREG(info.st_mode):
            raise _wrong_kind(spec.path, info, "file")
        refuse_size(path, info.st_size, self.workplace.max_input_size)
        media_type = spec.media_type or FILE_MEDIA_TYPE
        if spec.compress:
            return self._made(
                lambda out: copy_stable(path, out.write, info), media_type, compress=True
            )
        if self.workplace.keep:
            return self._copied(path, info, media_type)
        hasher = new_hasher()
        size = copy_stable(path, hasher.update, info)
        digest = Digest("sha256", hasher.hexdigest())
        return FileBlob(path, media_type, size, digest, follow_links=False)

    def _copied(self, path: Path, info: os.stat_result, media_type: str) -> Blob:
        """Copy a file in one pass, hashing aside; it must stay the same meanwhile."""
        staged = self._next()
        original = FileBlob(path, size=info.st_size, follow_links=False)
        with storage_errors(f"packing {path}", staged), staged.open("xb", buffering=0) as out:
            refuse_changed(path, info)
            digest, size = copy_blob(original, out, durable=True)
            refuse_changed(path, info)
        return StagedBlob(staged, media_type, size, digest)

    def _dir(self, spec: DirInput) -> Blob:
        path, info = self._confined(spec.path)
        if not stat.S_ISDIR(info.st_mode):
            raise _wrong_kind(spec.path, info, "dir")
        selection = TreeSelection(
            include=tuple(spec.include_files),
            exclude=tuple(spec.exclude_files),
            prefix=path.name if spec.preserve_dir else "",
            max_content=self.workplace.max_input_size,
            follow=self.workplace.folder if spec.follow_symlinks else None,
        )
        return self._made(
            lambda out: write_tree(path, selection, out),
            spec.media_type or DIR_MEDIA_TYPE,
            compress=spec.compress,
        )

    def _utf8(self, spec: Utf8Input) -> Blob:
        media_type = spec.media_type or spec.default_media_type
        data = spec.data()
        if spec.compress:
            return self._made(lambda out: out.write(data), media_type, compress=True)
        return BytesBlob(data, media_type)

    def _confined(self, text: str) -> tuple[Path, os.stat_result]:
        """Return the real path of an input below the folder, without opening it."""
        if PurePath(text).is_absolute() or "\0" in text:
            raise _outside(text)
        folder = self.workplace.folder.resolve()
        path = folder / text
        try:
            real = path.resolve(strict=True)
            if not real.is_relative_to(folder):
                raise _outside(text)
            return real, real.stat(follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileMissingError(
                f"the input {text!r} does not exist in {self.workplace.folder}",
                hint="paths are relative to the constructor, or to --working-directory",
            ) from error
        except (OSError, RuntimeError) as error:
            raise InvalidDocumentError(
                f"the input {text!r} can't be reached: {error}", hint="check the path"
            ) from error

    def _made(
        self, write: Callable[[BinaryIO], object], media_type: str, *, compress: bool
    ) -> Blob:
        """Let ``write`` make content in a file of its own, gzipped if asked; return it."""
        path = self._next()
        with storage_errors(f"writing to {self.workplace.scratch}", path), path.open("xb") as out:
            hashing = _Hashing(out)
            if compress:
                media_type += "+gzip"
                with gzipped(hashing) as stream:  # type: ignore[arg-type]
                    write(stream)
            else:
                write(hashing)  # type: ignore[arg-type]
        return StagedBlob(path, media_type, hashing.size, hashing.digest)

    def _next(self) -> Path:
        self._count += 1
        return self.workplace.scratch / str(self._count)


class _Hashing:
    """A file that knows the digest of what was written to it."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._hasher = new_hasher()
        self.size = 0

    @property
    def digest(self) -> Digest:
        return Digest("sha256", self._hasher.hexdigest())

    def write(self, data: bytes | memoryview) -> int:
        self._hasher.update(data)
        self.size += len(data)
        return self._out.write(data)

    def flush(self) -> None:
        self._out.flush()


def _outside(text: str) -> InvalidDocumentError:
    return InvalidDocumentError(
        f"the input {text[:200]!r} is outside the working folder",
        hint="move it below, or name a folder above both with --working-directory",
    )


def _wrong_kind(text: str, info: os.stat_result, wanted: str) -> InvalidDocumentError:
    kinds = {
        stat.S_IFDIR: "a folder (input type dir)",
        stat.S_IFREG: "a file (input type file)",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
    }
    kind = kinds.get(stat.S_IFMT(info.st_mode), "a device")
    return InvalidDocumentError(
        f"the input {text!r} of type {wanted} is {kind}", hint="name a regular file or a folder"
    )
