from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.errors import AlreadyExistsError, DigestMismatchError, InvalidDocumentError
from ocm_pkg.fs.blob import BytesBlob, FileBlob
from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.published import component_digest
from ocm_pkg.services.publish import publish
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.plugins_to_install import COMPONENT, LINUX_AMD64, descriptor, resource, signed
from tests.fakes.repository import FakeRepository

if TYPE_CHECKING:
    from ocm_pkg.model.published import Published
    from ocm_pkg.services.publish import Policy
    from ocm_pkg.store.copying import Contents


def made(text: bytes, version: str = "1.0.0") -> tuple[ComponentDescriptor, Contents]:
    one = descriptor(version, [resource(text, LINUX_AMD64)])
    return one, {("resources", 0): BytesBlob(text, "application/octet-stream")}


@pytest.fixture
def repository() -> ComponentRepository:
    return ComponentRepository(MemoryStore())


def put(
    repository: ComponentRepository | FakeRepository,
    text: bytes = b"one",
    policy: Policy = "abort-and-fail",
) -> Published:
    one, contents = made(text)
    return publish(one, contents, repository=repository, source="./ctf", policy=policy)


def test_the_result_says_what_was_stored(repository: ComponentRepository) -> None:
    assert put(repository).to_json() == {
        "component": COMPONENT,
        "version": "1.0.0",
        "digest": str(component_digest(made(b"one")[0])),
        "repository": "./ctf",
        "blobs": [{"digest": str(digest_of(b"one")), "size": 3, "state": "written"}],
    }
    assert repository.get(COMPONENT, "1.0.0") == made(b"one")[0]


def test_content_is_stored_before_the_descriptor() -> None:
    repository = FakeRepository()
    put(repository)
    steps = [call.partition(" ")[0] for call in repository.calls]
    assert steps == ["get", "put", "add"]


def test_the_same_again_is_no_change(repository: ComponentRepository) -> None:
    put(repository)
    again = put(repository)
    assert (again.written, again.blobs[0].state) == (False, "exists")


def test_the_same_again_keeps_signatures_that_came_since(repository: ComponentRepository) -> None:
    put(repository)
    repository.add(signed(made(b"one")[0]), replace=True)
    assert not put(repository, policy="replace").written
    assert len(repository.get(COMPONENT, "1.0.0").signatures) == 1


def test_other_content_is_refused(repository: ComponentRepository) -> None:
    put(repository)
    with pytest.raises(AlreadyExistsError, match="other content") as caught:
        put(repository, b"two")
    assert "--component-version-conflict-policy" in str(caught.value.hint)
    assert repository.get(COMPONENT, "1.0.0") == made(b"one")[0]


def test_other_content_may_be_skipped(repository: ComponentRepository) -> None:
    put(repository)
    skipped = put(repository, b"two", "skip")
    assert (skipped.written, [str(one.digest) for one in skipped.blobs]) == (
        False,
        [str(digest_of(b"one"))],
    )
    assert repository.get(COMPONENT, "1.0.0") == made(b"one")[0]


def test_other_content_may_replace(repository: ComponentRepository) -> None:
    put(repository)
    assert put(repository, b"two", "replace").written
    assert repository.get(COMPONENT, "1.0.0") == made(b"two")[0]


def test_a_dry_run_writes_nothing(repository: ComponentRepository) -> None:
    one, contents = made(b"one")
    planned = publish(one, contents, repository=repository, source="./ctf", dry_run=True)
    assert (planned.written, planned.blobs[0].state) == (True, "written")
    assert repository.versions(COMPONENT) == []


def test_a_dry_run_finds_conflicts(repository: ComponentRepository) -> None:
    put(repository)
    one, contents = made(b"two")
    with pytest.raises(AlreadyExistsError):
        publish(one, contents, repository=repository, source="./ctf", dry_run=True)


def test_a_file_that_changed_is_not_published(
    repository: ComponentRepository, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"two")
    one, _contents = made(b"one")
    changed = {("resources", 0): FileBlob(path, None, 3, digest_of(b"one"))}
    with pytest.raises(DigestMismatchError):
        publish(one, changed, repository=repository, source="./ctf")  # type: ignore[arg-type]
    assert repository.versions(COMPONENT) == []


def test_what_is_there_but_damaged_can_be_replaced_only() -> None:
    repository = FakeRepository()
    one, contents = made(b"one")

    def get(_component: str, _version: str) -> None:
        raise InvalidDocumentError("damaged")

    repository.get = get  # type: ignore[method-assign,assignment]
    with pytest.raises(InvalidDocumentError):
        publish(one, contents, repository=repository, source="./ctf")
    assert publish(one, contents, repository=repository, source="./ctf", policy="replace").written


def test_content_without_a_digest_is_refused(repository: ComponentRepository) -> None:
    one, contents = made(b"one")
    unknown = {key: FileBlob(Path(__file__)) for key in contents}
    with pytest.raises(InvalidDocumentError, match="no known digest"):
        publish(one, unknown, repository=repository, source="./ctf")


def test_sources_and_external_resources_are_stored_as_well(
    repository: ComponentRepository,
) -> None:
    access = {"type": "ociArtifact", "imageReference": "example.com/a:1"}
    value = descriptor("1.0.0", [resource(b"x", LINUX_AMD64, access=access)]).to_json()
    local = resource(b"code", LINUX_AMD64)
    value["component"]["sources"] = [
        {"name": "code", "version": "1.0.0", "type": "git", "access": local["access"]}
    ]
    one = ComponentDescriptor.from_json(value, name="test")
    contents: Contents = {("sources", 0): BytesBlob(b"code")}
    assert publish(one, contents, repository=repository, source="./ctf").written
    stored = repository.get(COMPONENT, "1.0.0")
    with repository.blob(stored, stored.component.sources[0]).open() as stream:
        assert stream.read() == b"code"
    assert not publish(one, contents, repository=repository, source="./ctf").written
    value["component"]["resources"][0]["access"]["imageReference"] = "example.com/b:1"
    other = ComponentDescriptor.from_json(value, name="test")
    with pytest.raises(AlreadyExistsError):
        publish(other, contents, repository=repository, source="./ctf")
