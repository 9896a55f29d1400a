"""Signatures that are wrong, missing, weak, of another sort or by another key; through commands."""

from __future__ import annotations

import copy
import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from tests.fakes import rawctf
from tests.fakes.arena import KEYS, NAME, REF
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.arena import Arena

PROGRAM = '#!/bin/sh\necho \'{"type":{"Hello/v1":["generic"]}}\'\n'
KEY_A, KEY_B = KEYS / "test-key-a.public.pem", KEYS / "test-key-b.public.pem"
VERIFY: list[object] = ["verify", "cv", REF, "--key", KEY_A]
INSTALL: list[object] = ["plugin", "install", REF, "--platform", "linux/amd64", "--key", KEY_A]


def sign(arena: Arena, **members: Any) -> None:
    identity = {"os": "linux", "architecture": "amd64"}
    one = {"name": "hello", "type": "ocmPlugin", "input": {"type": "utf8", "text": PROGRAM}}
    arena.signed(resources=[{**one, "extraIdentity": identity}], **members)


def edit(arena: Arena, how: Callable[[dict[str, Any]], object]) -> None:
    rawctf.change(arena.ctf, NAME, "1.0.0", how)


def signature(descriptor: dict[str, Any]) -> dict[str, Any]:
    [found] = descriptor["signatures"]
    value: dict[str, Any] = found
    return value


def both_refuse(arena: Arena, *, codes: set[int], says: str = "") -> None:
    """``verify cv`` and ``plugin install`` both refuse, at the level of the signature alone too."""
    arena.refused(*VERIFY, code=codes, says=says)
    arena.refused(*VERIFY, "--level", "signature", code=codes, says=says)
    arena.refused(*INSTALL, code=codes, says=says)


def covered(descriptor: Any) -> Any:
    """Return the part of a descriptor that its signature answers for, and the signature."""
    value = copy.deepcopy(descriptor["component"])
    value.pop("repositoryContexts")
    for one in value["resources"]:
        del one["access"]
    return value, descriptor["signatures"][0]["signature"]["value"]


def test_S01_to_S06_twin_a_good_signature_is_accepted_and_installed(arena: Arena) -> None:
    sign(arena)
    arena.accepted(*VERIFY)
    assert arena.accepted(*INSTALL, "-o", "json").json["signature"]["name"] == "default"


def test_S01_any_byte_of_the_stored_descriptor(arena: Arena) -> None:
    sign(arena)
    value = rawctf.read(arena.ctf, NAME, "1.0.0")
    data = json.dumps(value).encode()
    refused = 0
    for index in range(len(data)):
        changed = bytearray(data)
        changed[index] ^= 1
        rawctf.replace(arena.ctf, NAME, "1.0.0", bytes(changed))
        ended = arena.run(*VERIFY)
        arena.clean(ended)
        if ended.code == 0:
            assert covered(json.loads(bytes(changed))) == covered(value), bytes(changed)
        else:
            assert ended.code in {2, 4, 5}, ended
            refused += 1
    assert refused > len(data) * 0.8


def test_S01_any_byte_of_any_blob_as_it_lies(arena: Arena) -> None:
    sign(arena)
    index = json.loads((arena.ctf / "artifact-index.json").read_text())
    [top] = [one for one in index["artifacts"] if one.get("tag")]
    manifest = json.loads(rawctf.path_of(arena.ctf, top["digest"]).read_bytes())
    for entry in [top, manifest["config"], *manifest["layers"]]:
        path = rawctf.path_of(arena.ctf, entry["digest"])
        data = path.read_bytes()
        path.chmod(0o644)
        for position in range(0, len(data), 5):
            changed = bytearray(data)
            changed[position] ^= 1 << position % 8
            path.write_bytes(changed)
            assert arena.run(*VERIFY).code in {2, 4}, (path, position)
        arena.refused(*VERIFY, code={2, 4})
        arena.refused(*INSTALL, code={2, 4})
        path.write_bytes(data)
    arena.accepted(*VERIFY)


def test_S01_any_byte_of_the_public_key(arena: Arena) -> None:
    sign(arena)
    data = KEY_A.read_bytes()
    key = arena.work / "changed.pem"
    command = ["verify", "cv", REF, "--key", key, "--level", "signature"]
    for index in range(len(data)):
        changed = bytearray(data)
        changed[index] ^= 1
        key.write_bytes(changed)
        ended = arena.run(*command)
        same = bytes(changed).split() == data.split()
        assert ended.code in ({0, 2} if same else {2, 4}), (index, ended)
        arena.clean(ended)


@pytest.mark.parametrize("signatures", [[], None, ...])
def test_S02_no_signature_at_all(arena: Arena, signatures: Any) -> None:
    sign(arena)

    def strip(descriptor: dict[str, Any]) -> None:
        descriptor["signatures"] = signatures
        if signatures is ...:
            del descriptor["signatures"]

    edit(arena, strip)
    both_refuse(arena, codes={4}, says="not signed")
    arena.accepted(*INSTALL, "--allow-unsigned")


