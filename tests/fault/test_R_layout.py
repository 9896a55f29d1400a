"""R42: OCI layouts written from manifests that somebody else wrote; and their honest twins."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from tests.fakes import rawctf
from tests.fakes.arena import NAME, REF
from tests.fakes.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.store.base import OCIDescriptor
    from tests.fakes.arena import Arena
    from tests.fakes.served import Served

LAYER = b"the layer"
TAR = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
DOWNLOAD = ("download", "resource", REF, "--identity", "name=image", "--output", "out.tar")
EVIL = [
    "sha256:../../../x",
    "sha256:../../../outside/precious",
    "../../x:" + "0" * 64,
    "..:" + "0" * 64,
    "sha256:" + "0" * 58 + "/../..",
    "/etc/passwd:" + "0" * 64,
    "sha256:" + "F" * 64,
    "sha256:",
    "",
    7,
]


@pytest.fixture
def registry() -> Iterator[Served]:
    with served() as running:
        yield running


def push(registry: Served, data: bytes, media_type: str) -> dict[str, Any]:
    return registry.store.push("acme/app", BytesBlob(data), media_type).to_json()


def tagged(registry: Served, value: Any, kind: str = media.OCI_MANIFEST) -> OCIDescriptor:
    top = registry.store.push("acme/app", BytesBlob(json.dumps(value).encode()), kind)
    registry.store.tag("acme/app", top, "1.0.0")
    return top


def manifest(registry: Served, **changed: Any) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": push(registry, b"{}", CONFIG),
        "layers": [push(registry, LAYER, TAR)],
        **changed,
    }


def refer(arena: Arena, registry: Served, top: OCIDescriptor | None = None) -> None:
    """Store a component version with the image by reference; with its digest if ``top`` is it."""
    one: dict[str, Any] = {
        "name": "image",
        "version": "1.0.0",
        "type": "ociImage",
        "relation": "external",
        "access": {"type": "ociArtifact", "imageReference": f"{registry.url}/acme/app:1.0.0"},
    }
    if top is not None:
        one["digest"] = {
            "hashAlgorithm": "SHA-256",
            "normalisationAlgorithm": "ociArtifactDigest/v1",
            "value": top.digest.hex,
        }
    arena.stored(rawctf.descriptor(NAME, resources=[one]))


def test_R42_twin_an_honest_image_becomes_a_layout(arena: Arena, registry: Served) -> None:
    top = tagged(registry, manifest(registry))
    refer(arena, registry, top)
    arena.accepted(*DOWNLOAD)
    with tarfile.open(arena.work / "out.tar") as tar:
        names = tar.getnames()
        layer = tar.extractfile(f"blobs/sha256/{digest_of(LAYER).hex}")
        assert layer is not None
        assert layer.read() == LAYER
    assert names[:2] == ["oci-layout", "index.json"]
    assert all(name.startswith("blobs/sha256/") for name in names[2:])


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("member", ["config", "layers", "manifests"])
def test_R42_digests_that_are_paths(
    arena: Arena, registry: Served, member: str, signed: bool
) -> None:
    for digest in EVIL:
        entry = {"mediaType": TAR, "digest": digest, "size": len(LAYER)}
        value = entry if member == "config" else [entry]
        if member == "manifests":
            kind = media.OCI_INDEX
            index = {"schemaVersion": 2, "mediaType": kind, "manifests": value}
            top = tagged(registry, index, kind)
        else:
            top = tagged(registry, manifest(registry, **{member: value}))
        refer(arena, registry, top if signed else None)
        arena.refused(*DOWNLOAD, code=2)
    arena.refused(*DOWNLOAD[:-1], arena.outside / "evil.tar", code=2)


def test_R42_a_single_blob_whose_digest_is_a_path(arena: Arena, registry: Served) -> None:
    push(registry, LAYER, TAR)
    one = {"name": "image", "version": "1.0.0", "type": "blob", "relation": "external"}
    for digest in (*EVIL, str(digest_of(LAYER))):
        access = {"type": "ociBlob", "ref": f"{registry.url}/acme/app", "digest": digest}
        access["size"] = len(LAYER)
        arena.stored(rawctf.descriptor(NAME, resources=[{**one, "access": access}]))
        if digest in EVIL:
            arena.refused(*DOWNLOAD, code=2)
    arena.accepted(*DOWNLOAD)
    assert (arena.work / "out.tar").read_bytes() == LAYER


def test_R42_an_image_that_was_exchanged(arena: Arena, registry: Served) -> None:
    top = tagged(registry, manifest(registry))
    refer(arena, registry, top)
    moved = tagged(registry, manifest(registry, annotations={"evil": "yes"}))
    arena.accepted(*DOWNLOAD)
    with tarfile.open(arena.work / "out.tar") as tar:
        assert f"blobs/sha256/{top.digest.hex}" in tar.getnames()
        assert f"blobs/sha256/{moved.digest.hex}" not in tar.getnames()
    registry.store.delete("acme/app", top.digest)  # type: ignore[attr-defined]
    arena.accepted("cache", "prune", "--all")
    arena.refused(*DOWNLOAD, code=4, says="E401")


def test_an_image_is_pinned_when_it_is_added(arena: Arena, registry: Served) -> None:
    top = tagged(registry, manifest(registry))
    reference = f"{registry.url}/acme/app:1.0.0"
    image = {"name": "image", "type": "ociImage", "version": "1.0.0"}
    access = {"type": "ociArtifact", "imageReference": reference}
    arena.constructor(resources=[{**image, "access": access}])
    arena.accepted("add", "cv")
    shown = arena.accepted("get", "cv", REF, "-o", "json").json[0]["component"]["resources"][0]
    assert shown["access"] == access
    assert shown["digest"] == {
        "hashAlgorithm": "SHA-256",
        "normalisationAlgorithm": "ociArtifactDigest/v1",
        "value": top.digest.hex,
    }
    registry.forget()
    arena.accepted("download", "resource", REF, "--identity", "name=image", "-O", "image.tar")
    with tarfile.open(arena.work / "image.tar") as tar:
        index = tar.extractfile("index.json")
        assert index is not None
        assert json.load(index)["manifests"][0]["digest"] == str(top.digest)
    registry.forget()
    replace = ("--component-version-conflict-policy", "replace")
    arena.accepted("add", "cv", *replace, "--skip-reference-digest-processing")
    assert registry.requests == []
    shown = arena.accepted("get", "cv", REF, "-o", "json").json[0]["component"]["resources"][0]
    assert "digest" not in shown


def test_an_image_that_cannot_be_reached_is_not_added_without_its_digest(
    arena: Arena, registry: Served
) -> None:
    image = {"name": "image", "type": "ociImage", "version": "1.0.0"}
    for where in ("http://127.0.0.1:1/acme/app:1.0.0", f"{registry.url}/acme/app:none"):
        access = {"type": "ociArtifact", "imageReference": where}
        arena.constructor(resources=[{**image, "access": access}])
        ended = arena.refused("add", "cv", code=5, says="E504")
        assert "component-constructor.yaml:1:" in ended.err
        assert "--skip-reference-digest-processing" in ended.err
        arena.refused("add", "cv", "--offline", code=5, says="--offline")
    digest = {
        "hashAlgorithm": "SHA-256",
        "normalisationAlgorithm": "ociArtifactDigest/v1",
        "value": "0" * 64,
    }
    arena.constructor(resources=[{**image, "access": access, "digest": digest}])
    registry.forget()
    arena.accepted("add", "cv", "--offline")
    assert registry.requests == []


def test_a_layout_is_read_as_it_was_written(arena: Arena, registry: Served) -> None:
    top = tagged(registry, manifest(registry))
    refer(arena, registry, top)
    arena.accepted(*DOWNLOAD)
    data = (arena.work / "out.tar").read_bytes()
    arena.constructor(
        resources=[
            {
                "name": "image",
                "version": "1.0.0",
                "type": "ociImage",
                "input": {"type": "file", "path": "out.tar"},
            }
        ]
    )
    arena.accepted("add", "cv", "-r", "other")
    arena.accepted("download", "resource", f"other//{NAME}", "--identity", "name=image")
    assert (arena.work / "image").read_bytes() == data
