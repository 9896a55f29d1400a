"""Unpack wheels safely: every name stays inside, and every file is what the wheel's RECORD says."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import stat
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.errors import BuildError, UnsafeArchiveError
from ocm_pkg.fs.oserror import storage_errors

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

_UNSIGNED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_DATA_PLACES = {"purelib", "platlib"}
_ENCRYPTED = 0x1
_MAX_NAME = 1000


@dataclass(frozen=True, slots=True)
class WheelLimits:
    """How many files a wheel may have, and how many bytes they may be together."""

    files: int = 50_000
    content: int = 2 * 1024 * 1024 * 1024


def unpack_wheel(
    stream: BinaryIO, folder: Path, *, name: str, limits: WheelLimits | None = None
) -> None:
    """Unpack the wheel in ``stream`` into ``folder``, which may have other wheels already.

    Scripts, headers and data outside of packages are left out. Raises ``UnsafeArchiveError`` for
    a name that leads outside, a link, content that RECORD doesn't vouch for, or a broken limit;
    ``BuildError`` for a file that another wheel has with other content.
    """
    with _refusing(name) as refusing, zipfile.ZipFile(stream) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        refusing.check(entries, limits or WheelLimits())
        record = _record(archive, entries, name)
        for entry in entries:
            path = _place(entry.filename)
            recorded = record.get(entry.filename)
            if path is None:
                continue
            data = archive.read(entry)
            if not _is_record(entry.filename) and recorded != _record_hash(data):
                raise UnsafeArchiveError(
                    f"{name}: {entry.filename} is not what RECORD says", hint=_HINT
                )
            _put(folder, path, data, name)


_HINT = "the wheel is damaged, or was not made by a tool for wheels"


class _refusing:  # noqa: N801 (a context, like those of contextlib)
    """Turns what zipfile makes of bad archives into an error, and checks what they name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> _refusing:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, zipfile.BadZipFile | zlib.error | NotImplementedError | EOFError):
            raise UnsafeArchiveError(f"{self._name} is no wheel: {error}", hint=_HINT) from error

    def check(self, entries: list[zipfile.ZipInfo], limits: WheelLimits) -> None:
        """Raise ``UnsafeArchiveError`` for what must not be unpacked."""
        size = sum(entry.file_size for entry in entries)
        if len(entries) > limits.files or size > limits.content:
            raise self._error(f"it has {len(entries)} files of {size} bytes, which is too much")
        seen: set[str] = set()
        for entry in entries:
            problem = _problem(entry)
            if problem is None and entry.filename in seen:
                problem = "is there twice"
            if problem is not None:
                raise self._error(f"{entry.filename[:200]!r} {problem}")
            seen.add(entry.filename)

    def _error(self, problem: str) -> UnsafeArchiveError:
        return UnsafeArchiveError(f"{self._name} is refused: {problem}", hint=_HINT)


def _problem(entry: zipfile.ZipInfo) -> str | None:
    """Return what is wrong with an entry, whatever the others are."""
    name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    outside = any(part in {"", ".", ".."} for part in name.split("/"))
    if outside or len(name) > _MAX_NAME or not name.isprintable() or set(name) & set("\\:"):
        return "is no name for a file inside"
    if kind not in {0, stat.S_IFREG}:
        return "is a link or no regular file"
    return "is encrypted" if entry.flag_bits & _ENCRYPTED else None


def _is_record(name: str) -> bool:
    folder, _, last = name.rpartition("/")
    return "/" not in folder and folder.endswith(".dist-info") and last in _UNSIGNED


def _record(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], name: str) -> dict[str, str]:
    found = [entry for entry in entries if _is_record(entry.filename)]
    records = [entry for entry in found if entry.filename.endswith("/RECORD")]
    if len(records) != 1:
        raise UnsafeArchiveError(f"{name} is refused: it has {len(records)} RECORD", hint=_HINT)
    text = io.StringIO(archive.read(records[0]).decode("utf-8", "replace"), newline="")
    return {row[0]: row[1] for row in csv.reader(text) if len(row) == 3}


def _record_hash(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return f"sha256={digest.decode().rstrip('=')}"


def _place(name: str) -> str | None:
    """Return where a file of a wheel goes, if it does: into the folder that is imported from."""
    first, _, rest = name.partition("/")
    if not first.endswith(".data"):
        return name
    place, _, inside = rest.partition("/")
    return inside if place in _DATA_PLACES and inside else None


def _put(folder: Path, path: str, data: bytes, name: str) -> None:
    target = folder / path
    with storage_errors(f"unpacking {name}", folder):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as out:
                out.write(data)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            if target.is_file() and target.read_bytes() == data:
                return
            raise BuildError(
                f"{name} has {path}, and another wheel has something else there",
                hint="remove one of the two from the requirements",
            ) from error
