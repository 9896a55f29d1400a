"""OpenPGP signatures, made by the ``gpg`` program with the one key of a file.

The key is taken into a private folder that is removed again, with the agent that ``gpg`` starts for
it; the user's own key ring is neither used nor changed. A signature is given out only after it was
checked like any other.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.errors import InvalidDocumentError, SignatureError, UntrustedError, UsageError
from ocm_pkg.fs.blob import open_regular
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.process import child_environment, run
from ocm_pkg.model.descriptor import SignatureSpec
from ocm_pkg.signing import gpg
from ocm_pkg.signing.keys import exposure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ocm_pkg.fs.process import Completed
    from ocm_pkg.model.digest import Digest

_UNUSABLE = frozenset("dier")
"""Validity letters of keys that are disabled, invalid, expired or revoked."""

_MAX_FOLDER = 70
"""Characters of a folder's path below which the agent can have its socket."""

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class GpgSigningKey:
    """An armoured OpenPGP secret key. Never shown: ``repr`` has neither key nor password.

    ``fingerprint`` is ``openpgp:`` and that of the key, or subkey, that signs.
    """

    armoured: bytes = field(repr=False)
    name: str
    fingerprint: str
    password: bytes = field(repr=False, default=b"")
    warnings: tuple[str, ...] = ()


def load_signing_key(path: Path, password: bytes | None = None) -> GpgSigningKey | None:
    """Return the OpenPGP secret key in ``path``; None if the file holds something else.

    Raises ``UsageError`` for a public key, for a file with several keys, and if there is no
    ``gpg``; ``UntrustedError`` if it has no usable key for signing.
    """
    with open_regular(path) as stream, storage_errors(f"reading {path}"):
        data = stream.read(gpg.MAX_SIZE + 1)
    if data.lstrip().startswith(gpg.KEY_BEGIN):
        raise UsageError(
            f"{path} holds an OpenPGP public key, and signing needs the secret one",
            hint="gpg --armor --export-secret-keys NAME > secret.asc",
        )
    if not data.lstrip().startswith(gpg.SECRET_BEGIN):
        return None
    if len(data) > gpg.MAX_SIZE:
        raise InvalidDocumentError(f"{path} is larger than {gpg.MAX_SIZE // 1024} KiB: no key")
    with _ring() as ring:
        fingerprint = _signing_fingerprint(ring.listed(data), path)
    return GpgSigningKey(data, path.name, f"openpgp:{fingerprint}", password or b"", exposure(path))


def _signing_fingerprint(listed: str, path: Path) -> str:
    """Return the fingerprint of the newest usable key for signing, subkeys first."""
    rows = [line.split(":") for line in listed.splitlines()]
    if sum(row[0] == "sec" for row in rows) != 1:
        raise UsageError(f"{path} must hold one OpenPGP secret key and nothing else")
    usable: list[tuple[bool, int, str]] = []
    candidate: tuple[bool, int] | None = None
    for row in rows:
        if row[0] in {"sec", "ssb"}:
            signs = len(row) > 11 and "s" in row[11] and row[1] not in _UNUSABLE
            candidate = (row[0] == "ssb", int(row[5] or 0)) if signs else None
        elif row[0] == "fpr" and candidate is not None:
            usable.append((*candidate, row[9].lower()))
            candidate = None
    if not usable:
        raise UntrustedError(f"{path} has no key that signs, or it is expired or revoked")
    return max(usable)[2]


def make_value(digest: Digest, key: GpgSigningKey, now: datetime) -> SignatureSpec:
    """Sign the bytes of ``digest``: a detached armoured signature, checked before it is returned.

    Raises ``UsageError`` for a wrong password, and ``SignatureError`` if ``gpg`` fails.
    """
    with _ring(now) as ring:
        done = ring.sign(digest.raw, key)
        public = gpg.GpgKey(ring.exported(), key.name)
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode != 0 or "SIG_CREATED" not in said:
        raise _failure(key, said)
    text = done.stdout.decode("ascii", "replace")
    fingerprint, _key = gpg.check(text, digest, [public], now, what="the new signature")
    if fingerprint != key.fingerprint:
        raise SignatureError(f"gpg signed with {fingerprint}, and not with {key.fingerprint}")
    return SignatureSpec(algorithm=gpg.ALGORITHM, media_type=gpg.MEDIA_TYPE, value=text)


