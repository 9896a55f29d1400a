"""Content that is kept elsewhere, copied by value: what was signed stays as it was signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import (
    AlreadyExistsError,
    DigestMismatchError,
    StoreError,
    UnreachableContentError,
)
from ocm_pkg.fs.blob import BytesBlob, read_all, verify
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.published import component_digest
from ocm_pkg.services.transfer import transfer
from ocm_pkg.store import media
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import NAME, descriptor, resource
from tests.fakes.images import World, image, layer, spec
from tests.fakes.outcome import outcome
from tests.fakes.plugins_to_install import signed, trust
from tests.fakes.repository import FakeRepository

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource
    from ocm_pkg.model.published import Published


@pytest.fixture
def world() -> World:
    return World()


def memory() -> ComponentRepository:
    return ComponentRepository(MemoryStore())


def offered(source: ComponentRepository, *resources: Resource) -> ComponentDescriptor:
    """Store a signed component version with a local resource and ``resources``."""
    local = source.put_blob(NAME, "1.0.0", resource("local"), BytesBlob(b"local"))
    made = signed(descriptor(NAME, "1.0.0", [local, *resources]))
    source.add(made)
    return made


def copy(source: Any, destination: Any, **arguments: Any) -> Published:
    ends = {"source": source, "destination": destination, "repository": "dst"}
    (done,) = transfer(NAME, "1.0.0", **ends, **arguments)
    return done


@pytest.mark.parametrize("sort", ["ociArtifactDigest/v1", "genericBlobDigest/v1", ""])
@pytest.mark.parametrize("where", ["memory", "folder"])
def test_an_image_is_stored_part_by_part_and_its_signed_digest_stays(
    world: World, tmp_path: Path, sort: str, where: str
) -> None:
    source = memory()
    folder = CTFStore(tmp_path / "ctf", create=True)
    destination = ComponentRepository(MemoryStore() if where == "memory" else folder)
    digest = {"digest": spec(world.top.digest, sort)} if sort else {}
    before = offered(source, image(**digest))
    done = copy(source, destination, external=world.images)
    assert [(blob.digest, blob.state) for blob in done.blobs] == [
        (digest_of(b"local"), "written"),
        (world.top.digest, "written"),
    ]
    after = destination.get(NAME, "1.0.0")
    assert component_digest(after) == component_digest(before)
    assert trust().check(after, now=None)  # type: ignore[arg-type]
    element = after.component.resources[1]
    assert element.access.is_local_blob
    assert element.access.local_reference == world.top.digest
    assert (element.access.media_type, element.access.reference_name) == (
        media.OCI_MANIFEST,
        "acme/app:1.0.0",
    )
    assert element.digest == before.component.resources[1].digest
    assert destination.artifact(after, element) == world.top.digest
    verify(destination.blob(after, element))
    if sort:
        world.opened.clear()
        assert not copy(source, destination, external=world.images).written
        assert not copy(source, destination).written
        assert world.opened == []


def test_an_index_of_images_is_stored_with_all_of_them(world: World) -> None:
    inner = [world.top.to_json(), world.image(b"other").to_json()]
    value = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": inner}
    top = world.manifest(value, media.OCI_INDEX, "all")
    source, destination = memory(), memory()
    offered(source, image("registry.example/acme/app:all", digest=spec(top.digest)))
    copy(source, destination, external=world.images)
    after = destination.get(NAME, "1.0.0")
    assert destination.artifact(after, after.component.resources[1]) == top.digest
    assert verify(destination.blob(after, after.component.resources[1]))[1] > 0


def test_a_single_blob_of_a_registry_is_stored_as_one(world: World) -> None:
    source, destination = memory(), memory()
    stated = spec(digest_of(b"layer"), "genericBlobDigest/v1")
    offered(source, layer(digest=stated))
    copy(source, destination, external=world.images)
    after = destination.get(NAME, "1.0.0")
    assert read_all(destination.blob(after, after.component.resources[1]), 100, "it") == b"layer"


def test_without_being_asked_the_access_stays(world: World) -> None:
    source, destination = memory(), memory()
    before = offered(source, image(digest=spec(world.top.digest)))
    copy(source, destination)
    assert destination.get(NAME, "1.0.0").encoded == before.encoded or (
        destination.get(NAME, "1.0.0") == before
    )
    assert copy(source, destination, external=world.images).written
    after = destination.get(NAME, "1.0.0")
    assert after.component.resources[1].access.is_local_blob


def test_a_copy_that_is_there_stays_when_a_signature_is_added(world: World) -> None:
    source, destination = memory(), memory()
    made = offered(source, image(digest=spec(world.top.digest)))
    copy(source, destination, external=world.images)
    more = signed(made, name="another")
    source.add(more, replace=True)
    world.opened.clear()
    assert copy(source, destination).written
    after = destination.get(NAME, "1.0.0")
    assert [one.name for one in after.signatures] == ["default", "another"]
    assert destination.artifact(after, after.component.resources[1]) == world.top.digest
    assert world.opened == []


@pytest.mark.parametrize("digest", [digest_of(b"another"), None])
def test_what_cannot_be_fetched_as_it_was_signed_is_found_before_anything_is_written(
    world: World, digest: Any
) -> None:
    source, destination = memory(), memory()
    reference = "registry.example/acme/app:1.0.0" if digest else "registry.example/acme/gone:1.0.0"
    offered(source, image(reference, digest=spec(digest or world.top.digest)))
    error = outcome(copy, source, destination, external=world.images)
    assert isinstance(error, DigestMismatchError if digest else UnreachableContentError)
    assert destination.store.repositories() == []  # type: ignore[attr-defined]
    assert destination.store.exists(f"component-descriptors/{NAME}", digest_of(b"local")) is None


class Lying:
    """Fetches another image than it should, and doesn't say digests."""

    def __init__(self, world: World) -> None:
        self.images = world.images
        self.other = image(f"registry.example/acme/app@{world.image(b'other').digest}")

    def fetch(self, _resource: Resource) -> Any:
        return self.images.fetch(self.other)