def test_S02_another_name_than_the_one_asked_for(arena: Arena) -> None:
    sign(arena)
    arena.refused(*VERIFY, "--signature", "release", code=4, says="'release'")
    arena.accepted(*VERIFY, "--signature", "default")


@pytest.mark.parametrize("value", ["", "00", "0", "zz", None, 1, [], "0x00", "00" * 256, "é" * 256])
def test_S02_an_empty_or_odd_value(arena: Arena, value: Any) -> None:
    sign(arena)
    edit(arena, lambda one: signature(one)["signature"].update(value=value))
    both_refuse(arena, codes={2, 4})


def test_S02_a_key_that_is_not_trusted_whatever_the_name_of_the_signature(arena: Arena) -> None:
    sign(arena, key="test-key-b")
    both_refuse(arena, codes={4}, says="E402")
    arena.refused("verify", "cv", REF, code=4, says="--key")
    arena.refused(*INSTALL[:-2], code=4, says="--key")
    arena.refused(*INSTALL, "--allow-unsigned", code=4)
    arena.accepted("verify", "cv", REF, "--key", KEY_B)


def two_signatures(arena: Arena) -> None:
    sign(arena)
    private = arena.key("test-key-b.private.pem")
    arena.accepted("sign", "cv", REF, "--key", private, "--signature", "second")


def test_S03_one_good_and_one_bad(arena: Arena) -> None:
    two_signatures(arena)
    both_refuse(arena, codes={4}, says="'second'")
    arena.accepted(*VERIFY, "--signature", "default")
    arena.accepted(*VERIFY, "--key", KEY_B)
    arena.refused(*VERIFY, "--signature", "default", "--signature", "second", code=4)


def test_S03_two_with_one_name(arena: Arena) -> None:
    two_signatures(arena)
    edit(arena, lambda one: one["signatures"][1].update(name="default"))
    arena.refused(*VERIFY, "--key", KEY_B, code={2, 4}, says="same name")
    edit(arena, lambda one: one.update(signatures=[one["signatures"][0]] * 2))
    arena.refused(*VERIFY, code={2, 4}, says="same name")


@pytest.mark.parametrize(
    ("where", "members"),
    [
        ("signature", {"algorithm": "none"}),
        ("signature", {"algorithm": "RSASSA-PSS"}),
        ("signature", {"algorithm": "HS256"}),
        ("signature", {"algorithm": "GPG"}),
        ("signature", {"algorithm": "Sigstore/v1alpha1"}),
        ("signature", {"mediaType": "application/vnd.ocm.signature.rsa.pss"}),
        ("signature", {"mediaType": "application/x-pem-file"}),
        ("signature", {"mediaType": "text/plain"}),
        (
            "signature",
            {"algorithm": "RSASSA-PSS", "mediaType": "application/vnd.ocm.signature.rsa.pss"},
        ),
        ("digest", {"hashAlgorithm": "SHA-1"}),
        ("digest", {"hashAlgorithm": "MD5"}),
        ("digest", {"hashAlgorithm": "SHA-512"}),
        ("digest", {"hashAlgorithm": "NO-DIGEST"}),
        ("digest", {"hashAlgorithm": ""}),
        ("digest", {"normalisationAlgorithm": "jsonNormalisation/v9"}),
        ("digest", {"normalisationAlgorithm": "jsonNormalisation/v1"}),
        ("digest", {"normalisationAlgorithm": "EXCLUDE-FROM-SIGNATURE"}),
        ("digest", {"value": "0" * 64}),
        ("digest", {"value": ""}),
    ],
)
def test_S04_another_algorithm_than_the_one_that_was_used(
    arena: Arena, where: str, members: dict[str, str]
) -> None:
    sign(arena)
    edit(arena, lambda one: signature(one)[where].update(members))
    both_refuse(arena, codes={2, 4})


@pytest.mark.parametrize(
    ("algorithm", "media_type", "scheme", "code"),
    [
        ("RSASSA-PSS", "rsa.pss", padding.PSS(padding.MGF1(hashes.SHA256()), 0), 0),
        ("RSASSA-PSS", "rsa.pss", padding.PSS(padding.MGF1(hashes.SHA256()), 17), 0),
        ("RSASSA-PSS", "rsa.pss", padding.PSS(padding.MGF1(hashes.SHA1()), 20), 4),  # noqa: S303
        ("RSASSA-PSS", "rsa.pss", padding.PKCS1v15(), 4),
        ("RSASSA-PKCS1-V1_5", "rsa", padding.PSS(padding.MGF1(hashes.SHA256()), 32), 4),
        ("RSASSA-PKCS1-V1_5", "rsa", padding.PKCS1v15(), 0),
    ],
)
def test_S04_paddings_and_salts(
    arena: Arena, algorithm: str, media_type: str, scheme: Any, code: int
) -> None:
    sign(arena)
    private: Any = serialization.load_pem_private_key(
        (KEYS / "test-key-a.private.pem").read_bytes(), None
    )

    def forge(descriptor: dict[str, Any]) -> None:
        entry = signature(descriptor)
        digest = bytes.fromhex(entry["digest"]["value"])
        value = private.sign(digest, scheme, utils.Prehashed(hashes.SHA256()))
        entry["signature"] = {
            "algorithm": algorithm,
            "mediaType": f"application/vnd.ocm.signature.{media_type}",
            "value": value.hex(),
        }

    edit(arena, forge)
    if code:
        both_refuse(arena, codes={code})
    else:
        arena.accepted(*VERIFY)


