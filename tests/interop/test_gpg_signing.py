"""OpenPGP signatures that this project makes, with keys that ``gpg`` made for the test."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ocm_pkg.errors import SignatureError, UntrustedError, UsageError
from ocm_pkg.services.sign import sign
from ocm_pkg.signing import gpg
from ocm_pkg.signing.form import Request
from ocm_pkg.signing.gpgsign import load_signing_key
from ocm_pkg.signing.trust import TrustPolicy
from tests.fakes.signing import NAME, VERSION, new_repository, stored

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="needs gpg")

PASSWORD = b"s3cret phrase"


class Maker:
    """Makes keys in a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Path(tempfile.mkdtemp(prefix="gpg.", dir="/tmp"))

    def gpg(self, *arguments: object, password: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", self.home, "--batch", "--no-tty", "--yes", "--armor"]
        command += ["--pinentry-mode", "loopback", "--passphrase-fd", "0", *map(str, arguments)]
        return subprocess.run(command, input=password, check=True, capture_output=True).stdout

    def make(self, name: str, password: bytes = b"", expires: str = "never") -> tuple[Path, Path]:
        """Return the files of the secret and the public key."""
        self.gpg("--quick-gen-key", name, "ed25519", "sign", expires, password=password)
        return self.files(name, password)

    def files(self, name: str, password: bytes = b"") -> tuple[Path, Path]:
        secret, public = (self.folder / f"{name}.{half}.asc" for half in ("secret", "public"))
        secret.write_bytes(self.gpg("--export-secret-keys", name, password=password))
        secret.chmod(0o600)
        public.write_bytes(self.gpg("--export", name))
        return secret, public

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=True)
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    maker = Maker(tmp_path_factory.mktemp("keys"))
    yield maker
    maker.close()


def now() -> datetime:
    return datetime.now(UTC)


def sign_with(secret: Path, password: bytes | None = None, **wanted):
    repository = new_repository()
    key = load_signing_key(secret, password)
    assert key is not None
    descriptor = stored(repository)
    request = Request(**wanted)
    done = sign(repository=repository, descriptor=descriptor, key=key, now=now(), request=request)
    return done, repository.get(NAME, VERSION)


def test_a_signature_is_good_with_its_key_and_no_other(maker, tmp_path, monkeypatch) -> None:
    secret, public = maker.make("plain")
    _other, other = maker.make("other")
    deep = tmp_path / ("d" * 60)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    done, descriptor = sign_with(secret)
    assert list(deep.iterdir()) == []
    assert done.form.algorithm == "GPG"
    assert done.form.normalisation == "jsonNormalisation/v4alpha1"
    assert "v1 does not know OpenPGP signatures" in done.form.notes
    assert done.signature.signature.media_type == gpg.MEDIA_TYPE
    (signer,) = TrustPolicy.from_files([public]).check(descriptor, now=now())
    key = load_signing_key(secret)
    assert signer.fingerprint == key.fingerprint
    assert key.warnings == ()
    with pytest.raises(UntrustedError, match="none of the trusted"):
        TrustPolicy.from_files([other]).check(descriptor, now=now())


def test_a_password_is_needed_where_there_is_one_and_is_never_shown(maker) -> None:
    secret, public = maker.make("protected", PASSWORD)
    _done, descriptor = sign_with(secret, PASSWORD)
    assert TrustPolicy.from_files([public]).check(descriptor, now=now())
    for wrong in (None, b"another"):
        with pytest.raises(UsageError, match="cannot be unlocked"):
            sign_with(secret, wrong)
    assert PASSWORD.decode() not in repr(load_signing_key(secret, PASSWORD))


def test_a_subkey_signs_where_there_is_one(maker) -> None:
    maker.make("family")
    listed = maker.gpg("--with-colons", "--list-keys", "family").decode().splitlines()
    primary = next(line.split(":")[9] for line in listed if line.startswith("fpr"))
    maker.gpg("--quick-add-key", primary, "ed25519", "sign", "never")
    secret, public = maker.files("family")
    done, descriptor = sign_with(secret)
    assert done.form.algorithm == "GPG"
    (signer,) = TrustPolicy.from_files([public]).check(descriptor, now=now())
    assert signer.fingerprint == load_signing_key(secret).fingerprint
    assert signer.fingerprint != f"openpgp:{primary.lower()}"


def test_files_that_are_no_single_secret_key_are_refused(maker, tmp_path) -> None:
    secret, public = maker.make("single")
    second, _public = maker.make("second")
    with pytest.raises(UsageError, match="signing needs the secret one"):
        load_signing_key(public)
    with pytest.raises(UsageError, match="verifying needs only the public one"):
        TrustPolicy.from_files([secret])
    both = tmp_path / "both.asc"
    both.write_bytes(secret.read_bytes() + second.read_bytes())
    with pytest.raises(UsageError, match="one OpenPGP secret key"):
        load_signing_key(both)
    broken = tmp_path / "broken.asc"
    broken.write_bytes(secret.read_bytes()[:120])
    with pytest.raises(UsageError, match="one OpenPGP secret key"):
        load_signing_key(broken)
    pem = tmp_path / "key.pem"
    pem.write_text("-----BEGIN PRIVATE KEY-----\n")
    assert load_signing_key(pem) is None


def test_a_key_that_cannot_sign_is_refused(maker) -> None:
    maker.gpg("--quick-gen-key", "revoked", "ed25519", "cert", "never")
    secret, _public = maker.files("revoked")
    with pytest.raises(UntrustedError, match="no key that signs"):
        load_signing_key(secret)


def test_the_clock_before_the_key_was_made_gives_no_signature(maker) -> None:
    secret, _public = maker.make("early")
    repository = new_repository()
    with pytest.raises((SignatureError, UsageError)):
        sign(
            repository=repository,
            descriptor=stored(repository),
            key=load_signing_key(secret),
            now=datetime(2001, 1, 1, tzinfo=UTC),
            request=Request(),
        )
    assert not repository.get(NAME, VERSION).signatures


def test_a_missing_gpg_is_said(maker, monkeypatch) -> None:
    secret, _public = maker.make("lonely")
    monkeypatch.setattr(gpg.shutil, "which", lambda *_names, **_options: None)
    with pytest.raises(UsageError, match="needs gpg"):
        load_signing_key(secret)
