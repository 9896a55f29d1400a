from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import (
    AuthenticationError,
    DigestMismatchError,
    InvalidDocumentError,
    InvalidReferenceError,
    TransportError,
    UnreachableContentError,
)
from ocm_pkg.fs.blob import read_all
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.artifact import LAYOUT_TAR
from ocm_pkg.store.artifactset import manifest_of
from ocm_pkg.store.images import Images
from tests.fakes.images import HOST, LAYER, REF, World, files, image, layer, resource, spec
from tests.fakes.outcome import outcome

if TYPE_CHECKING:
    from ocm_pkg.store.base import OCIStore


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    "kind", ["ociArtifact", "ociArtifact/v1", "ociRegistry", "ociImage", "OCIImage/v1"]
)
def test_an_artifact_comes_as_the_tar_of_its_layout(world: World, kind: str) -> None:
    blob = world.images.fetch(image(kind=kind))
    assert blob.media_type == LAYOUT_TAR
    content = files(blob)
    assert json.loads(content["index.json"])["manifests"][0]["digest"] == str(world.top.digest)
    assert b"layer" in content.values()
    assert manifest_of(blob, "it") == world.top.digest
    assert world.opened == [HOST]


def test_references_name_a_tag_or_a_digest(world: World) -> None:
    other = world.image(b"other", "latest")
    for reference, top in (
        (f"{REF}:1.0.0", world.top),
        (f"{REF}@{world.top.digest}", world.top),
        (f"{REF}:gone@{world.top.digest}", world.top),
        (f"{REF}:latest@{world.top.digest}", world.top),
        (f"{REF}:latest", other),
        (REF, other),
    ):
        assert world.images.digest(image(reference)) == top.digest
        assert manifest_of(world.images.fetch(image(reference)), "it") == top.digest
    world.opened.clear()
    world.images.digest(image(f"http://{REF}:1.0.0"))
    assert world.opened == [f"http://{HOST}"]


@pytest.mark.parametrize("sort", ["ociArtifactDigest/v1", "genericBlobDigest/v1"])
def test_the_digest_of_the_descriptor_counts_and_not_what_the_tag_became(
    world: World, sort: str
) -> None:
    pinned = image(digest=spec(world.top.digest, sort))
    moved = world.image(b"moved", "1.0.0")
    assert world.images.digest(image()) == moved.digest
    assert world.images.digest(pinned) == world.top.digest
    assert manifest_of(world.images.fetch(pinned), "it") == world.top.digest


@pytest.mark.parametrize("sort", ["ociArtifactDigest/v1", "genericBlobDigest/v1"])
@pytest.mark.parametrize("reference", [f"{REF}:1.0.0", f"{REF}:1.0.0@%s"])
def test_other_content_than_the_descriptor_says_is_refused(
    world: World, sort: str, reference: str
) -> None:
    reference = reference.replace("%s", str(world.top.digest))
    wrong = image(reference, digest=spec(digest_of(b"wrong"), sort))
    for call in (world.images.fetch, world.images.digest):
        error = outcome(call, wrong)
        assert isinstance(error, DigestMismatchError)
        assert str(world.top.digest) in error.message


def test_a_digest_of_an_unknown_sort_is_refused_and_an_excluded_one_ignored(world: World) -> None:
    odd = image(digest=spec(world.top.digest, "oddDigest/v9"))
    assert isinstance(outcome(world.images.fetch, odd), InvalidDocumentError)
    excluded = {"hashAlgorithm": "NO-DIGEST", "normalisationAlgorithm": "x", "value": "NO-DIGEST"}
    assert world.images.digest(image(digest=excluded)) == world.top.digest


@pytest.mark.parametrize("reference", [f"{REF}:9.9.9", f"{REF}@sha256:{'0' * 64}", f"{HOST}/x:1"])
def test_what_is_not_there_is_unreachable_and_named(world: World, reference: str) -> None:
    for call in (world.images.fetch, world.images.digest):
        error = outcome(call, image(reference))
        assert isinstance(error, UnreachableContentError)
        assert reference in error.message
        assert error.hint


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TransportError("no answer", hint="try later"), UnreachableContentError),
        (AuthenticationError("who are you", hint="log in"), AuthenticationError),
    ],
)
def test_why_nothing_came_is_said(error: Exception, kind: type[Exception]) -> None:
    def fails(_base_url: str, _repository: str) -> OCIStore:
        raise error

    found = outcome(Images(fails).fetch, image())
    assert isinstance(found, kind)
    assert str(error) in found.message
    assert found.hint == error.hint  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "reference", ["", "registry.example/UPPER:1", f"{REF}:a/b", "a b", "x/../y", f"{REF}@md5:0"]
)
def test_a_reference_that_is_none_is_refused_before_anything_is_opened(
    world: World, reference: str
) -> None:
    error = outcome(world.images.fetch, image(reference))
    assert isinstance(error, InvalidReferenceError | InvalidDocumentError)
    assert not world.opened


