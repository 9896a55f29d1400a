from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ocm_pkg.errors import (
    AlreadyExistsError,
    FileMissingError,
    InvalidDocumentError,
    LocalStorageError,
    UntrustedError,
    UsageError,
)
from ocm_pkg.signing import keys
from ocm_pkg.signing.rsa import PSS, sign_digest

VECTORS = Path(__file__).parents[2] / "vectors/keys"
PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8


def private_pem(key, password: bytes | None = None) -> bytes:
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(PEM, PKCS8, encryption)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def test_a_new_key_signs_and_its_public_file_is_the_same_key(tmp_path) -> None:
    pair = keys.generate_key(tmp_path / "a/keys", "release", bits=2048)
    private = keys.load_private_key(pair.private_path)
    public = keys.load_public_key(pair.public_path)
    assert private.fingerprint == public.fingerprint == pair.fingerprint
    assert private.warnings == ()
    assert {path.name for path in (tmp_path / "a/keys").iterdir()} == {
        "release.private.pem",
        "release.public.pem",
    }


def test_the_fingerprint_is_sha256_of_the_subject_public_key_info() -> None:
    # openssl pkey -pubin -in test-key-a.public.pem -outform DER | sha256sum
    found = keys.load_public_key(VECTORS / "test-key-a.public.pem").fingerprint
    assert found == "sha256:a67404669738488f3b02045f394f13396f0709e659b79c968e4fa531a8425271"


def test_every_form_of_one_key_has_one_fingerprint() -> None:
    names = ("public.pem", "public.pkcs1.pem")
    found = {keys.load_public_key(VECTORS / f"test-key-a.{name}").fingerprint for name in names}
    for name in ("private.pem", "private.pkcs1.pem"):
        found.add(keys.load_private_key(VECTORS / f"test-key-a.{name}").fingerprint)
    assert len(found) == 1


def test_a_certificate_gives_its_key() -> None:
    public = keys.load_public_key(VECTORS / "test-leaf.cert.pem")
    assert (
        public.fingerprint == keys.load_private_key(VECTORS / "test-leaf.private.pem").fingerprint
    )
    assert public.name.startswith("CN=TEST Leaf Signer")


