"""Pack a folder into a tar that depends on names, contents and the executable bit alone.

Members are sorted by the bytes of their names; times are 0, the owner is 0, modes are
``u=rwX,go=rX``, hard links are separate files. Symbolic links are kept if they lead to something
inside the folder. Devices, pipes, sockets, links that lead out or nowhere, and names that are not
UTF-8 are refused without being opened.
"""

from __future__ import annotations

import errno
import gzip
import os
import re
import stat
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg.errors import InvalidDocumentError, LocalStorageError, UsageError
from ocm_pkg.fs.atomic import as_storage_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MAX_CONTENT = 16 * 1024**3
"""How many bytes of files one tree, or one file, may have unless more is allowed."""


@dataclass(frozen=True, slots=True)
class TreeSelection:
    """What of a folder is packed, and under which prefix.

    Patterns are matched against the whole path below the folder: ``*`` and ``?`` stop at ``/``,
    ``**`` doesn't, ``[...]`` is a set. A folder that is excluded is so with all below it. With
    ``include`` patterns only files and links that match one are packed, and the folders they need.
    With ``follow`` links are replaced by what they lead to, which must be inside that folder.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    prefix: str = ""
    max_content: int = MAX_CONTENT
    follow: Path | None = None


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    path: Path
    info: os.stat_result

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.info.st_mode)


def write_tree(root: Path, selection: TreeSelection, out: BinaryIO) -> None:
    """Write the tar of ``root`` to ``out``: the same bytes for the same tree, on any machine.

    Raises ``UsageError`` for what is refused, ``LocalStorageError`` for what can't be read or
    changes while it is read; ``out`` then has part of a tar.
    """
    members = _select(root, selection)
    _refuse_too_much(root, members, selection.max_content)
    size = 0
    if selection.prefix:
        size += out.write(_header(f"{selection.prefix}/", tarfile.DIRTYPE, 0o755))
    start = f"{selection.prefix}/" if selection.prefix else ""
    for member in members:
        size += _write_member(out, member, start + member.name, root)
    end = 2 * tarfile.BLOCKSIZE
    out.write(bytes(end + -(size + end) % tarfile.RECORDSIZE))
    _refuse_changes(members, _select(root, selection))


@contextmanager
def gzipped(out: BinaryIO) -> Iterator[BinaryIO]:
    """Give a stream whose content arrives in ``out`` as gzip without a name or a time."""
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0, compresslevel=6) as stream:
        yield cast("BinaryIO", stream)


def copy_stable(path: Path, write: Callable[[memoryview], object], expected: os.stat_result) -> int:
    """Pass the content of a regular file to ``write``; return its size.

    The file must be the one of ``expected`` and must not change meanwhile, or it is a
    ``LocalStorageError``: what was passed on is then not what the file holds.
    """
    with _opened(path) as fd:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode) or _changed(expected, before):
            raise _unstable(path)
        left = before.st_size
        buffer = memoryview(bytearray(1024 * 1024))
        while left:
            count = os.readv(fd, [buffer[:left]])
            if not count:
                raise _unstable(path)
            write(buffer[:count])
            left -= count
        if os.read(fd, 1) or _changed(before, os.fstat(fd)):
            raise _unstable(path)
    return before.st_size


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(path, flags)
    except OSError as error:
        raise as_storage_error(error, f"reading {path}") from error
    try:
        yield fd
    except OSError as error:
        # A full disk behind ``write`` is not about this file, but says so in its own words.
        raise as_storage_error(error, f"packing {path}") from error
    finally:
        os.close(fd)


def refuse_changed(path: Path, expected: os.stat_result) -> None:
    """Raise ``LocalStorageError`` unless ``path`` still is the unchanged file of ``expected``."""
    if _changed(expected, path.lstat()):
        raise _unstable(path)


def _refuse_changes(before: Sequence[_Member], after: Sequence[_Member]) -> None:
    """Raise ``LocalStorageError`` for what came, went or changed between two looks at a folder."""
    then, now = ({member.name: member for member in members} for members in (before, after))
    for name in sorted({*then, *now}):
        old, new = then.get(name), now.get(name)
        if old is None or new is None or old.is_folder != new.is_folder:
            raise _unstable(next(member.path for member in (new, old) if member is not None))
        if not old.is_folder and _changed(old.info, new.info):
            raise _unstable(new.path)


def _changed(before: os.stat_result, after: os.stat_result) -> bool:
    same = ("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
    return any(getattr(before, field) != getattr(after, field) for field in same)


def _unstable(path: Path) -> LocalStorageError:
    return LocalStorageError(
        f"{path} changed while it was read", hint="try again when nothing writes to it"
    )


def _select(root: Path, selection: TreeSelection) -> list[_Member]:
    included = _matcher(selection.include)
    excluded = _matcher(selection.exclude)
    found: list[_Member] = []
    pending: list[tuple[Path, str, tuple[Path, ...]]] = [(root, "", (root.resolve(),))]
    while pending:
        folder, prefix, above = pending.pop()
        for entry in _entries(folder):
            name = prefix + entry.name
            _refuse_name(entry)
            if excluded(name):
                continue
            member = _Member(name, Path(entry.path), entry.stat(follow_symlinks=False))
            if selection.follow is not None and entry.is_symlink():
                member = _followed(member, selection.follow, above)
            if member.is_folder:
                pending.append((member.path, f"{name}/", (*above, member.path.resolve())))
                found.append(member)
            elif not selection.include or included(name):
                _refuse_special(member)
                found.append(member)
    if selection.include:
        found = _without_empty_folders(found)
    return sorted(found, key=lambda member: os.fsencode(member.name).split(b"/"))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise as_storage_error(error, f"reading the folder {folder}") from error


def _refuse_name(entry: os.DirEntry[str]) -> None:
    try:
        entry.name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(
            f"the name of {entry.path!a} is not UTF-8", hint="rename it, or exclude it"
        ) from error


def _refuse_special(member: _Member) -> None:
    mode = member.info.st_mode
    if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
        return
    kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    raise UsageError(
        f"{member.path} is {kinds.get(stat.S_IFMT(mode), 'a device')}, which can't be packed",
        hint="remove it, or exclude it (excludeFiles)",
    )


def _without_empty_folders(members: Sequence[_Member]) -> list[_Member]:
    needed = {
        str(parent)
        for member in members
        if not member.is_folder
        for parent in PurePosixPath(member.name).parents
    }
    return [member for member in members if not member.is_folder or member.name in needed]


def _refuse_too_much(root: Path, members: Sequence[_Member], limit: int) -> None:
    total = sum(member.info.st_size for member in members if stat.S_ISREG(member.info.st_mode))
    refuse_size(root, total, limit)


def refuse_size(path: Path, size: int, limit: int) -> None:
    """Raise ``UsageError`` if ``size``, the content of ``path``, is more than ``limit`` bytes."""
    if size > limit:
        raise UsageError(
            f"{path} has {size} bytes, more than the {limit} that are allowed",
            hint="allow more with --max-input-size, or leave it out",
        )


def _write_member(out: BinaryIO, member: _Member, name: str, root: Path) -> int:
    """Write the header and content of one member; return how many bytes that were."""
    mode = member.info.st_mode
    if member.is_folder:
        return out.write(_header(f"{name}/", tarfile.DIRTYPE, 0o755))
    if stat.S_ISLNK(mode):
        return out.write(_header(name, tarfile.SYMTYPE, 0o777, target=_link_target(member, root)))
    kept_mode = 0o755 if mode & 0o111 else 0o644
    header = _header(name, tarfile.REGTYPE, kept_mode, size=member.info.st_size)
    written = out.write(header)
    size = copy_stable(member.path, out.write, member.info)
    return written + size + out.write(bytes(-size % tarfile.BLOCKSIZE))


def _header(name: str, kind: bytes, mode: int, *, size: int = 0, target: str = "") -> bytes:
    header = tarfile.TarInfo(name)
    header.type = kind
    header.mode = mode
    header.mtime = 0
    header.size = size
    header.linkname = target
    return header.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _resolved(member: _Member) -> tuple[str, Path]:
    """Return the text of a link and what it leads to."""
    try:
        target = os.readlink(member.path)  # noqa: PTH115 - the exact text, not a normalised path
        return target, member.path.resolve(strict=True)
    except FileNotFoundError as error:
        raise _refused_link(member, "leads nowhere") from error
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno != errno.ELOOP:
            raise as_storage_error(error, f"reading the link {member.path}") from error
        raise _refused_link(member, "leads in a circle") from error


def _followed(member: _Member, inside: Path, above: tuple[Path, ...]) -> _Member:
    """Return what a link leads to, under the name of the link."""
    _, real = _resolved(member)
    if not real.is_relative_to(inside.resolve()):
        raise _refused_link(member, "leads out of the working folder")
    if real in above:
        raise _refused_link(member, "leads in a circle")
    return _Member(member.name, real, real.stat(follow_symlinks=False))


def _link_target(member: _Member, root: Path) -> str:
    """Return where the link leads, if that is inside ``root`` by its text and in fact."""
    target, real = _resolved(member)
    by_text = os.path.normpath(PurePosixPath(member.name).parent / target)
    outside = target.startswith("/") or by_text == ".." or by_text.startswith("../")
    if outside or not real.is_relative_to(root.resolve()):
        raise _refused_link(member, "leads out of the folder")
    return target


def _refused_link(member: _Member, why: str) -> UsageError:
    return UsageError(
        f"the symbolic link {member.path} {why}", hint="replace it by what it means, or exclude it"
    )


def _matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    compiled = [re.compile(_translate(pattern), re.DOTALL) for pattern in patterns]
    return lambda name: any(pattern.fullmatch(name) for pattern in compiled)


_TOKEN = re.compile(r"\*\*/?|\*|\?|\[(?P<not>[\^!]?)(?P<set>[^\]/]+)\]|\\(?P<plain>.)|.", re.DOTALL)


def _translate(pattern: str) -> str:
    return "".join(_token(match, pattern) for match in _TOKEN.finditer(pattern))


def _token(match: re.Match[str], pattern: str) -> str:
    text = match[0]
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if text in known:
        return known[text]
    if match["set"]:
        return f"(?!/)[{'^' if match['not'] else ''}{_character_set(match['set'])}]"
    if text in {"[", "\\"}:
        raise InvalidDocumentError(
            f"{pattern!r} is not a pattern", hint="use *, **, ?, [a-z]; a backslash before others"
        )
    return re.escape(match["plain"] or text)


def _character_set(text: str) -> str:
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", text)
    try:
        re.compile(f"[{escaped}]")
    except re.error as error:
        raise InvalidDocumentError(f"[{text}] is not a set of characters") from error
    return escaped