@pytest.mark.parametrize(
    "access", [{"type": "wget", "url": "x"}, {"type": "none"}, {"type": "localBlob/v1"}]
)
def test_other_accesses_are_refused(world: World, access: dict[str, Any]) -> None:
    for call in (world.images.fetch, world.images.digest):
        assert isinstance(
            outcome(call, resource(access=access)), UnreachableContentError | InvalidDocumentError
        )
    assert not world.opened


def test_content_that_is_no_artifact_is_refused(world: World) -> None:
    world.manifest(b"<html>", media.OCI_MANIFEST, "html")
    world.manifest({"schemaVersion": 2}, "text/html", "page")
    for tag in ("html", "page"):
        for call in (world.images.fetch, world.images.digest):
            assert isinstance(outcome(call, image(f"{REF}:{tag}")), InvalidDocumentError)


EVIL = [
    "sha256:../../../x",
    "sha256:..",
    "..:" + "0" * 64,
    "../../x:" + "0" * 64,
    "sha256:" + "A" * 64,
    "sha256:" + "0" * 63,
    "sha256:" + "0" * 64 + "/../../x",
    "md5:" + "0" * 32,
    "sha256",
    "",
    None,
    5,
]


@pytest.mark.parametrize("digest", EVIL)
@pytest.mark.parametrize("member", ["config", "layers", "manifests"])
def test_R42_digests_that_are_paths_are_refused_before_there_is_a_stream(
    world: World, digest: Any, member: str
) -> None:
    entry = {"mediaType": LAYER, "digest": digest, "size": 1}
    kind = media.OCI_INDEX if member == "manifests" else media.OCI_MANIFEST
    value = {"schemaVersion": 2, member: entry if member == "config" else [entry]}
    world.manifest(value, kind, "evil")
    assert isinstance(outcome(world.images.fetch, image(f"{REF}:evil")), InvalidDocumentError)
    right = {**entry, "digest": str(digest_of(b"layer")), "size": 5}
    value[member] = right if member == "config" else [right]
    world.manifest(value, kind, "good")
    assert b"layer" in files(world.images.fetch(image(f"{REF}:good"))).values()


@pytest.mark.parametrize(
    "access",
    [
        {"type": "ociBlob/v1", "mediaType": "text/plain"},
        {"type": "OCIImageLayer/v1", "size": ...},
        {"type": "OCIImageLayer", "size": -1},
        {"ref": f"{REF}:1.0.0"},
        {"ref": f"http://{REF}"},
    ],
)
def test_a_single_blob_is_fetched_by_its_digest(world: World, access: dict[str, Any]) -> None:
    blob = world.images.fetch(layer(access=access))
    assert (blob.media_type, blob.size) == (access.get("mediaType", media.OCTET_STREAM), 5)
    assert read_all(blob, 100, "it") == b"layer"
    assert world.images.digest(layer(access=access)) == digest_of(b"layer")


@pytest.mark.parametrize(
    ("access", "kind"),
    [
        ({"digest": "sha256:../../x"}, InvalidDocumentError),
        ({"digest": ...}, InvalidDocumentError),
        ({"ref": ...}, InvalidDocumentError),
        ({"ref": 5}, InvalidDocumentError),
        ({"digest": f"sha256:{'0' * 64}"}, UnreachableContentError),
        ({"digest": f"sha256:{'0' * 64}", "size": ...}, UnreachableContentError),
    ],
)
def test_a_blob_that_cannot_be_found_is_refused(
    world: World, access: dict[str, Any], kind: type[Exception]
) -> None:
    assert isinstance(outcome(world.images.fetch, layer(access=access)), kind)


def test_a_blob_of_another_digest_than_the_descriptor_says_is_refused(world: World) -> None:
    wrong = layer(digest=spec(digest_of(b"wrong"), "genericBlobDigest/v1"))
    assert isinstance(outcome(world.images.fetch, wrong), DigestMismatchError)
    right = layer(digest=spec(digest_of(b"layer"), "genericBlobDigest/v1"))
    assert read_all(world.images.fetch(right), 100, "it") == b"layer"
