from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ocm_pkg.errors import (
    AlreadyExistsError,
    ComponentVersionNotFoundError,
    DigestMismatchError,
    InvalidDocumentError,
    UnreachableContentError,
)
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.published import component_digest
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.services.download import download
from ocm_pkg.services.transfer import transfer
from ocm_pkg.store.closure import ReferenceLimits, closure
from ocm_pkg.store.copying import copy_artifact
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.provider import BuiltinProvider
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.plugins_to_install import COMPONENT, LINUX_AMD64, descriptor, resource, signed
from tests.fakes.repository import FakeRepository

VECTORS = Path(__file__).parents[2] / "vectors"


def memory() -> ComponentRepository:
    return ComponentRepository(MemoryStore())


def stored(
    repository: ComponentRepository | FakeRepository, text: bytes = b"one", *, sign: bool = False
) -> ComponentDescriptor:
    element = resource(text, LINUX_AMD64)
    element["access"]["type"] = "localBlob"
    one = descriptor("1.0.0", [element])
    one = signed(one) if sign else one
    repository.put_blob(COMPONENT, "1.0.0", one.component.resources[0], BytesBlob(text))
    repository.add(one, replace=True)
    return repository.get(COMPONENT, "1.0.0")


def copy(source: object, destination: object, **arguments: Any) -> list[bool]:
    done = transfer(
        COMPONENT, "1.0.0", source=source, destination=destination, repository="dst", **arguments
    )  # type: ignore[arg-type]
    return [one.written for one in done]


def test_descriptor_bytes_signatures_and_content_arrive_as_they_were() -> None:
    source, destination = memory(), memory()
    before = stored(source, sign=True)
    assert copy(source, destination) == [True]
    after = destination.get(COMPONENT, "1.0.0")
    assert before.encoded is not None
    assert after.encoded == before.encoded
    with destination.blob(after, after.component.resources[0]).open() as stream:
        assert stream.read() == b"one"


def test_the_same_again_changes_nothing() -> None:
    source, destination = memory(), memory()
    stored(source, sign=True)
    copy(source, destination)
    assert copy(source, destination) == [False]


def test_a_new_signature_is_added_and_none_is_lost() -> None:
    source, destination = memory(), memory()
    stored(source)
    copy(source, destination)
    stored(source, sign=True)
    assert copy(source, destination) == [True]
    assert len(destination.get(COMPONENT, "1.0.0").signatures) == 1
    unsigned = memory()
    stored(unsigned)
    assert copy(unsigned, destination) == [False]
    assert len(destination.get(COMPONENT, "1.0.0").signatures) == 1


def test_other_content_is_refused_unless_it_may_replace() -> None:
    source, destination = memory(), memory()
    stored(source, b"one")
    before = stored(destination, b"two")
    with pytest.raises(AlreadyExistsError, match="other content"):
        copy(source, destination)
    assert destination.get(COMPONENT, "1.0.0") == before
    assert copy(source, destination, replace=True) == [True]


def test_a_dry_run_writes_nothing() -> None:
    source, destination = memory(), memory()
    stored(source)
    assert copy(source, destination, dry_run=True) == [True]
    assert destination.versions(COMPONENT) == []


def test_any_two_repositories_will_do_and_each_blob_streams_once() -> None:
    source, destination = FakeRepository(), FakeRepository()
    before = stored(source, sign=True)
    copy(source, destination)
    assert destination.get(COMPONENT, "1.0.0") == before
    assert [call for call in source.calls if call.startswith("blob")] == [
        f"blob {COMPONENT}:1.0.0 hello"
    ]


def test_bad_content_is_not_passed_on() -> None:
    source, destination = FakeRepository(), memory()
    stored(source)
    source.lies[digest_of(b"one")] = b"two"
    with pytest.raises(DigestMismatchError):
        copy(source, destination)
    assert destination.versions(COMPONENT) == []


def test_external_content_by_value_is_refused_and_by_reference_kept() -> None:
    source, destination = memory(), memory()
    access = {"type": "wget", "url": "https://example.com/a"}
    source.add(descriptor("1.0.0", [resource(b"x", LINUX_AMD64, access=access)]))
    with pytest.raises(UnreachableContentError, match="outside the repository"):
        copy(source, destination, external=object())
    assert destination.versions(COMPONENT) == []
    assert copy(source, destination) == [True]


def family(repository: ComponentRepository, links: dict[str, list[str]]) -> None:
    """Store components that refer to each other, children first, without digests."""
    for name, children in links.items():
        references = [
            {"name": f"to-{child}", "componentName": f"example.com/{child}", "version": "1.0.0"}
            for child in children
        ]
        value = descriptor("1.0.0", []).to_json()
        value["component"] |= {"name": f"example.com/{name}", "componentReferences": references}
        repository.add(ComponentDescriptor.from_json(value, name=name))


def names(repository: ComponentRepository, start: str, **limits: int) -> list[str]:
    found = closure(repository, f"example.com/{start}", "1.0.0", ReferenceLimits(**limits))
    return [one.name.rpartition("/")[2] for one in found]


