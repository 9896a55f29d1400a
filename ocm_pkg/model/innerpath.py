"""Names of files inside an archive: which are safe everywhere, and which are the same somewhere."""

from __future__ import annotations

import re
import unicodedata

MAX_PATH = 1024
MAX_DEPTH = 64

_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?:\..*)?")
_FORBIDDEN = re.compile(r'[\\:*?"<>|]')


def problem_of(path: str) -> str | None:
    """Return why ``path``, with ``/`` between its parts, can't be a file of ours; None if it can.

    It must mean the same file below one folder on every system: relative, no ``.`` or ``..``, no
    characters that are unprintable or special to a file system, no device names.
    """
    if not path or len(path) > MAX_PATH:
        return "is empty" if not path else f"has more than {MAX_PATH} characters"
    if not path.isprintable():
        return "has unprintable characters"
    if path.startswith("/"):
        return "is absolute"
    parts = path.split("/")
    if len(parts) > MAX_DEPTH:
        return f"is more than {MAX_DEPTH} folders deep"
    return next((problem for part in parts if (problem := _part(part))), None)


def _part(part: str) -> str | None:
    if part in ("", ".", ".."):
        return f"has the part {part!r}"
    if found := _FORBIDDEN.search(part):
        return f"has the character {found[0]!r}"
    if part[0] == "-" or part[-1] in ". ":
        return "has a part that begins with - or ends with a dot or a space"
    if _DEVICES.fullmatch(part.casefold()):
        return "is the name of a device on some systems"
    if len(part.encode()) > 255:
        return "has a part of more than 255 bytes"
    return None


def collation(path: str) -> str:
    """Return what is equal for paths that some file system takes for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def leads_to(link: str, target: str) -> str | None:
    """Return the path inside that a link at ``link`` leads to; None if it leads anywhere else.

    Up comes first: ``../../lib/x`` is one, ``lib/../x`` is none, for ``lib`` may be a link itself.
    """
    parts = target.split("/")
    up = 0
    while up < len(parts) and parts[up] == "..":
        up += 1
    folder = link.split("/")[:-1]
    rest = parts[up:]
    if up > len(folder) or not rest or problem_of("/".join(rest)) is not None:
        return None
    return "/".join((*folder[: len(folder) - up], *rest))
