"""Verify content that is kept elsewhere: fetched by the digest that was signed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import (
    AuthenticationError,
    DigestMismatchError,
    RegistryError,
    TransportError,
    UnreachableContentError,
)
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.digest import digest_of
from ocm_pkg.services.verify import FAILED, OK, SKIPPED, inspect
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import NAME, descriptor, resource
from tests.fakes.images import World, image, layer, spec
from tests.fakes.plugins_to_install import signed, trust

if TYPE_CHECKING:
    from ocm_pkg.model.descriptor import Resource
    from ocm_pkg.services.verify import Check, Verification

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EXCLUDED = {
    "hashAlgorithm": "NO-DIGEST",
    "normalisationAlgorithm": "EXCLUDE-FROM-SIGNATURE",
    "value": "NO-DIGEST",
}


@pytest.fixture
def world() -> World:
    return World()


def look(world: World | None, *resources: Resource, **options: Any) -> Verification:
    repository = ComponentRepository(MemoryStore())
    local = repository.put_blob(NAME, "1.0.0", resource("local"), BytesBlob(b"local"))
    repository.add(signed(descriptor(NAME, "1.0.0", [local, *resources])))
    external = options.pop("external", world.images if world else None)
    return inspect(
        repository=repository,
        descriptor=repository.get(NAME, "1.0.0"),
        trust=trust(),
        now=NOW,
        external=external,
        **options,
    )


def about_image(found: Verification) -> Check:
    [check] = [check for check in found.checks if check.check == "resource name=image"]
    return check


@pytest.mark.parametrize("sort", ["ociArtifactDigest/v1", "genericBlobDigest/v1"])
def test_an_image_is_fetched_and_compared(world: World, sort: str) -> None:
    found = look(world, image(digest=spec(world.top.digest, sort)))
    assert [check.result for check in found.checks] == [OK] * 3
    assert "registry.example/acme/app:1.0.0" in found.checks[-1].detail
    assert str(world.top.digest) in found.checks[-1].detail


def test_it_is_fetched_by_its_digest_wherever_the_tag_went(world: World) -> None:
    before = world.top
    world.image(b"newer", "1.0.0")
    assert look(world, image(digest=spec(before.digest))).result == OK


def test_another_image_fails(world: World) -> None:
    found = look(world, image(digest=spec(digest_of(b"another"))))
    assert (found.result, found.checks[-1].result) == (FAILED, FAILED)
    assert isinstance(found.error, DigestMismatchError)
    assert "resource name=image" in str(found.error)


def test_a_part_that_was_exchanged_fails(world: World) -> None:
    class Changed:
        def fetch(self, resource: Resource) -> Any:
            good = world.images.fetch(resource)
            parts = [
                (name, BytesBlob(b"evil!") if blob.size == 5 else blob)
                for name, blob in good._files  # type: ignore[attr-defined]
            ]
            return type(good)(parts, good.media_type)  # type: ignore[call-arg]

    found = look(None, image(digest=spec(world.top.digest)), external=Changed())
    assert found.result == FAILED
    assert found.error is not None
    assert found.error.exit_code == 4


def test_a_single_blob_is_compared_too(world: World) -> None:
    good = spec(digest_of(b"layer"), "genericBlobDigest/v1")
    assert look(world, layer(digest=good)).result == OK
    bad = spec(digest_of(b"other"), "genericBlobDigest/v1")
    assert isinstance(look(world, layer(digest=bad)).error, DigestMismatchError)


@pytest.mark.parametrize(
    "error",
    [
        TransportError("no route"),
        AuthenticationError("no login"),
        RegistryError("500", status=500),
        UnreachableContentError("gone"),
    ],
)
def test_what_cannot_be_reached_is_no_success_but_may_be_skipped(
    world: World, error: Exception
) -> None:
    class Gone:
        def fetch(self, _resource: Resource) -> Any:
            raise error

    one = image(digest=spec(world.top.digest))
    found = look(None, one, external=Gone())
    assert isinstance(found.error, UnreachableContentError)
    assert found.error.exit_code == 5
    assert "--skip-external" in str(found.error.hint)
    assert found.error.__cause__ is error
    skipped = look(None, one, external=Gone(), skip_external=True)
    assert (skipped.result, about_image(skipped).result) == (OK, SKIPPED)


def test_nothing_is_fetched_unless_the_signature_is_good_and_content_was_asked_for(
    world: World,
) -> None:
    one = image(digest=spec(world.top.digest))
    assert look(world, one, level="signature").result == OK
    assert look(world, one, skip_external=True).result == OK
    assert look(world, one, names=["nobody"]).result == FAILED
    assert world.opened == []


def test_what_is_excluded_from_the_signature_is_skipped_and_says_so(world: World) -> None:
    found = look(world, image(digest=EXCLUDED))
    assert (found.result, about_image(found).result) == (OK, SKIPPED)
    assert "excluded" in about_image(found).detail


def test_an_error_of_any_sort_says_which_resource_it_is_about(world: World) -> None:
    class Strange:
        def fetch(self, _resource: Resource) -> Any:
            raise DigestMismatchError("it is bad", hint="h", at="a", detail=["d"])

    error = look(None, image(digest=spec(world.top.digest)), external=Strange()).error
    assert error is not None
    assert (error.message, error.hint, error.at, error.detail) == (
        "resource name=image: it is bad",
        "h",
        "a",
        ("d",),
    )


def test_a_registry_error_of_local_content_says_which_resource_it_is_about() -> None:
    class Broken(ComponentRepository):
        def blob(self, *_arguments: Any) -> Any:
            raise RegistryError("no", status=503, registry_code="DOWN")

    repository = Broken(MemoryStore())
    local = repository.put_blob(NAME, "1.0.0", resource("local"), BytesBlob(b"local"))
    repository.add(signed(descriptor(NAME, "1.0.0", [local])))
    found = inspect(
        repository=repository, descriptor=repository.get(NAME, "1.0.0"), trust=trust(), now=NOW
    )
    assert isinstance(found.error, RegistryError)
    assert (found.error.message, found.error.status) == ("resource name=local: no", 503)
