"""Get the sources of a commit with git, from where somebody else says that they are.

The address may come from a document of others. So git is told which protocols it may use, and
nothing of the repository runs: no hooks, no submodules, no helper that a setting of this machine
would start while files are written. The commit is checked, and that the files are exactly its own.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.errors import (
    BuildError,
    FileMissingError,
    InvalidDocumentError,
    NotFoundError,
    ToolMissingError,
    TransportError,
    UsageError,
    escaped,
)
from ocm_pkg.fs.process import ProgramError, child_environment, run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ocm_pkg.errors import OcmPkgError
    from ocm_pkg.fs.process import Completed

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_HOST = r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:.]+\])"
_USER = r"(?:[A-Za-z0-9._~][A-Za-z0-9._~-]*@)?"
_PATH = r"[A-Za-z0-9._~%+@,=/-]+"
_URL = re.compile(rf"(?:https?://|ssh://{_USER}){_HOST}(?::[0-9]{{1,5}})?/{_PATH}")
_BY_SSH = re.compile(rf"{_USER}{_HOST}:(?!/){_PATH}")
_FILE_URL = re.compile(rf"file:///{_PATH}")
_NETWORK = ("http", "https", "ssh")
_FETCH_TIMEOUT = 1800.0
_TIMEOUT = 600.0
_MAX_OUTPUT = 16 * 1024 * 1024
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "core.fsmonitor": "false",
    "init.templateDir": "",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "advice.detachedHead": "false",
    "gc.auto": "0",
}
_UNTOUCHED = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1"}
"""Settings of this machine, such as line ends and filters, would make other files of a commit."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a commit is: ``address`` is a URL, or the path of a repository of this machine."""

    address: str
    commit: str
    is_local: bool = False


def recorded_origin(repository: str, commit: str) -> Origin:
    """Return the origin that a document names.

    Raises ``InvalidDocumentError`` unless it is an ``http`` or ``https`` URL without credentials,
    an ``ssh`` URL or ``USER@HOST:PATH``, and the commit a whole hash.
    """
    if not (_URL.fullmatch(repository) or _BY_SSH.fullmatch(repository)):
        raise InvalidDocumentError(
            f"the recorded repository {_shown(repository)} is no http, https or ssh URL",
            hint="name a repository that has the commit with --source",
        )
    return Origin(repository, checked_commit(commit))


def named_origin(source: str, commit: str, folder: Path) -> Origin:
    """Return the origin that the user named: a URL, or a path, relative to ``folder``.

    Raises ``UsageError``, ``FileMissingError`` or ``InvalidDocumentError`` (the commit).
    """
    known = checked_commit(commit)
    if _URL.fullmatch(source) or _BY_SSH.fullmatch(source):
        return Origin(source, known)
    if _FILE_URL.fullmatch(source):
        return Origin(source, known, is_local=True)
    if "://" in source or "::" in source or not source.isprintable():
        raise UsageError(
            f"--source {_shown(source)} is no http, https, ssh or file URL",
            hint="name the folder of a repository, or a URL without user name and password",
        )
    path = (folder / source).resolve()
    if not path.is_dir():
        raise FileMissingError(f"{path} is no folder", hint="name a repository with --source")
    return Origin(str(path), known, is_local=True)


def checked_commit(text: str) -> str:
    """Return ``text`` if it is a whole hash of a commit, or raise ``InvalidDocumentError``."""
    if _COMMIT.fullmatch(text) is None:
        raise InvalidDocumentError(
            f"the recorded commit {_shown(text)} is no hash of 40 or 64 digits",
            hint="ask its provider to build it from a commit, with no change left uncommitted",
        )
    return text


