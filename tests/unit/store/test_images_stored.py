from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.errors import DigestMismatchError, IntegrityError, InvalidDocumentError
from ocm_pkg.fs.blob import BytesBlob, copy_blob
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from tests.fakes.images import REF, World, files, image, layer, spec
from tests.fakes.outcome import outcome

if TYPE_CHECKING:
    from ocm_pkg.store.base import OCIDescriptor


@pytest.fixture
def world() -> World:
    return World()


def nested(world: World) -> OCIDescriptor:
    """Store an index of two images that share a layer, and of an index of the second."""
    images = [world.image(b"shared"), world.image(b"own")]
    inner = world.manifest(
        {"schemaVersion": 2, "manifests": [images[1].to_json()]}, media.OCI_INDEX
    )
    entries = [one.to_json() for one in (inner, *images)]
    return world.manifest({"schemaVersion": 2, "manifests": entries}, media.OCI_INDEX, "nested")


def test_an_artifact_is_stored_parts_first_and_its_tag_last(world: World) -> None:
    top = nested(world)
    blob = world.images.fetch(image(f"{REF}:nested"))
    other = World()
    other.store.order.clear()
    stored = other.images.store(image(f"{REF}:copy"), blob)
    assert stored.access.image_reference == f"{REF}:copy@{top.digest}"
    assert stored.digest is not None
    assert (stored.digest.value, stored.digest.normalisation_algorithm) == (
        top.digest.hex,
        "ociArtifactDigest/v1",
    )
    assert other.store.order[-2:] == [str(top.digest), "copy"]
    assert files(other.images.fetch(stored)) == files(blob)


def test_an_artifact_is_stored_by_its_digest_alone(world: World) -> None:
    blob = world.images.fetch(image())
    other = World()
    other.store.order.clear()
    other.images.store(image(f"{REF}@{world.top.digest}"), blob)
    assert other.store.order[-1] == str(world.top.digest)
    other.images.store(image(REF), blob)
    assert other.store.order[-1] == "latest"


def test_content_that_is_not_what_it_should_be_is_not_stored(world: World) -> None:
    blob = world.images.fetch(image())
    broken = io.BytesIO()
    copy_blob(blob, broken)
    other = World()
    before = list(other.store.order)
    for target, content, kind in (
        (image(f"{REF}@sha256:{'0' * 64}"), blob, DigestMismatchError),
        (image(digest=spec(digest_of(b"wrong"))), blob, DigestMismatchError),
        (image(), BytesBlob(b"no tar"), IntegrityError),
        (image(), BytesBlob(broken.getvalue()[:-6000]), IntegrityError),
        (layer(), blob, InvalidDocumentError),
    ):
        assert isinstance(outcome(other.images.store, target, content), kind)
        assert other.store.order == before


def test_a_changed_layer_is_found_before_the_manifest_is_stored(world: World) -> None:
    data = io.BytesIO()
    copy_blob(world.images.fetch(image()), data)
    evil = BytesBlob(data.getvalue().replace(b"layer", b"lAyer", 1))
    other = World()
    other.store.order.clear()
    assert isinstance(outcome(other.images.store, image(f"{REF}:evil"), evil), IntegrityError)
    assert str(world.top.digest) not in other.store.order
    assert "evil" not in other.store.order
