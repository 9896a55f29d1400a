"""The index of a CTF in its common form, searched as text without building its entries; pure.

The form: compact JSON, members in the order of the format, plain ASCII texts without escapes. No
text has a quote in it, so a piece of JSON with its quotes is found only where it stands for itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXT = rb"[ !#-\[\]-~]"
_ENTRY = (
    rb'\{"repository":"(?P<repository>' + _TEXT + rb"++)"
    rb'"(?:,"tag":"(?P<tag>' + _TEXT + rb'*+)")?+'
    rb',"digest":"(?P<digest>sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})"'
    rb'(?:,"mediaType":"(?P<media_type>' + _TEXT + rb'*+)")?+\}'
)
_BARE = re.sub(rb"\?P<\w+>", b"?:", _ENTRY)
_HEAD = b'{"schemaVersion":1,"artifacts":['
_TAIL = b"]}"
_COMMON = b"(?:" + _BARE + b"(?:," + _BARE + b")*+)?+"
_PLAIN = re.compile("[ !#-\\[\\]-~]+")


class Found(NamedTuple):
    """The texts of one entry; a member that isn't there is None."""

    repository: str
    tag: str | None
    digest: str
    media_type: str | None


def is_common(data: bytes) -> bool:
    """Whether ``data`` is a whole index in the common form, a line end after it allowed."""
    pattern = re.escape(_HEAD) + _COMMON + re.escape(_TAIL) + rb"\n?"
    return re.fullmatch(pattern, data) is not None


def entries(data: bytes) -> Iterator[Found]:
    """Give all entries of an index in the common form."""
    return (_found(match) for match in re.finditer(_ENTRY, data))


def find(data: bytes, repository: str, reference: str) -> Found | None:
    """Return the last entry of a repository with a tag or digest."""
    if not _is_plain(repository, reference):
        return None
    start = b'{"repository":"%b"' % repository.encode()
    tag = data.rfind(start + b',"tag":"%b",' % reference.encode())
    match = re.compile(_ENTRY).match(data, max(tag, _find_digest(data, start, reference)))
    return None if match is None else _found(match)


def _find_digest(data: bytes, start: bytes, digest: str) -> int:
    """Return where the last entry with a digest begins, or -1; -1 too for what is no digest."""
    if ":" not in digest:
        return -1
    needle, end = b',"digest":"%b"' % digest.encode(), len(data)
    while (end := data.rfind(needle, 0, end)) >= 0:
        begin = data.rfind(b"{", 0, end)
        while not data.startswith(b'{"repository":"', begin):
            begin = data.rfind(b"{", 0, begin)
        if data.startswith(start, begin):
            return begin
    return -1


def tags(data: bytes, repository: str) -> tuple[str, ...]:
    """Return the distinct tags of a repository."""
    if not _is_plain(repository):
        return ()
    start = re.escape(b'{"repository":"%b","tag":"' % repository.encode())
    found = re.findall(start + b"(" + _TEXT + b'++)"', data)
    return tuple(tag.decode() for tag in dict.fromkeys(found))


def repositories(data: bytes) -> list[str]:
    """Return the names of all repositories, sorted."""
    found = re.findall(rb'\{"repository":"(' + _TEXT + rb'++)"', data)
    return sorted(name.decode() for name in set(found))


def append(data: bytes, more: bytes) -> bytes | None:
    """Return the index with the entries of another at its end; None if that has another form."""
    if not is_common(more):
        return None
    inside = data.rstrip(b"\n").removesuffix(_TAIL)
    comma = b"" if inside == _HEAD else b","
    return inside + comma + more[len(_HEAD) :]


def _is_plain(*texts: str) -> bool:
    return all(_PLAIN.fullmatch(text) for text in texts)


def _found(match: re.Match[bytes]) -> Found:
    repository, tag, digest, media_type = match.group("repository", "tag", "digest", "media_type")
    return Found(
        repository.decode(),
        None if tag is None else tag.decode(),
        digest.decode(),
        None if media_type is None else media_type.decode(),
    )
