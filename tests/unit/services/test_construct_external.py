from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import UnreachableContentError
from ocm_pkg.model.digest import digest_of
from tests.fakes.images import REF, World, spec
from tests.fakes.outcome import outcome
from tests.fakes.working_folder import Folder, component, resource

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = {"type": "ociArtifact", "imageReference": f"{REF}:1.0.0"}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def world() -> World:
    return World()


def made(folder: Folder, *resources: dict[str, Any], **arguments: Any) -> list[dict[str, Any]]:
    (one,) = folder.construct(component(*resources), **arguments)
    return list(one.descriptor.to_json()["component"]["resources"])


def test_an_image_gets_the_digest_of_its_manifest_and_keeps_its_access(
    folder: Folder, world: World
) -> None:
    access = {**IMAGE, "odd": {"x": 1}}
    (found,) = made(folder, resource(access=access), external=world.images)
    assert (found["access"], found["digest"]) == (access, spec(world.top.digest))


def test_a_blob_of_a_registry_gets_its_own_digest(folder: Folder, world: World) -> None:
    access = {"type": "ociBlob", "ref": REF, "digest": str(digest_of(b"layer")), "size": 5}
    (found,) = made(folder, resource(access=access), external=world.images)
    assert found["digest"] == spec(digest_of(b"layer"), "genericBlobDigest/v1")


def test_a_digest_that_is_given_is_taken_and_nothing_is_asked(folder: Folder, world: World) -> None:
    given = spec(digest_of(b"given"))
    (found,) = made(folder, resource(access=IMAGE, digest=given), external=world.images)
    assert (found["digest"], world.opened) == (given, [])


@pytest.mark.parametrize(
    "access",
    [{"type": "wget", "url": "https://x.example"}, {"type": "none"}, {"type": "odd/v9"}],
)
def test_other_accesses_get_no_digest(folder: Folder, world: World, access: dict[str, Any]) -> None:
    (found,) = made(folder, resource(access=access), external=world.images)
    assert "digest" not in found
    assert world.opened == []


def test_an_image_that_is_not_there_is_refused_where_it_is_named(
    folder: Folder, world: World
) -> None:
    def locate(path: Any) -> tuple[str, list[str]]:
        return f"c.yaml:{'/'.join(map(str, path))}", ["the line"]

    missing = {**IMAGE, "imageReference": f"{REF}:none"}
    error = outcome(made, folder, resource(access=missing), external=world.images, locate=locate)
    assert isinstance(error, UnreachableContentError)
    assert f"{REF}:none" in error.message
    assert str(error.at).endswith("/access")
    assert "--skip-reference-digest-processing" in str(error.hint)
