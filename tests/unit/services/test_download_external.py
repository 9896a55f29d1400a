from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import DigestMismatchError, IntegrityError, UnreachableContentError
from ocm_pkg.fs.blob import BytesBlob, FileBlob, copy_blob
from ocm_pkg.model.digest import digest_of
from ocm_pkg.services.download import download
from ocm_pkg.store.artifact import LAYOUT_TAR
from ocm_pkg.store.artifactset import manifest_of
from tests.fakes.components import NAME, descriptor
from tests.fakes.images import World, image, layer, spec
from tests.fakes.outcome import outcome
from tests.fakes.repository import FakeRepository

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.model.descriptor import Resource
    from ocm_pkg.ports import Blob


@pytest.fixture
def world() -> World:
    return World()


def get(world: World, output: Path, one: Resource, *, external: Any = ...) -> Any:
    repository = FakeRepository()
    repository.add(descriptor(resources=[one]))
    return outcome(
        download,
        NAME,
        "1.0.0",
        {"name": "image"},
        repository=repository,
        output=output,
        external=world.images if external is ... else external,
    )


@pytest.mark.parametrize("sort", [None, "ociArtifactDigest/v1", "genericBlobDigest/v1"])
def test_an_image_is_written_as_its_layout(world: World, tmp_path: Path, sort: str | None) -> None:
    stated = {"digest": spec(world.top.digest, sort)} if sort else {}
    done = get(world, tmp_path / "out", image(**stated))
    assert (done.media_type, done.size) == (LAYOUT_TAR, (tmp_path / "out").stat().st_size)
    assert manifest_of(FileBlob(tmp_path / "out"), "it") == world.top.digest


def test_a_blob_of_a_registry_is_written_as_it_is(world: World, tmp_path: Path) -> None:
    stated = spec(digest_of(b"layer", "sha512"), "genericBlobDigest/v1")
    for one in (layer(), layer(digest=stated)):
        done = get(world, tmp_path / "out", one)
        assert (done.path.read_bytes(), done.digest) == (b"layer", digest_of(b"layer"))


@pytest.mark.parametrize(
    "one",
    [
        image(digest=spec(digest_of(b"wrong"))),
        image(digest=spec(digest_of(b"wrong", "sha512"))),
        layer(digest=spec(digest_of(b"wrong"), "genericBlobDigest/v1")),
        layer(digest=spec(digest_of(b"wrong", "sha512"), "genericBlobDigest/v1")),
    ],
)
def test_other_content_than_stated_is_not_written(
    world: World, tmp_path: Path, one: Resource
) -> None:
    assert isinstance(get(world, tmp_path / "out", one), DigestMismatchError)
    assert list(tmp_path.iterdir()) == []


def test_without_a_way_out_it_is_unreachable(world: World, tmp_path: Path) -> None:
    for one in (image(), layer()):
        error = get(world, tmp_path / "out", one, external=None)
        assert isinstance(error, UnreachableContentError)
    assert isinstance(
        get(world, tmp_path / "out", image("registry.example/acme/app:none")),
        UnreachableContentError,
    )
    assert list(tmp_path.iterdir()) == []


class Elsewhere:
    """Gives the same bytes for every resource, and verifies nothing."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def fetch(self, _resource: Resource) -> Blob:
        return BytesBlob(self._data, LAYOUT_TAR)

    def store(self, resource: Resource, blob: Blob) -> Resource:
        raise AssertionError((resource, blob))


def test_what_others_fetched_is_verified_after_it_was_written(world: World, tmp_path: Path) -> None:
    data = io.BytesIO()
    copy_blob(world.images.fetch(image()), data)
    right, evil = data.getvalue(), data.getvalue().replace(b"layer", b"lAyer", 1)
    stated = image(digest=spec(world.top.digest))
    done = get(world, tmp_path / "out", stated, external=Elsewhere(right))
    assert done.path.read_bytes() == right
    done.path.unlink()
    for one, content in (
        (stated, evil),
        (stated, right[:2000]),
        (stated, b"no tar"),
        (image(digest=spec(digest_of(b"wrong"))), right),
    ):
        error = get(world, tmp_path / "out", one, external=Elsewhere(content))
        assert isinstance(error, IntegrityError)
    assert list(tmp_path.iterdir()) == []