def check_out(
    origin: Origin, folder: Path, environ: Mapping[str, str], *, offline: bool = False
) -> bool:
    """Put the files of the commit into the new ``folder``; return whether there are submodules.

    Submodules are not fetched. Raises ``ToolMissingError`` without git, ``TransportError`` if the
    repository can't be read (or is elsewhere, and ``offline``), ``NotFoundError`` if it has no
    such commit, ``BuildError`` if the files are not exactly those of the commit.
    """
    if offline and not origin.is_local:
        raise TransportError(
            f"{_shown(origin.address)} is on the network, which --offline forbids",
            hint="name a repository of this machine with --source",
        )
    git = _Git(origin, folder, environ)
    git.fetch()
    git.run("checkout", "--quiet", "--detach", origin.commit, "--")
    head = git.run("rev-parse", "--verify", "HEAD^{commit}").strip()
    changes = git.run("status", "--porcelain", "--untracked-files=all", "--ignored")
    if head != origin.commit or changes:
        raise BuildError(
            f"git did not make exactly the files of {origin.commit}: "
            + (_shown(changes.splitlines()[0]) if changes else f"it is {_shown(head)}"),
            hint="a rebuild needs a file system that can have them",
        )
    return (folder / ".gitmodules").exists()


class _Git:
    """Runs git for one checkout."""

    def __init__(self, origin: Origin, folder: Path, environ: Mapping[str, str]) -> None:
        git = shutil.which("git", path=environ.get("PATH"))
        if git is None:
            raise ToolMissingError("git is not on this machine", hint="install git")
        self._git = git
        self._origin = origin
        self._folder = folder
        self._environ = environ

    def fetch(self) -> None:
        """Copy the repository; nothing is checked out."""
        origin = self._origin
        options = ("--quiet", "--no-checkout", "--no-recurse-submodules", "--no-local")
        names = ("--template=", "--origin=origin")
        done = self._call(
            "clone", *options, *names, "--", origin.address, str(self._folder), fetches=True
        )
        if done.returncode:
            raise self._unreadable(done)
        if self._call("-C", str(self._folder), "cat-file", "-e", self._commit).returncode == 0:
            return
        # It may be on no branch; some servers give a commit by its hash.
        fetch = ("fetch", "--quiet", "--no-tags", "origin", origin.commit)
        done = self._call("-C", str(self._folder), *fetch, fetches=True)
        if done.returncode:
            raise NotFoundError(
                f"{_shown(origin.address)} has no commit {origin.commit}",
                hint="name a repository that has it with --source",
                detail=_last_lines(done),
            )

    def run(self, *arguments: str) -> str:
        """Run git in the copy; return what it said, or raise ``BuildError``."""
        done = self._call("-C", str(self._folder), *arguments)
        if done.returncode:
            raise BuildError(
                f"git {arguments[0]} of {self._origin.commit} failed",
                hint="see what git says above",
                detail=_last_lines(done),
            )
        return done.stdout.decode(errors="replace")

    @property
    def _commit(self) -> str:
        return f"{self._origin.commit}^{{commit}}"

    def _call(self, *arguments: str, fetches: bool = False) -> Completed:
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        try:
            return run(
                [self._git, *settings, *arguments],
                env=self._environment(fetches=fetches),
                timeout=_FETCH_TIMEOUT if fetches else _TIMEOUT,
                max_output=_MAX_OUTPUT,
            )
        except ProgramError as error:
            raise TransportError(f"git: {error.message}", hint=error.hint) from error

    def _environment(self, *, fetches: bool) -> dict[str, str]:
        """Return git's environment: the user's settings and keys count for fetching only."""
        extra = {
            "LC_ALL": "C",
            "GIT_ALLOW_PROTOCOL": ":".join(("file",) if self._origin.is_local else _NETWORK),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            **({} if fetches else _UNTOUCHED),
        }
        if fetches and (agent := self._environ.get("SSH_AUTH_SOCK")):
            extra["SSH_AUTH_SOCK"] = agent
        return child_environment(self._environ, extra)

    def _unreadable(self, done: Completed) -> OcmPkgError:
        where, detail = _shown(self._origin.address), _last_lines(done)
        if self._origin.is_local:
            hint = "name the top folder of a repository with --source"
            return UsageError(f"git cannot read {where}", hint=hint, detail=detail)
        hint = "log in to it for git, or name another repository with --source"
        return TransportError(f"git cannot read {where}", hint=hint, detail=detail)


def _last_lines(done: Completed) -> list[str]:
    lines = done.stderr.decode(errors="replace").splitlines()
    return [escaped(line, 400) for line in lines if line.strip()][-5:]


def _shown(text: str) -> str:
    return escaped(text, 200)
