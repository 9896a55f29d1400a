"""Credential helpers: the programs ``docker-credential-NAME`` that keep the secrets of registries.

A helper has a time limit and a size limit, is looked up in the absolute folders of the search path
alone, and gets secrets by its standard input. No secret is in a message, a log or a ``repr``.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.errors import AuthenticationError, ConfigError, escaped
from ocm_pkg.fs.process import ProgramError, child_environment, run
from ocm_pkg.model.config_docker import read_answer, says_not_found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.fs.process import Completed
    from ocm_pkg.model.config_docker import Helper

HELPER_SECONDS = 10.0
MAX_ANSWER = 256 * 1024

_LOADER = ("LD_", "DYLD_", "PYTHON", "_PYI", "_MEI")


class CredentialHelpers:
    """Runs credential helpers; ``environ`` is that of this process, ``seconds`` their time limit.

    Every method raises ``AuthenticationError`` for a helper that is missing or fails.
    """

    def __init__(self, environ: Mapping[str, str], seconds: float = HELPER_SECONDS) -> None:
        self._environ = environ
        self._seconds = seconds

    def get(self, helper: Helper) -> dict[str, str] | None:
        """Return the properties that a helper has for its server; None if it has none."""
        what = "no credentials"
        done = self._run(helper, "get", f"{helper.server}\n", what)
        if done is None:
            return None
        try:
            return read_answer(done.stdout, helper=helper)
        except ConfigError as error:
            raise AuthenticationError(
                f"{what} for {escaped(helper.server, 200)}: {error.message}",
                hint=f"log in again, or remove {helper.name} from the Docker configuration",
            ) from error

    def store(self, helper: Helper, user: str, secret: str) -> None:
        """Have a helper keep user and password of its server."""
        value = {"ServerURL": helper.server, "Username": user, "Secret": secret}
        self._run(helper, "store", json.dumps(value), "credentials were not stored")

    def erase(self, helper: Helper) -> bool:
        """Have a helper forget what it has for its server; false if that was nothing."""
        what = "credentials were not removed"
        return self._run(helper, "erase", f"{helper.server}\n", what) is not None

    def _run(self, helper: Helper, verb: str, text: str, what: str) -> Completed | None:
        """Return how a helper ended; None if it says that it has nothing for the server."""
        server = escaped(helper.server, 200)
        program = self._program(helper, f"{what} for {server}")
        try:
            done = run(
                [program, verb],
                env=self._child_environment(),
                timeout=self._seconds,
                max_output=MAX_ANSWER,
                input=text.encode(),
            )
        except ProgramError as error:
            # Not chained: the error carries what the helper said.
            problem = error.message
        else:
            if done.returncode == 0:
                return done
            if verb != "store" and (says_not_found(done.stdout) or says_not_found(done.stderr)):
                return None
            problem = f"{helper.program} failed with status {done.returncode}"
        raise AuthenticationError(
            f"{what} for {server}: {problem}",
            hint=f"check {helper.program}, or remove it from the Docker configuration",
        )

    def _program(self, helper: Helper, what: str) -> str:
        folders = self._environ.get("PATH", "").split(os.pathsep)
        path = os.pathsep.join(folder for folder in folders if Path(folder).is_absolute())
        program = shutil.which(helper.program, path=path) if path else None
        if program is None:
            raise AuthenticationError(
                f"{what}: {helper.program} is not installed",
                hint=f"install {helper.program}, or remove it from the Docker configuration",
            )
        return program

    def _child_environment(self) -> dict[str, str]:
        """Return the user's environment: helpers need their own variables (cloud, keychain)."""
        own = {name: value for name, value in self._environ.items() if not name.startswith(_LOADER)}
        return child_environment(self._environ, own)
