"""OpenPGP signatures, checked by the ``gpg`` program in a key ring that is made for the one check.

Nothing of the user's own key ring is used, no agent is started, and the time is the one given.
What ``gpg`` says for programs (``--status-fd``) decides, never its exit status alone.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.errors import InvalidDocumentError, SignatureError, UntrustedError, UsageError
from ocm_pkg.fs.blob import open_regular
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.process import child_environment, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ocm_pkg.model.digest import Digest

ALGORITHM = "GPG"
MEDIA_TYPE = "application/vnd.ocm.signature.gpg"
MAX_SIZE = 256 * 1024

KEY_BEGIN = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
SECRET_BEGIN = b"-----BEGIN PGP PRIVATE KEY BLOCK-----"
_SIGNATURE_BEGIN = "-----BEGIN PGP SIGNATURE-----"
_SIGNATURE_END = "-----END PGP SIGNATURE-----"
FOLDERS = "/usr/bin:/bin:/usr/local/bin:/opt/homebrew/bin"
"""Where GnuPG is looked for, whatever the user's search path says."""

ENVIRONMENT = {"PATH": FOLDERS, "LC_ALL": "C"}
_SECONDS = 30.0

_RSA, _STRONG_CURVES = "1", frozenset({"19", "22"})
_MIN_RSA_BITS = 2048
_HASHES = frozenset({"8", "9", "10"})
_BAD = frozenset(
    {"BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "KEYREVOKED", "NODATA", "FAILURE"}
)


@dataclass(frozen=True, slots=True)
class GpgKey:
    """An armoured OpenPGP public key, and the name it is called by in messages."""

    armoured: bytes = field(repr=False)
    name: str


def load_key(path: Path) -> GpgKey | None:
    """Return the OpenPGP public key in ``path``; None if the file holds something else."""
    with open_regular(path) as stream, storage_errors(f"reading {path}"):
        data = stream.read(MAX_SIZE + 1)
    if data.lstrip().startswith(SECRET_BEGIN):
        raise UsageError(
            f"{path} holds an OpenPGP secret key, and verifying needs only the public one",
            hint="gpg --armor --export NAME > public.asc",
        )
    if not data.lstrip().startswith(KEY_BEGIN):
        return None
    if len(data) > MAX_SIZE:
        raise InvalidDocumentError(f"{path} is larger than {MAX_SIZE // 1024} KiB: no public key")
    return GpgKey(data, path.name)


def find_program() -> str | None:
    """Return the path of ``gpg``, if it is installed."""
    return shutil.which("gpg", path=FOLDERS)


def check(
    value: str, digest: Digest, keys: Sequence[GpgKey], now: datetime, *, what: str
) -> tuple[str, GpgKey]:
    """Return the fingerprint of the key that signed the bytes of ``digest``, and where it is from.

    ``value`` is the armoured signature. Raises ``SignatureError`` if it is none or is wrong, and
    ``UntrustedError`` if none of ``keys`` made it, or if there is no ``gpg``.
    """
    text = value.strip()
    armoured = text.startswith(_SIGNATURE_BEGIN) and text.endswith(_SIGNATURE_END)
    if not armoured or text.count("-----BEGIN") != 1 or len(value) > MAX_SIZE:
        raise SignatureError(f"{what} has a value that is not one armoured OpenPGP signature")
    program = find_program()
    if program is None:
        raise UntrustedError(
            f"{what} is an OpenPGP signature, and there is no gpg to check it with",
            hint="install GnuPG",
        )
    unknown = True
    for key in keys:
        with tempfile.TemporaryDirectory(prefix="ocm-pkg-gpg.") as folder:
            ring = _Ring(program, Path(folder), now)
            strong = ring.add(key)
            status = ring.verify(text.encode(), digest.raw)
        if "NO_PUBKEY" in status:
            continue
        unknown = False
        made_by = _maker(status)
        if made_by is not None and made_by in strong:
            return f"openpgp:{made_by}", key
    names = ", ".join(key.name for key in keys) or "none"
    if unknown:
        raise UntrustedError(
            f"{what} was made by none of the trusted OpenPGP keys: {names}",
            hint="give the signer's OpenPGP public key with --key FILE",
        )
    raise SignatureError(f"{what} is not good under {names}: wrong, expired, revoked or weak")


def _maker(status: dict[str, list[str]]) -> str | None:
    """Return the fingerprint in VALIDSIG if that is all there is, over bytes, by a good hash."""
    valid = status.get("VALIDSIG", [])
    if len(valid) != 1 or len(status.get("GOODSIG", [])) != 1 or _BAD & set(status):
        return None
    fields = valid[0].split()
    if len(fields) < 9 or fields[7] not in _HASHES or fields[8] != "00":
        return None
    return fields[0].lower()


class _Ring:
    """A key ring of its own in a private folder."""

    def __init__(self, program: str, folder: Path, now: datetime) -> None:
        self._folder = folder
        time = f"{now:%Y%m%dT%H%M%S}"
        self._command = [program, "--homedir", str(folder), "--batch", "--no-tty", "--no-options"]
        self._command += ["--no-autostart", "--no-auto-key-retrieve", "--trust-model", "always"]
        self._command += ["--faked-system-time", time, "--with-colons"]
        self._environment = child_environment({}, ENVIRONMENT)

    def _run(self, *arguments: str) -> str:
        done = run(
            [*self._command, *arguments],
            env=self._environment,
            timeout=_SECONDS,
            max_output=MAX_SIZE * 4,
            cwd=self._folder,
        )
        return done.stdout.decode("utf-8", "replace")

    def add(self, key: GpgKey) -> frozenset[str]:
        """Put a public key into the ring; return the fingerprints of its strong enough keys."""
        path = self._folder / "key.asc"
        path.write_bytes(key.armoured)
        strong: set[str] = set()
        good = False
        listed = self._run("--import-options", "import-show", "--import", str(path))
        for line in listed.splitlines():
            fields = line.split(":")
            if fields[0] in {"pub", "sub"} and len(fields) > 3:
                bits = int(fields[2]) if fields[2].isdigit() else 0
                good = fields[3] in _STRONG_CURVES or (fields[3] == _RSA and bits >= _MIN_RSA_BITS)
            elif fields[0] == "fpr" and len(fields) > 9 and good:
                strong.add(fields[9].lower())
        return frozenset(strong)

    def verify(self, signature: bytes, data: bytes) -> dict[str, list[str]]:
        """Return what ``gpg`` says: keyword to the rest of each of its lines."""
        (self._folder / "signature.asc").write_bytes(signature)
        (self._folder / "data").write_bytes(data)
        paths = (str(self._folder / "signature.asc"), str(self._folder / "data"))
        said: dict[str, list[str]] = {}
        for line in self._run("--status-fd", "1", "--verify", *paths).splitlines():
            if line.startswith("[GNUPG:] "):
                keyword, _, rest = line.removeprefix("[GNUPG:] ").partition(" ")
                said.setdefault(keyword, []).append(rest)
        return said