@pytest.mark.parametrize("spelling", ["upper", "space", "newline", "prefix"])
def test_S04_a_signature_has_one_spelling(arena: Arena, spelling: str) -> None:
    sign(arena)

    def respell(descriptor: dict[str, Any]) -> None:
        spec = signature(descriptor)["signature"]
        value = spec["value"]
        spec["value"] = {
            "upper": value.upper(),
            "space": f" {value}",
            "newline": f"{value}\n",
            "prefix": f"0x{value}",
        }[spelling]

    edit(arena, respell)
    both_refuse(arena, codes={4})


def public_pem(key: Any) -> bytes:
    pem, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    data: bytes = key.public_bytes(pem, form)
    return data


def private_pem(key: Any, password: bytes = b"") -> bytes:
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    data: bytes = key.private_bytes(pem, form, encryption)
    return data


def weak(kind: str) -> Any:
    if kind == "RSA 1024":
        return rsa.generate_private_key(65537, 1024)  # noqa: S505
    if kind == "exponent 3":
        return rsa.generate_private_key(3, 2048)
    return ec.generate_private_key(ec.SECP256R1()) if kind == "EC" else _ed25519()


def _ed25519() -> Any:
    return ed25519.Ed25519PrivateKey.generate()


@pytest.mark.parametrize(
    ("kind", "says"),
    [("RSA 1024", "1024"), ("exponent 3", "exponent"), ("EC", "RSA"), ("Ed25519", "RSA")],
)
def test_S05_weak_keys_and_other_kinds_of_keys(arena: Arena, kind: str, says: str) -> None:
    sign(arena)
    key = weak(kind)
    arena.file("weak.private.pem", private_pem(key)).chmod(0o600)
    arena.file("weak.public.pem", public_pem(key.public_key()))
    new = ["sign", "cv", REF, "--signature", "new", "--key", "weak.private.pem"]
    arena.refused(*new, code={2, 4}, says=says)
    arena.refused("verify", "cv", REF, "--key", "weak.public.pem", code={2, 4}, says=says)


def test_S05_an_exponent_of_one_and_a_modulus_that_is_even(arena: Arena) -> None:
    sign(arena)
    real: Any = serialization.load_pem_public_key(KEY_A.read_bytes())
    der = real.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert der.endswith(b"\x02\x03\x01\x00\x01")
    for changed in (
        der[:-3] + b"\x00\x00\x01",
        der[:-3] + b"\x00\x00\x00",
        der[:-6] + b"\x00" + der[-5:],
    ):
        arena.file("changed.der", changed)
        arena.refused("verify", "cv", REF, "--key", "changed.der", code={2, 4})


def test_S05_a_public_key_for_a_private_one_and_a_password_that_is_missing(arena: Arena) -> None:
    sign(arena)
    new: list[object] = ["sign", "cv", REF, "--signature", "new", "--key"]
    arena.refused(*new, KEY_A, says="public")
    arena.refused("verify", "cv", REF, "--key", KEYS / "test-key-a.private.pem", says="private")
    key = rsa.generate_private_key(65537, 2048)
    arena.file("locked.pem", private_pem(key, b"s3cret-of-the-test")).chmod(0o600)
    arena.file("wrong", "s3cret-of-the-test-not").chmod(0o600)
    arena.file("right", "s3cret-of-the-test").chmod(0o600)
    arena.refused(*new, "locked.pem", says="--password-file")
    arena.refused(*new, "locked.pem", "--password-file", "wrong", code={2, 4})
    arena.accepted(*new, "locked.pem", "--password-file", "right")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_S06_a_private_key_that_others_can_use_is_warned_of(arena: Arena, mode: int) -> None:
    sign(arena)
    arena.key("test-key-a.private.pem").chmod(mode)
    command = ["sign", "cv", REF, "--signature", "new", "--key", "test-key-a.private.pem"]
    ended = arena.accepted(*command)
    assert "chmod 600" in ended.err
    arena.clean(ended)


@pytest.mark.parametrize("mask", ["000", "022", "777"])
def test_S06_a_new_private_key_is_0600_whatever_the_mask(arena: Arena, mask: str) -> None:
    import os

    old = os.umask(int(mask, 8))
    try:
        ended = arena.run("key", "new", "release", "--out", arena.work)
    finally:
        os.umask(old)
    arena.clean(ended)
    assert ended.code == 0, ended
    assert stat.S_IMODE((arena.work / "release.private.pem").stat().st_mode) == 0o600
    before = snapshot(arena.work)
    arena.refused("key", "new", "release", "--out", arena.work, code=8)
    assert snapshot(arena.work) == before