def test_another_image_than_the_signed_one_is_refused(world: World) -> None:
    source, destination = memory(), memory()
    offered(source, image(digest=spec(world.top.digest)))
    with pytest.raises(DigestMismatchError, match="was signed as"):
        copy(source, destination, external=Lying(world))
    assert destination.versions(NAME) == []


def test_a_part_that_is_not_what_its_manifest_says_is_refused(world: World) -> None:
    source, destination = memory(), memory()
    offered(source, image(digest=spec(world.top.digest)))
    blobs = world.store._blobs
    key = next(key for key, data in blobs.items() if data == b"layer")
    blobs[key] = b"evil!"
    error = outcome(copy, source, destination, external=world.images)
    assert isinstance(error, DigestMismatchError)
    assert destination.versions(NAME) == []


def test_access_of_a_sort_that_nobody_can_fetch_is_refused_and_nothing_written(
    world: World,
) -> None:
    source, destination = memory(), memory()
    strange = image().model_copy(
        update={"access": type(image().access).model_validate({"type": "helm/v1", "x": 1})}
    )
    offered(source, strange)
    with pytest.raises(UnreachableContentError, match="helm"):
        copy(source, destination, external=world.images)
    assert destination.versions(NAME) == []


def test_a_repository_that_is_no_store_gets_the_layout(world: World) -> None:
    source, destination = memory(), FakeRepository()
    offered(source, image(digest=spec(world.top.digest)))
    copy(source, destination, external=world.images)
    after = destination.get(NAME, "1.0.0")
    element = after.component.resources[1]
    assert element.access.media_type == "application/vnd.ocm.software.oci.layout.v1+tar"
    assert component_digest(after) == component_digest(source.get(NAME, "1.0.0"))


def test_other_content_is_a_conflict_also_if_it_was_copied(world: World) -> None:
    source, other, destination = memory(), memory(), memory()
    offered(source, image(digest=spec(world.top.digest)))
    changed = world.image(b"other", "2.0.0")
    offered(other, image("registry.example/acme/app:2.0.0", digest=spec(changed.digest)))
    copy(source, destination, external=world.images)
    for external in (None, world.images):
        error = outcome(copy, other, destination, external=external)
        assert isinstance(error, AlreadyExistsError)
        assert any("resources[name=image].digest.value" in line for line in error.detail)


def test_an_unreachable_registry_is_its_own_error(world: World) -> None:
    class Gone:
        def fetch(self, _resource: Resource) -> Any:
            raise StoreError("no route")

    source, destination = memory(), memory()
    offered(source, image(digest=spec(world.top.digest)))
    with pytest.raises(StoreError, match="no route"):
        copy(source, destination, external=Gone())
    assert destination.versions(NAME) == []