def test_S06_a_private_key_is_written_0600_from_its_first_byte(tmp_path) -> None:
    modes: set[int] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for path in tmp_path.iterdir():
                try:
                    if b"PRIVATE" in path.read_bytes():
                        modes.add(stat.S_IMODE(path.stat().st_mode))
                except OSError:
                    continue
            time.sleep(0)

    watcher = threading.Thread(target=watch)
    before = os.umask(0)
    try:
        watcher.start()
        pair = keys.generate_key(tmp_path, bits=2048)
    finally:
        os.umask(before)
        done.set()
        watcher.join()
    assert modes <= {0o600}
    assert stat.S_IMODE(pair.private_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(pair.public_path.stat().st_mode) == 0o644


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_S06_a_private_key_that_others_can_use_gives_a_warning(tmp_path, mode) -> None:
    pair = keys.generate_key(tmp_path, bits=2048)
    pair.private_path.chmod(mode)
    (warning,) = keys.load_private_key(pair.private_path).warnings
    assert f"{mode:04o}" in warning
    assert "chmod 600" in warning
    pair.private_path.chmod(0o400)
    assert keys.load_private_key(pair.private_path).warnings == ()


@pytest.mark.parametrize("suffix", [".private.pem", ".public.pem"])
def test_a_key_is_never_overwritten(tmp_path, suffix) -> None:
    there = tmp_path / f"default{suffix}"
    there.write_text("mine")
    with pytest.raises(AlreadyExistsError, match=suffix):
        keys.generate_key(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [there.name]
    assert there.read_text() == "mine"


def test_a_key_never_goes_through_a_link(tmp_path) -> None:
    outside = tmp_path / "outside"
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "default.private.pem").symlink_to(outside)
    with pytest.raises(AlreadyExistsError):
        keys.generate_key(folder, bits=2048)
    assert not outside.exists()


def test_a_key_that_appears_meanwhile_is_kept_and_nothing_is_left(tmp_path, monkeypatch) -> None:
    real = rsa.generate_private_key

    def slow(**options):
        (tmp_path / "default.public.pem").write_text("mine")
        return real(**options)

    monkeypatch.setattr(keys.rsa, "generate_private_key", slow)
    with pytest.raises(AlreadyExistsError):
        keys.generate_key(tmp_path, bits=2048)
    assert [path.name for path in tmp_path.iterdir()] == ["default.public.pem"]
    assert (tmp_path / "default.public.pem").read_text() == "mine"


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", "-x", "a\nb", "x" * 101, ".hidden"])
def test_a_name_that_is_no_plain_file_name_is_refused(tmp_path, name) -> None:
    with pytest.raises(UsageError, match="not a name"):
        keys.generate_key(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed(tmp_path) -> None:
    left = tmp_path / ".ocm-pkg-tmp.999999999.0123456789abcdef"
    left.write_text("-----BEGIN PRIVATE KEY-----")
    keys.generate_key(tmp_path, bits=2048)
    assert not left.exists()


def test_a_file_with_more_than_the_private_key_is_refused(tmp_path) -> None:
    path = tmp_path / "k.pem"
    both = ("test-key-a.private.pem", "test-key-a.public.pem")
    path.write_text("".join((VECTORS / name).read_text() for name in both))
    with pytest.raises(UsageError, match="nothing else"):
        keys.load_private_key(path)


def test_stored_keys_are_listed_by_name_from_their_public_files(tmp_path) -> None:
    made = [keys.generate_key(tmp_path, name, bits=2048) for name in ("b", "a")]
    made[0].private_path.unlink()
    found = keys.stored_keys(tmp_path)
    assert [(one.name, one.has_private, one.bits) for one in found] == [
        ("a", True, 2048),
        ("b", False, 2048),
    ]
    assert found[0].fingerprint == made[1].fingerprint
    assert keys.stored_keys(tmp_path / "none") == ()


def test_a_missing_key_is_named(tmp_path) -> None:
    with pytest.raises(FileMissingError, match=r"none\.public\.pem"):
        keys.stored_key(tmp_path, "none")


def test_S05_an_encrypted_key_needs_its_password(tmp_path, key) -> None:
    path = tmp_path / "k.pem"
    path.write_bytes(private_pem(key, b"s3cret-phrase"))
    with pytest.raises(UsageError, match="is encrypted") as missing:
        keys.load_private_key(path)
    assert "--password-file" in str(missing.value.hint)
    with pytest.raises(UsageError, match="wrong password") as wrong:
        keys.load_private_key(path, b"other-phrase")
    assert "phrase" not in repr(wrong.value) + repr(wrong.value.__cause__)
    assert keys.load_private_key(path, b"s3cret-phrase").fingerprint.startswith("sha256:")


def test_S05_a_public_key_is_no_private_one_and_the_other_way_round() -> None:
    with pytest.raises(UsageError, match="signing needs a private key"):
        keys.load_private_key(VECTORS / "test-key-a.public.pem")
    with pytest.raises(UsageError, match="signing needs a private key"):
        keys.load_private_key(VECTORS / "test-leaf.cert.pem")
    with pytest.raises(UsageError, match="needs only the public one"):
        keys.load_public_key(VECTORS / "test-key-a.private.pem")


def test_S05_a_weak_key_is_refused_for_signing_and_for_trust(tmp_path) -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505
    path = tmp_path / "weak.pem"
    path.write_bytes(private_pem(weak))
    with pytest.raises(UntrustedError, match="1024 bits"):
        keys.load_private_key(path)
    path.write_bytes(keys.public_pem(weak.public_key()))
    with pytest.raises(UntrustedError, match="1024 bits"):
        keys.load_public_key(path)
    low = rsa.generate_private_key(3, 2048)
    path.write_bytes(keys.public_pem(low.public_key()))
    with pytest.raises(UntrustedError, match="exponent 3"):
        keys.load_public_key(path)


def test_a_key_of_another_kind_is_refused(tmp_path) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "k.pem"
    path.write_bytes(private_pem(curve))
    with pytest.raises(UsageError, match="not an RSA key"):
        keys.load_private_key(path)
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    path.write_bytes(curve.public_key().public_bytes(PEM, public))
    with pytest.raises(UsageError, match="not an RSA key"):
        keys.load_public_key(path)


def test_S01_a_changed_public_key_is_another_key_or_none(tmp_path) -> None:
    original = (VECTORS / "test-key-a.public.pem").read_bytes()
    good = keys.load_public_key(VECTORS / "test-key-a.public.pem").fingerprint
    path = tmp_path / "k.pem"
    accepted = 0
    for index in range(0, len(original), 3):
        changed = bytearray(original)
        changed[index] ^= 1
        path.write_bytes(changed)
        try:
            assert keys.load_public_key(path).fingerprint != good
            accepted += 1
        except (UsageError, UntrustedError, InvalidDocumentError):
            continue
    assert accepted < len(original)


def test_a_private_key_that_is_not_consistent_is_refused(tmp_path, key) -> None:
    lines = private_pem(key).decode().splitlines()
    lines[5], lines[6] = lines[6], lines[5]
    path = tmp_path / "k.pem"
    path.write_text("\n".join(lines))
    with pytest.raises(InvalidDocumentError, match="not a valid private key"):
        keys.load_private_key(path)


def test_files_that_are_no_keys_are_refused(tmp_path) -> None:
    path = tmp_path / "k.pem"
    for content in (b"", b"\xff\xfe\x00", b"\x30\x82", b"x" * 300_000):
        path.write_bytes(content)
        for load in (keys.load_private_key, keys.load_public_key, keys.load_certificates):
            with pytest.raises(InvalidDocumentError):
                load(path)
    with pytest.raises(FileMissingError):
        keys.load_private_key(tmp_path / "none.pem")
    with pytest.raises((UsageError, LocalStorageError)):
        keys.load_public_key(tmp_path)


def test_a_key_is_not_shown_by_repr(tmp_path) -> None:
    pair = keys.generate_key(tmp_path, bits=2048)
    loaded = keys.load_private_key(pair.private_path)
    assert "RSAPrivateKey" not in repr(loaded)


def test_B08_the_private_numbers_are_checked_once_however_often_it_signs(
    tmp_path, monkeypatch
) -> None:
    from ocm_pkg.model.digest import digest_of

    pair = keys.generate_key(tmp_path, bits=2048)
    loads = []
    real = serialization.load_pem_private_key
    monkeypatch.setattr(
        keys.serialization,
        "load_pem_private_key",
        lambda *arguments: loads.append(1) or real(*arguments),
    )
    loaded = keys.load_private_key(pair.private_path)
    for _ in range(5):
        sign_digest(loaded.key, digest_of(b"x"), PSS)
    keys.load_public_key(pair.public_path)
    assert len(loads) == 1