def test_what_is_referred_to_comes_first_and_once() -> None:
    repository = memory()
    family(repository, {"aa": ["bb", "cc"], "bb": ["dd"], "cc": ["dd"], "dd": []})
    assert names(repository, "aa") == ["dd", "bb", "cc", "aa"]


def test_recursive_transfer_takes_all_along() -> None:
    source, destination = memory(), memory()
    family(source, {"aa": ["bb"], "bb": []})
    done = transfer(
        "example.com/aa",
        "1.0.0",
        source=source,
        destination=destination,
        repository="dst",
        recursive=True,
    )
    assert [one.component for one in done] == ["example.com/bb", "example.com/aa"]
    assert destination.versions("example.com/bb") == ["1.0.0"]


def test_a_missing_reference_stops_before_anything_is_written() -> None:
    source, destination = memory(), memory()
    family(source, {"aa": ["bb"]})
    with pytest.raises(ComponentVersionNotFoundError):
        transfer(
            "example.com/aa",
            "1.0.0",
            source=source,
            destination=destination,
            repository="dst",
            recursive=True,
        )
    assert destination.versions("example.com/aa") == []


def test_D13_a_circle_is_refused() -> None:
    repository = memory()
    family(repository, {"aa": ["bb"], "bb": ["aa"]})
    with pytest.raises(InvalidDocumentError, match="circle"):
        names(repository, "aa")


def test_D13_depth_and_number_have_limits() -> None:
    repository = memory()
    chain = {f"a{n}": [f"a{n + 1}"] for n in range(100)} | {"a100": []}
    family(repository, chain)
    with pytest.raises(InvalidDocumentError, match="deeper than 64"):
        names(repository, "a0")
    with pytest.raises(InvalidDocumentError, match="more than 20"):
        names(repository, "a50", components=20)
    assert len(names(repository, "a50")) == 51


def test_S20_a_changed_component_is_not_what_its_parent_refers_to() -> None:
    repository = memory()
    family(repository, {"bb": []})
    digest = component_digest(repository.get("example.com/bb", "1.0.0"))
    spec = {
        "hashAlgorithm": "SHA-256",
        "normalisationAlgorithm": "jsonNormalisation/v4alpha1",
        "value": digest.hex,
    }
    value = descriptor("1.0.0", []).to_json()
    value["component"]["componentReferences"] = [
        {"name": "bb", "componentName": "example.com/bb", "version": "1.0.0", "digest": spec}
    ]
    repository.add(ComponentDescriptor.from_json(value, name="parent"))
    assert len(closure(repository, COMPONENT, "1.0.0")) == 2
    other = descriptor("1.0.0", []).to_json()
    other["component"] |= {"name": "example.com/bb", "provider": "somebody.else"}
    repository.add(ComponentDescriptor.from_json(other, name="bb"), replace=True)
    with pytest.raises(DigestMismatchError, match="is not what"):
        closure(repository, COMPONENT, "1.0.0")


def test_an_oci_artifact_is_copied_with_all_of_its_parts_as_they_are(tmp_path: Path) -> None:
    spec = RepositorySpec.parse(str(VECTORS / "signed/v2-pss-plain-ocilayout/ctf"))
    source, destination = BuiltinProvider().open(spec), memory()
    name = "ocm.test/open/ocilayout"
    before = source.get(name, "1.0.0")
    done = transfer(name, "1.0.0", source=source, destination=destination, repository="dst")
    after = destination.get(name, "1.0.0")
    assert (done[0].written, after.encoded) == (True, before.encoded)
    element = after.component.resources[0]
    assert destination.artifact(after, element) == element.access.local_reference
    got = download(name, "1.0.0", element.identity, repository=destination, output=tmp_path / "f")
    assert got.media_type == "application/vnd.ocm.software.oci.layout.v1+tar"
    other = FakeRepository()
    assert copy_artifact(source, other, before, element) is None
    assert copy_artifact(other, destination, before, element) is None


def test_what_is_there_but_damaged_can_be_replaced_only() -> None:
    source, destination = memory(), FakeRepository()
    stored(source)

    def get(_component: str, _version: str) -> ComponentDescriptor:
        raise InvalidDocumentError("damaged")

    destination.get = get  # type: ignore[method-assign]
    with pytest.raises(InvalidDocumentError):
        copy(source, destination)
    assert copy(source, destination, replace=True) == [True]


def test_a_repository_that_gives_another_access_gets_it_into_its_descriptor() -> None:
    source = memory()
    before = stored(source)

    class Elsewhere(FakeRepository):
        def put_blob(self, component: str, version: str, element: Any, blob: Any) -> Any:
            super().put_blob(component, version, element, blob)
            access = AccessSpec.model_validate({"type": "elsewhere/v1", "key": "k"})
            return element.model_copy(update={"access": access})

    destination = Elsewhere()
    copy(source, destination)
    after = destination.get(COMPONENT, "1.0.0")
    assert after.component.resources[0].access.type == "elsewhere/v1"
    assert component_digest(after) == component_digest(before)
