"""Where a project is kept: the URL of its git repository, and its folder in there."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ocm_pkg.fs.process import ProgramError, child_environment, run
from ocm_pkg.model.provenance import SourceLocation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TIMEOUT = 30.0
_MAX_OUTPUT = 64 * 1024
_REMOTE = frozenset({"https", "http", "ssh", "git"})
_SCP = re.compile(r"(?:(?P<user>[^@:/]+)@)?(?P<host>[^@:/]{2,}):(?P<path>[^:].*)")


def location_of(folder: Path, environ: Mapping[str, str]) -> SourceLocation:
    """Return where the project in ``folder`` is kept, as far as git knows."""
    return SourceLocation(origin_of(folder, environ), folder_in_repository(folder, environ))


def origin_of(folder: Path, environ: Mapping[str, str]) -> str | None:
    """Return the URL of the remote ``origin``, as ``normalised`` makes it; None without one."""
    text = _git(folder, environ, "remote", "get-url", "origin")
    return None if text is None else normalised(text)


def folder_in_repository(folder: Path, environ: Mapping[str, str]) -> str:
    """Return the path of ``folder`` in its repository, with ``/``; ``.`` at its top."""
    text = _git(folder, environ, "rev-parse", "--show-prefix")
    return (text or "").rstrip("/") or "."


def normalised(url: str) -> str | None:
    """Return a remote's URL without credentials, so that it can be published.

    The short form ``USER@HOST:PATH`` becomes ``ssh://``; of ``ssh://`` the user's name stays, for
    it is part of the address. None for paths, ``file://`` and whatever else others can't reach.
    """
    if not url.isprintable() or " " in url:
        return None
    if "://" not in url:
        short = _SCP.fullmatch(url)
        if short is None:
            return None
        user = f"{short['user']}@" if short["user"] else ""
        url = f"ssh://{user}{short['host']}/{short['path'].lstrip('/')}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _REMOTE or not host or parts.path in ("", "/"):
        return None
    user = f"{parts.username}@" if parts.scheme == "ssh" and parts.username else ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{user}{shown}{f':{port}' if port else ''}{parts.path}"


def _git(folder: Path, environ: Mapping[str, str], *arguments: str) -> str | None:
    printed = ask_git(folder, environ, *arguments)
    return None if printed is None else printed.decode(errors="replace").strip()


def ask_git(
    folder: Path, environ: Mapping[str, str], *arguments: str, max_output: int = _MAX_OUTPUT
) -> bytes | None:
    """Return what git prints; None without git, outside of a repository, or if it fails."""
    git = shutil.which("git", path=environ.get("PATH"))
    if git is None:
        return None
    try:
        done = run(
            [git, "-C", str(folder), *arguments],
            env=child_environment(environ, {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}),
            timeout=_TIMEOUT,
            max_output=max_output,
        )
    except ProgramError:
        return None
    return done.stdout if done.returncode == 0 else None