def public_half(key: GpgSigningKey) -> gpg.GpgKey:
    """Return the public key that verifies what ``key`` signs."""
    with _ring() as ring:
        ring.take(key)
        return gpg.GpgKey(ring.exported(), key.name)


def _failure(key: GpgSigningKey, said: str) -> UsageError | SignatureError:
    """Return the error for what ``gpg`` said, which is English in the locale it has."""
    lines = [line[5:].strip() for line in said.splitlines() if line.startswith("gpg: ")]
    reason = next((line for line in lines if "failed" in line), lines[-1] if lines else "no reason")
    if "passphrase" in reason:
        return UsageError(
            f"{key.name} cannot be unlocked: {'wrong' if key.password else 'it needs a'} password",
            hint="put the password into a file and give it with --password-file FILE",
        )
    return SignatureError(f"gpg made no signature with {key.name}: {reason[:200]}")


@contextmanager
def _ring(now: datetime | None = None) -> Iterator[_Ring]:
    """Give a ring in a private folder; both are gone afterwards, and the agent too."""
    parent = None if len(tempfile.gettempdir()) < _MAX_FOLDER else "/tmp"  # noqa: S108 (a private folder in it)
    with tempfile.TemporaryDirectory(prefix="ocm-pkg-gpg.", dir=parent) as folder:
        ring = _Ring(Path(folder), now)
        try:
            yield ring
        finally:
            ring.end_agent()


class _Ring:
    """A key ring with secret keys in a folder of its own."""

    def __init__(self, folder: Path, now: datetime | None) -> None:
        program = gpg.find_program()
        if program is None:
            raise UsageError("signing with OpenPGP needs gpg", hint="install GnuPG")
        self._folder = folder
        self._command = [program, "--homedir", str(folder), "--batch", "--no-tty", "--no-options"]
        self._command += ["--trust-model", "always", "--status-fd", "2"]
        self._command += ["--pinentry-mode", "loopback", "--passphrase-fd", "0"]
        if now is not None:
            self._command += ["--faked-system-time", f"{now:%Y%m%dT%H%M%S}"]
        self._environment = child_environment({}, gpg.ENVIRONMENT)
        self._has_agent = False

    def _run(self, *arguments: str, password: bytes = b"") -> Completed:
        return run(
            [*self._command, *arguments],
            env=self._environment,
            timeout=_SECONDS,
            max_output=gpg.MAX_SIZE * 4,
            cwd=self._folder,
            input=password,
        )

    def _write(self, data: bytes) -> str:
        path = self._folder / "secret.asc"
        path.touch(mode=0o600)
        path.write_bytes(data)
        return str(path)

    def listed(self, armoured: bytes) -> str:
        """Return the keys of a file as ``gpg`` lists them; nothing is taken in."""
        options = ("--no-autostart", "--with-colons", "--import-options", "show-only")
        done = self._run(*options, "--import", self._write(armoured))
        return done.stdout.decode("utf-8", "replace")

    def take(self, key: GpgSigningKey) -> None:
        """Take in the key, with which an agent is started."""
        self._has_agent = True
        self._run("--import", self._write(key.armoured), password=key.password)

    def sign(self, data: bytes, key: GpgSigningKey) -> Completed:
        """Take in the key and sign."""
        self.take(key)
        path = self._folder / "data"
        path.write_bytes(data)
        chosen = f"{key.fingerprint.removeprefix('openpgp:').upper()}!"
        options = ("--local-user", chosen, "--digest-algo", "SHA512", "--armor", "--output", "-")
        return self._run(*options, "--detach-sign", str(path), password=key.password)

    def exported(self) -> bytes:
        """Return the public half, armoured."""
        return self._run("--armor", "--export").stdout

    def end_agent(self) -> None:
        """End the agent that keeps the secret key."""
        program = shutil.which("gpgconf", path=gpg.FOLDERS)
        if self._has_agent and program is not None:
            run(
                [program, "--homedir", str(self._folder), "--kill", "all"],
                env=self._environment,
                timeout=_SECONDS,
                max_output=gpg.MAX_SIZE,
            )
