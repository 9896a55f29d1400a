"""Where the logins of registries are kept: Docker's configuration, or the helper that it names."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg._typing import override
from ocm_pkg.errors import ConfigError, FileMissingError
from ocm_pkg.fs.atomic import make_folder, write_file
from ocm_pkg.fs.lock import ReplacementLock
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.model.config_docker import (
    DockerConfig,
    password_entry,
    read_members,
    with_login,
)
from ocm_pkg.store.credentials import login_files, read_private
from ocm_pkg.store.helpers import HELPER_SECONDS, CredentialHelpers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ocm_pkg.model.config_docker import Helper
    from ocm_pkg.model.document import JSONObject
    from ocm_pkg.model.identity import Identity

MODE = 0o600
_FOLDER_MODE = 0o700
_LOCK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a login is: in ``path``, or with the helper ``helper`` (a program) that it names."""

    path: Path
    helper: str | None = None

    @override
    def __str__(self) -> str:
        return f"{self.helper} ({self.path})" if self.helper else str(self.path)


class LoginFile:
    """The file that logins go to: what ``REGISTRY_AUTH_FILE`` names, else Docker's.

    ``environ`` is that of this process, ``folder`` what relative paths start from, ``home`` the
    user's home folder, if there is one. With ``dry_run`` nothing is changed.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        folder: Path,
        home: Path | None,
        dry_run: bool = False,
        helper_seconds: float = HELPER_SECONDS,
    ) -> None:
        path = next(login_files(environ, folder, home), None)
        if path is None:
            raise ConfigError(
                "there is no place for logins: no home folder is known",
                hint="set HOME, DOCKER_CONFIG or REGISTRY_AUTH_FILE",
            )
        self.path = path
        self._dry_run = dry_run
        self._helpers = CredentialHelpers(environ, helper_seconds)

    def store(self, identity: Identity, user: str, password: str) -> Kept:
        """Keep a login, and return where; one that is there is replaced.

        Raises ``ConfigError`` for a file that must not be written, ``AuthenticationError`` for a
        helper that fails, ``LocalStorageError``.
        """
        path = self._real_path()
        if not self._dry_run:
            make_folder(path.parent, _FOLDER_MODE)
        elif not path.parent.is_dir():
            return Kept(self.path)
        with ReplacementLock(path, _LOCK_SECONDS):
            members = self._members(path)
            helper = self._helper(members, identity)
            entry = None if helper else password_entry(user, password)
            if helper and not self._dry_run:
                self._helpers.store(helper, user, password)
            changed, _ = with_login(members, identity, entry)
            self._write(path, members, changed)
        return Kept(self.path, helper.program if helper else None)

    def remove(self, identity: Identity) -> Kept | None:
        """Forget a login, and return where it was; None if there was none. Raises as ``store``."""
        path = self._real_path()
        if not path.parent.is_dir():
            return None
        with ReplacementLock(path, _LOCK_SECONDS):
            members = self._members(path)
            helper = self._helper(members, identity)
            erased = helper is not None and self._erase(helper)
            changed, removed = with_login(members, identity, None)
            self._write(path, members, changed)
        if erased and helper:
            return Kept(self.path, helper.program)
        return Kept(self.path) if removed else None

    def _erase(self, helper: Helper) -> bool:
        if self._helpers.get(helper) is None:
            return False
        return self._dry_run or self._helpers.erase(helper)

    def _helper(self, members: JSONObject, identity: Identity) -> Helper | None:
        whole = {name: value for name, value in identity.items() if name != "path"}
        return DockerConfig.parse(members, name=str(self.path)).helper(whole)

    def _members(self, path: Path) -> JSONObject:
        try:
            data = read_private(path, None)
        except FileMissingError:
            return {}
        return read_members(data, name=str(self.path)) if data.strip() else {}

    def _write(self, path: Path, members: JSONObject, changed: JSONObject) -> None:
        if changed != members and not self._dry_run:
            text = json.dumps(changed, indent="\t", ensure_ascii=False)
            write_file(path, f"{text}\n".encode(), MODE)

    def _real_path(self) -> Path:
        """Return the file itself, behind a symbolic link that is the user's own.

        Others' files and links to nothing are refused: they would be written for somebody else.
        """
        with storage_errors(f"reading {self.path}"):
            path = self.path
            if path.is_symlink():
                self._check_owner(path.lstat())
                path = path.resolve()
                if not path.exists():
                    raise self._refused("is a symbolic link to nothing")
            if path.exists():
                status = path.stat()
                self._check_owner(status)
                if not stat.S_ISREG(status.st_mode):
                    raise self._refused("is no regular file")
            return path

    def _check_owner(self, status: os.stat_result) -> None:
        if status.st_uid != os.geteuid():
            raise self._refused(f"belongs to another user (uid {status.st_uid})")

    def _refused(self, why: str) -> ConfigError:
        return ConfigError(
            f"{self.path} {why}, so no login is written there",
            hint="put a file of your own there, or name another place by REGISTRY_AUTH_FILE",
        )
