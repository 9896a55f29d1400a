"""What signatures answer for: content, digests, component versions that are referred to."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import rawctf
from tests.fakes.arena import KEYS, MIB, NAME, REF

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.arena import Arena

PROGRAM = b'#!/bin/sh\necho \'{"type":{"Hello/v1":["generic"]}}\'\n'
EVIL = b"#!/bin/sh\ntouch /tmp/evil\n"
KEY = KEYS / "test-key-a.public.pem"
VERIFY: list[object] = ["verify", "cv", REF, "--key", KEY]
INSTALL: list[object] = ["plugin", "install", REF, "--platform", "linux/amd64", "--key", KEY]
DOWNLOAD: list[object] = ["download", "resource", REF, "--identity", "name=hello"]
BASE = "example.com/base"
EXTERNAL = {"type": "ociArtifact", "imageReference": "127.0.0.1:1/some/image:1.0.0"}
EXCLUDED = {
    "hashAlgorithm": "NO-DIGEST",
    "normalisationAlgorithm": "EXCLUDE-FROM-SIGNATURE",
    "value": "NO-DIGEST",
}


def plugin(text: bytes = PROGRAM, **members: Any) -> dict[str, Any]:
    return {
        "name": "hello",
        "type": "ocmPlugin",
        "extraIdentity": {"os": "linux", "architecture": "amd64"},
        "input": {"type": "utf8", "text": text.decode()},
        **members,
    }


def sign(arena: Arena, **members: Any) -> None:
    arena.signed(**{"resources": [plugin()], **members})


def resource_of(descriptor: dict[str, Any], index: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = descriptor["component"]["resources"][index]
    return found


def edit(arena: Arena, how: Callable[[dict[str, Any]], object], name: str = NAME) -> None:
    rawctf.change(arena.ctf, name, "1.0.0", how)


def checks(arena: Arena, *options: object, code: int = 0) -> dict[str, str]:
    """Verify; return what is said of each check."""
    ended = arena.run(*VERIFY, *options, "-o", "json")
    assert ended.code == code, ended
    return {check["check"]: check["result"] for check in ended.json["checks"]}


def test_S07_to_S20_twin_good_content_is_accepted(arena: Arena) -> None:
    sign(arena)
    assert set(checks(arena).values()) == {"ok"}
    assert arena.accepted(*INSTALL, "-o", "json").json["digest"] == rawctf.digest_of(PROGRAM)


@pytest.mark.parametrize("digest", [..., None, "empty", "excluded", "unknown"])
def test_S07_a_digest_that_is_removed(arena: Arena, digest: Any) -> None:
    sign(arena)

    def remove(descriptor: dict[str, Any]) -> None:
        one = resource_of(descriptor)
        if digest is ...:
            del one["digest"]
        elif digest is None:
            one["digest"] = None
        elif digest == "empty":
            one["digest"]["value"] = ""
        elif digest == "excluded":
            one["digest"] = EXCLUDED
        else:
            one["digest"]["normalisationAlgorithm"] = "someDigest/v1"

    edit(arena, remove)
    arena.refused(*VERIFY, code=4)
    arena.refused(*VERIFY, "--level", "signature", code=4)
    arena.refused(*INSTALL, code=4)


@pytest.mark.parametrize("digest", [EXCLUDED, {**EXCLUDED, "hashAlgorithm": "SHA-256"}])
def test_S07_what_was_signed_without_a_digest_is_not_installed(
    arena: Arena, digest: dict[str, str]
) -> None:
    one = rawctf.resource("hello", PROGRAM, digest=digest)
    one["extraIdentity"] = {"os": "linux", "architecture": "amd64"}
    value = rawctf.descriptor(NAME, resources=[one])
    rawctf.store(arena.ctf, NAME, "1.0.0", value, [PROGRAM])
    arena.accepted("sign", "cv", REF, "--key", arena.key("test-key-a.private.pem"))
    [result] = [result for check, result in checks(arena).items() if "hello" in check]
    assert result == "skipped"
    arena.refused(*INSTALL, code=4)


def test_S07_content_swapped_together_with_layer_and_access(arena: Arena) -> None:
    sign(arena)
    rawctf.swap(arena.ctf, NAME, "1.0.0", PROGRAM, EVIL)
    assert checks(arena, "--level", "signature") == {"signature default": "ok"}
    arena.refused(*VERIFY, code=4, says="E401")
    arena.refused(*INSTALL, code=4, says="E401")
    arena.refused(*DOWNLOAD, code=4, says="E401")


@pytest.mark.parametrize("content", [EVIL, b"", PROGRAM + b"\n", PROGRAM[:-1]])
def test_S07_content_swapped_under_its_digest(arena: Arena, content: bytes) -> None:
    sign(arena)
    path = rawctf.path_of(arena.ctf, rawctf.digest_of(PROGRAM))
    path.chmod(0o644)
    path.write_bytes(content)
    for command in (VERIFY, INSTALL, DOWNLOAD):
        arena.refused(*command, code=4, says="E401")


def test_S07_an_access_that_says_it_has_no_content(arena: Arena) -> None:
    sign(arena)
    edit(arena, lambda one: resource_of(one).update(access={"type": "none"}))
    arena.refused(*VERIFY, code=4)
    arena.refused(*INSTALL, code=4)


def test_S08_the_descriptor_of_one_version_with_the_content_of_another(arena: Arena) -> None:
    sign(arena, resources=[plugin(EVIL)])
    sign(arena, version="2.0.0")
    newer = rawctf.read(arena.ctf, NAME, "2.0.0")
    older = rawctf.read(arena.ctf, NAME, "1.0.0")
    ref: list[object] = [f"ctf//{NAME}:2.0.0", "--key", KEY]
    arena.accepted("verify", "cv", *ref)

    mixed = json.loads(json.dumps(newer))
    resource_of(mixed)["access"] = resource_of(older)["access"]
    rawctf.store(arena.ctf, NAME, "2.0.0", mixed, [EVIL])
    arena.refused("verify", "cv", *ref, code=4)
    arena.refused("plugin", "install", *ref, "--platform", "linux/amd64", code=4)

    resource_of(mixed)["digest"] = resource_of(older)["digest"]
    rawctf.store(arena.ctf, NAME, "2.0.0", mixed, [EVIL])
    arena.refused("verify", "cv", *ref, code=4)

    rawctf.store(arena.ctf, NAME, "2.0.0", {**newer, "signatures": older["signatures"]}, [PROGRAM])
    arena.refused("verify", "cv", *ref, code=4)

    rawctf.store(arena.ctf, NAME, "2.0.0", older, [EVIL])
    arena.refused("verify", "cv", *ref, code=4)
    arena.refused("plugin", "install", *ref, "--platform", "linux/amd64", code=4)


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.update(signatures=one["signatures"] * 33),
        lambda one: one["signatures"][0]["signature"].update(value="ab" * 600_000),
        lambda one: one["signatures"][0].update(name="a" * 3_000_000),
        lambda one: one["signatures"][0]["digest"].update(value="ab" * 1_000_000),
        lambda one: one.update(
            signatures=[{**one["signatures"][0], "name": f"s{number}"} for number in range(33)]
        ),
        lambda one: one.update(nestedDigests=[{"name": NAME, "version": "1"}] * 300_000),
    ],
)
def test_S17_signatures_and_digests_that_are_huge_or_many(
    arena: Arena, change: Callable[[dict[str, Any]], object]
) -> None:
    sign(arena)
    edit(arena, change)
    ended = arena.refused(*VERIFY, code={2, 4}, memory=128 * MIB)
    assert len(ended.all) < 20_000


@pytest.mark.parametrize("count", [33, 5000])
def test_S17_a_pem_signature_with_many_certificates(arena: Arena, count: int) -> None:
    sign(arena)
    chain = (KEYS / "test-leaf.chain.pem").read_text()

    def repeat(descriptor: dict[str, Any]) -> None:
        spec = descriptor["signatures"][0]["signature"]
        spec["mediaType"] = "application/x-pem-file"
        head = "-----BEGIN SIGNATURE-----\nAAAA\n-----END SIGNATURE-----\n"
        spec["value"] = (head + chain * count)[: 3 * MIB]

    edit(arena, repeat)
    root = KEYS / "test-root-ca.cert.pem"
    arena.refused("verify", "cv", REF, "--ca", root, code=4, memory=128 * MIB)


def referring(arena: Arena) -> None:
    """Sign a component version that refers to another one, which has content."""
    sign(arena, name=BASE, resources=[plugin(b"base")])
    reference = {"name": "base", "componentName": BASE, "version": "1.0.0"}
    sign(arena, componentReferences=[reference])


def test_S20_twin_the_walk_goes_down_to_the_content_of_every_component(arena: Arena) -> None:
    referring(arena)
    found = checks(arena)
    assert set(found.values()) == {"ok"}
    assert any(check.startswith(f"{BASE}:1.0.0 resource") for check in found)


@pytest.mark.parametrize("level", ["member", "digest", "signed again", "digest removed"])
def test_S20_a_component_that_was_changed_below_an_intact_signature(
    arena: Arena, level: str
) -> None:
    referring(arena)
    if level == "member":
        edit(arena, lambda one: one["component"].update(provider="evil.example"), BASE)
    elif level == "digest":
        edit(arena, lambda one: resource_of(one)["digest"].update(value="0" * 64), BASE)
    elif level == "digest removed":
        edit(arena, lambda one: resource_of(one).pop("digest"), BASE)
    else:
        sign(arena, name=BASE, resources=[plugin(EVIL)])
    arena.refused(*VERIFY, code=4, says=BASE)
    arena.refused("transfer", "cv", REF, "other", "--recursive", code=4, says=BASE)


def test_S20_content_swapped_in_a_component_below(arena: Arena) -> None:
    referring(arena)
    rawctf.swap(arena.ctf, BASE, "1.0.0", b"base", b"evil")
    arena.refused(*VERIFY, code=4, says=BASE)


@pytest.mark.parametrize("member", ["digest", "value"])
def test_S20_a_reference_whose_digest_is_removed(arena: Arena, member: str) -> None:
    referring(arena)

    def remove(descriptor: dict[str, Any]) -> None:
        [reference] = descriptor["component"]["componentReferences"]
        if member == "digest":
            del reference["digest"]
        else:
            reference["digest"]["value"] = ""

    edit(arena, remove)
    arena.refused(*VERIFY, code=4)


def test_S20_a_component_below_that_is_missing(arena: Arena) -> None:
    referring(arena)
    index = arena.ctf / "artifact-index.json"
    entries = json.loads(index.read_text())["artifacts"]
    kept = [one for one in entries if BASE not in one["repository"]]
    index.write_text(json.dumps({"schemaVersion": 1, "artifacts": kept}))
    arena.refused(*VERIFY, code=5, says="--skip-external")
    found = checks(arena, "--skip-external")
    assert found["reference name=base"] == "skipped"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"component": {', '"component": {}, "component": {'),
        ('"provider": "', '"provider": "evil.example", "provider": "'),
        ('"signatures": [', '"signatures": [], "signatures": ['),
        ('"signing": true', '"signing": true, "signing": false'),
    ],
)
def test_S01_a_key_twice_in_a_signed_descriptor(arena: Arena, old: str, new: str) -> None:
    sign(arena, labels=[{"name": "note", "value": "x", "signing": True}])
    text = json.dumps(rawctf.read(arena.ctf, NAME, "1.0.0"))
    assert old in text
    rawctf.replace(arena.ctf, NAME, "1.0.0", text.replace(old, new, 1).encode())
    for command in (VERIFY, INSTALL, DOWNLOAD):
        arena.refused(*command, code=2, says="twice")


@pytest.mark.parametrize("tail", ["{}", "\n---\n{}", "\0", "]", "x"])
def test_S01_something_after_a_signed_descriptor(arena: Arena, tail: str) -> None:
    sign(arena)
    text = json.dumps(rawctf.read(arena.ctf, NAME, "1.0.0"))
    rawctf.replace(arena.ctf, NAME, "1.0.0", (text + tail).encode())
    for command in (VERIFY, INSTALL, DOWNLOAD):
        arena.refused(*command, code=2)
    rawctf.replace(arena.ctf, NAME, "1.0.0", (text + "\n ").encode())
    arena.accepted(*VERIFY)


def test_content_outside_is_5_unless_it_is_skipped_and_shown(arena: Arena) -> None:
    digest = {
        "hashAlgorithm": "SHA-256",
        "normalisationAlgorithm": "ociArtifactDigest/v1",
        "value": "0" * 64,
    }
    image = {"name": "image", "type": "ociImage", "version": "1.0.0", "access": EXTERNAL}
    sign(arena, resources=[plugin(), {**image, "digest": digest}])
    arena.refused(*VERIFY, code=5, says="E504")
    found = checks(arena, "--skip-external")
    assert found["resource name=image"] == "skipped"
    assert [found[check] for check in found if "name=hello" in check] == ["ok"]
    arena.accepted(*VERIFY, "--level", "signature")
    rawctf.swap(arena.ctf, NAME, "1.0.0", PROGRAM, EVIL)
    arena.refused(*VERIFY, code=4)
    arena.refused(*VERIFY, "--skip-external", code=4)


def sign_with_digest(arena: Arena, sort: str, name: str, content: bytes) -> None:
    """Store PROGRAM with the digest of ``content``, and sign that."""
    algorithm = name.replace("SHA-", "sha")
    value = hashlib.new(algorithm, content).hexdigest()
    spec = {"hashAlgorithm": name, "normalisationAlgorithm": sort, "value": value}
    one = rawctf.resource("hello", PROGRAM, digest=spec)
    one["extraIdentity"] = {"os": "linux", "architecture": "amd64"}
    rawctf.store(arena.ctf, NAME, "1.0.0", rawctf.descriptor(NAME, resources=[one]), [PROGRAM])
    key = arena.key("test-key-a.private.pem")
    arena.accepted("sign", "cv", REF, "--key", key, "--hash", name)


@pytest.mark.parametrize("name", ["SHA-256", "SHA-512"])
def test_digests_of_each_hash_are_compared_with_the_bytes(arena: Arena, name: str) -> None:
    sign_with_digest(arena, "genericBlobDigest/v1", name, PROGRAM)
    assert set(checks(arena).values()) == {"ok"}
    sign_with_digest(arena, "genericBlobDigest/v1", name, EVIL)
    arena.refused(*VERIFY, code=4, says="E401")


def test_an_artifact_digest_is_that_of_a_manifest_and_never_of_other_bytes(arena: Arena) -> None:
    sign_with_digest(arena, "ociArtifactDigest/v1", "SHA-256", PROGRAM)
    arena.refused(*VERIFY, code=4)
