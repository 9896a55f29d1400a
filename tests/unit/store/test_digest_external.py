from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import DigestMismatchError, InvalidDocumentError, UnreachableContentError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store.digester import digest_external, digest_resource
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import descriptor
from tests.fakes.images import World, image, layer, resource, spec
from tests.fakes.outcome import outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocm_pkg.model.descriptor import Resource
    from ocm_pkg.ports import Blob
    from ocm_pkg.store.images import Images


@pytest.fixture
def world() -> World:
    return World()


def digested(world: World, one: Resource, external: Images | None = None) -> Any:
    made = descriptor(resources=[one])
    repository = ComponentRepository(MemoryStore())
    external = external or world.images
    return outcome(digest_resource, repository, made, one, external=external)


def test_the_digest_of_an_external_artifact_is_completed_and_its_access_kept(world: World) -> None:
    done = digested(world, image())
    assert done.digest.to_json() == spec(world.top.digest)
    assert done.access == image().access
    assert digested(world, done) == done
    done = digested(world, layer())
    assert done.digest.to_json() == spec(digest_of(b"layer"), "genericBlobDigest/v1")


def test_a_wrong_digest_of_external_content_is_found(world: World) -> None:
    for wrong in (
        image(digest=spec(digest_of(b"wrong"))),
        image(digest=spec(digest_of(b"wrong", "sha512"))),
        layer(digest=spec(digest_of(b"wrong"), "genericBlobDigest/v1")),
        layer(digest=spec(digest_of(b"wrong", "sha512"), "genericBlobDigest/v1")),
    ):
        assert isinstance(digested(world, wrong), DigestMismatchError)
    odd = layer(digest=spec(digest_of(b"layer"), "ociArtifactDigest/v1"))
    assert isinstance(digested(world, odd), InvalidDocumentError)
    right = layer(digest=spec(digest_of(b"layer", "sha512"), "genericBlobDigest/v1"))
    assert digested(world, right) == right


def test_without_a_way_out_external_content_stays_unreachable(world: World) -> None:
    made = descriptor(resources=[image()])
    error = outcome(digest_resource, ComponentRepository(MemoryStore()), made, image())
    assert isinstance(error, UnreachableContentError)
    wget = resource(access={"type": "wget", "url": "x"})
    assert isinstance(digested(world, wget), UnreachableContentError)
    assert not world.opened


def test_any_other_repository_of_resources_is_read_to_the_manifest(world: World) -> None:
    class Plain:
        def __init__(self, fetch: Callable[[Resource], Blob]) -> None:
            self.fetch = fetch

        def store(self, resource: Resource, blob: Blob) -> Resource:
            raise AssertionError((resource, blob))

    plain = Plain(lambda _resource: world.images.fetch(image()))
    done = digest_external(plain, image())
    assert done.digest is not None
    assert done.digest.value == world.top.digest.hex
    wrong = image(digest=spec(digest_of(b"wrong")))
    assert isinstance(outcome(digest_external, plain, wrong), DigestMismatchError)
