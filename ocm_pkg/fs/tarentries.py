"""Read a tar from a stream, entry by entry, and refuse whatever two readers could read differently.

One reading, which docs/limits.md describes: ustar and GNU headers, pax records ``path``,
``linkpath`` and ``size`` (checked after they replaced what the header says), GNU long names. No
sparse files, no numbers in base 256, no owner, time or attribute. Two blocks of zeros end it, and
nothing but zeros follows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ocm_pkg.errors import UnsafeArchiveError, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

BLOCK = 512
MAX_EXTENSION = 64 * 1024
"""How long a pax header or a GNU long name may be."""

Kind: TypeAlias = Literal["file", "folder", "link"]
_ZEROS = bytes(BLOCK)
_OCTAL = re.compile(rb"[ 0]*([0-7]*)[ \0]*")
_RECORD = re.compile(rb"([1-9][0-9]{0,8}) ([^=\n]{1,255})=")
_GZIP = b"\x1f\x8b"
_MAGIC = (b"ustar\x0000", b"ustar  \0")
_KINDS: dict[bytes, Kind] = {b"0": "file", b"\0": "file", b"5": "folder", b"2": "link"}
_OTHERS = {
    b"1": "a hard link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a fifo",
    b"S": "a sparse file",
}
_USED = frozenset({"path", "linkpath", "size"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its name as it is written, ``target`` that of a link, else empty."""

    name: str
    kind: Kind
    size: int
    mode: int
    target: str = ""


class TarEntries:
    """The entries of a tar; ``what`` names it in errors, all of them ``UnsafeArchiveError``.

    ``content`` gives the bytes of the entry that came last, before the next one is asked for.
    """

    def __init__(self, stream: BinaryIO, *, what: str, max_entries: int) -> None:
        self._stream = stream
        self._what = what
        self._max_entries = max_entries
        self._left = 0
        self._padding = 0

    def __iter__(self) -> Iterator[Entry]:
        count = 0
        while (entry := self._next()) is not None:
            count += 1
            if count > self._max_entries:
                raise self._bad(f"has more than {self._max_entries} entries")
            self._left, self._padding = entry.size, -entry.size % BLOCK
            yield entry
            for _chunk in self.content():
                pass
            if self._exactly(self._padding) != bytes(self._padding):
                raise self._bad(f"has bytes between entries, after {_shown(entry.name)}")
        self._end()

    def content(self, size: int = 1024 * 1024) -> Iterator[bytes]:
        """Give what is left of the current entry's bytes, ``size`` at a time."""
        while self._left:
            chunk = self._stream.read(min(size, self._left))
            if not chunk:
                raise self._bad("is cut off")
            self._left -= len(chunk)
            yield chunk

    def _next(self) -> Entry | None:
        """Return the next entry with what its extensions say; None at the end."""
        said: dict[str, str] = {}
        while True:
            header = self._exactly(BLOCK)
            if header == _ZEROS:
                if said:
                    raise self._bad("ends after an extended header, before its entry")
                return None
            self._check(header)
            kind = header[156:157]
            if kind in b"xgLK":
                self._extend(said, kind, header)
                continue
            return self._entry(header, kind, said)

    def _check(self, header: bytes) -> None:
        if header[257:265] not in _MAGIC:
            raise self._bad(self._not_a_tar(header))
        stated = self._number(header[148:156], "check sum")
        if sum(header) - sum(header[148:156]) + 8 * ord(" ") != stated:
            raise self._bad("has a damaged header")

    @staticmethod
    def _not_a_tar(header: bytes) -> str:
        if header.startswith(_GZIP):
            return "is compressed once more than its media type says"
        if header.lstrip()[:1] == b"<":
            return "is no tar but looks like a web page"
        return "is no tar, or has something else among its entries"

    def _extend(self, said: dict[str, str], kind: bytes, header: bytes) -> None:
        size = self._number(header[124:136], "size")
        if size > MAX_EXTENSION:
            raise self._bad(f"has an extended header of {size} bytes")
        data = self._exactly(size)
        self._exactly(-size % BLOCK)
        if kind in b"LK":
            found = {"path" if kind == b"L" else "linkpath": self._text(data.rstrip(b"\0"))}
        else:
            found = {name: text for name, text in self._records(data).items() if name in _USED}
        if kind == b"g" and found:
            raise self._bad("has names or sizes for all entries in a global header")
        twice = sorted(set(said) & set(found))
        if twice:
            raise self._bad(f"says {twice[0]} twice for one entry")
        said.update(found)

    def _records(self, data: bytes) -> dict[str, str]:
        records: dict[str, str] = {}
        at = 0
        while at < len(data):
            match = _RECORD.match(data, at)
            end = at + int(match[1]) if match else 0
            if match is None or not match.end() < end <= len(data) or data[end - 1 : end] != b"\n":
                raise self._bad("has a broken pax header")
            name = match[2].decode("utf-8", "replace")
            if name.startswith("GNU.sparse"):
                raise self._bad("has a sparse file")
            if name in _USED:
                if name in records:
                    raise self._bad(f"says {name} twice for one entry")
                records[name] = self._text(data[match.end() : end - 1])
            at = end
        return records

    def _entry(self, header: bytes, kind: bytes, said: dict[str, str]) -> Entry:
        name = said.get("path")
        if name is None:
            name = self._text(header[:100].partition(b"\0")[0])
            prefix = header[345:500].partition(b"\0")[0] if header[257:265] == _MAGIC[0] else b""
            name = f"{self._text(prefix)}/{name}" if prefix else name
        found = _KINDS.get(kind)
        if found is None:
            other = _OTHERS.get(kind, f"an entry of type {kind!r}")
            raise self._bad(f"has {other}: {_shown(name)}")
        if found == "file" and name.endswith("/"):
            raise self._bad(f"has a file named like a folder: {_shown(name)}")
        size = self._number(header[124:136], "size")
        if "size" in said:
            if not re.fullmatch("[0-9]{1,18}", said["size"]):
                raise self._bad(f"has a size that is no number: {_shown(said['size'])}")
            size = int(said["size"])
        if size and found != "file":
            raise self._bad(f"has a {found} with content: {_shown(name)}")
        target = ""
        if found == "link":
            target = said.get("linkpath") or self._text(header[157:257].partition(b"\0")[0])
        return Entry(name, found, size, self._number(header[100:108], "mode"), target)

    def _number(self, field: bytes, what: str) -> int:
        match = _OCTAL.fullmatch(field)
        if match is None:
            raise self._bad(f"has a {what} that is no octal number")
        return int(match[1] or b"0", 8)

    def _text(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise self._bad(f"has a name that is not UTF-8: {_shown(repr(data))}") from error

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = self._stream.read(size - len(data))
            if not chunk:
                packed = data.startswith(_GZIP)
                raise self._bad(self._not_a_tar(data) if packed else "is cut off")
            data += chunk
        return data

    def _end(self) -> None:
        """Read to the end of the stream, so that its digest is checked; only zeros may follow."""
        if self._exactly(BLOCK) != _ZEROS:
            raise self._bad("does not end with two empty blocks")
        while chunk := self._stream.read(64 * 1024):
            if chunk.strip(b"\0"):
                raise self._bad("has bytes after its end")

    def _bad(self, problem: str) -> UnsafeArchiveError:
        return UnsafeArchiveError(
            f"{self._what} {problem}",
            hint="nothing of it was kept; ask its provider to pack it anew",
        )


def _shown(text: str) -> str:
    return escaped(text, 200)
