from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import (
    ComponentVersionNotFoundError,
    DigestMismatchError,
    InvalidDocumentError,
)
from ocm_pkg.fs.blob import read_all
from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.published import component_digest
from tests.fakes.working_folder import LIMIT, component, resource

if TYPE_CHECKING:
    from tests.fakes.working_folder import Folder


def test_a_file_becomes_a_local_blob_with_media_type_and_digest(folder: Folder) -> None:
    (made,) = folder.construct(component(resource(input={"type": "file", "path": "plain.txt"})))
    (shown,) = made.descriptor.to_json()["component"]["resources"]
    digest = digest_of(b"plain\n")
    assert shown["access"] == {
        "type": "localBlob/v1",
        "localReference": str(digest),
        "mediaType": "application/octet-stream",
    }
    assert shown["digest"] == {
        "hashAlgorithm": "SHA-256",
        "normalisationAlgorithm": "genericBlobDigest/v1",
        "value": digest.hex,
    }
    assert shown["relation"] == "local"
    assert made.contents["resources", 0].size == 6


def test_an_element_without_a_version_has_that_of_the_component(folder: Folder) -> None:
    element = {"name": "data", "type": "blob", "input": {"type": "utf8", "text": "x"}}
    (made,) = folder.construct(component(element, version="3.2.1"))
    assert made.descriptor.component.resources[0].version == "3.2.1"


def test_compressed_content_says_so_and_is_the_same(folder: Folder) -> None:
    spec = {"type": "file", "path": "plain.txt", "mediaType": "text/plain", "compress": True}
    (made,) = folder.construct(component(resource(input=spec)))
    (blob,) = made.contents.values()
    assert blob.media_type == "text/plain+gzip"
    assert gzip.decompress(read_all(blob, LIMIT, "content")) == b"plain\n"


def test_a_folder_becomes_a_tar(folder: Folder) -> None:
    data = folder.content(type="dir", path="tree", excludeFiles=["sub/*.log"], preserveDir=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == ["tree", "tree/a.txt", "tree/sub"]


@pytest.mark.parametrize(
    ("spec", "data", "media_type"),
    [
        ({"text": "hi\n"}, b"hi\n", "text/plain"),
        ({"json": {"b": [1, 2.5], "a": None}}, b'{"a":null,"b":[1,2.5]}', "application/json"),
        ({"formattedJson": {"a": 1}}, b'{\n  "a": 1\n}', "application/json"),
        ({"yaml": {"a": "t"}}, b"a: t\n", "application/x-yaml"),
    ],
)
def test_text_in_the_constructor_is_content(
    folder: Folder, spec: dict[str, Any], data: bytes, media_type: str
) -> None:
    (made,) = folder.construct(component(resource(input={"type": "utf8", **spec})))
    (blob,) = made.contents.values()
    assert (read_all(blob, LIMIT, "content"), blob.media_type) == (data, media_type)


def test_an_access_stays_as_it_came(folder: Folder) -> None:
    access = {"type": "ociArtifact", "imageReference": "example.com/a:1", "odd": {"x": 1}}
    (made,) = folder.construct(component(resource(access=access)))
    shown = made.descriptor.to_json()["component"]["resources"][0]
    assert (shown["access"], shown["relation"], made.contents) == (access, "external", {})
    assert "digest" not in shown


def test_a_provider_with_labels_is_an_object_as_text(folder: Folder) -> None:
    labels = [{"name": "team", "value": "infra"}]
    (made,) = folder.construct(component(provider={"name": "example.com", "labels": labels}))
    assert made.descriptor.component.provider == (
        '{"labels":[{"name":"team","value":"infra"}],"name":"example.com"}'
    )


def test_nothing_is_invented(folder: Folder) -> None:
    (made,) = folder.construct(component())
    assert made.descriptor.to_json()["component"] == {
        "name": "example.com/some",
        "version": "1.0.0",
        "provider": "example.com",
        "repositoryContexts": [],
        "resources": [],
        "sources": [],
        "componentReferences": [],
    }


def test_sources_have_content_too(folder: Folder) -> None:
    source = {"name": "code", "type": "git", "input": {"type": "file", "path": "plain.txt"}}
    (made,) = folder.construct(component(sources=[source]))
    assert list(made.contents) == [("sources", 0)]
    assert "digest" not in made.descriptor.to_json()["component"]["sources"][0]


def reference(**members: Any) -> dict[str, Any]:
    return {"name": "child", "componentName": "example.com/child", "version": "1.0.0", **members}


def test_a_reference_in_the_constructor_gets_its_digest_and_comes_first(folder: Folder) -> None:
    child = component(name="example.com/child")
    made = folder.construct(component(componentReferences=[reference()]), child)
    assert [one.descriptor.name for one in made] == ["example.com/child", "example.com/some"]
    (found,) = made[1].descriptor.component.component_references
    assert found.digest is not None
    assert found.digest.value == component_digest(made[0].descriptor).hex
    assert found.digest.normalisation_algorithm == "jsonNormalisation/v4alpha1"


def test_a_reference_outside_is_looked_up(folder: Folder) -> None:
    (child,) = folder.construct(component(name="example.com/child"))
    asked: list[tuple[str, str]] = []

    def resolve(name: str, version: str) -> Any:
        asked.append((name, version))
        return child.descriptor

    (made,) = folder.construct(component(componentReferences=[reference()]), resolve=resolve)
    assert asked == [("example.com/child", "1.0.0")]
    assert made.descriptor.component.component_references[0].digest is not None


@pytest.mark.parametrize("open_end", ["resources", "componentReferences"])
def test_a_reference_to_a_version_without_all_digests_comes_with_a_warning(
    folder: Folder, open_end: str
) -> None:
    (child,) = folder.construct(component(resource(input={"type": "utf8", "text": "x"})))
    ends = {
        "resources": [resource(access={"type": "ociArtifact", "imageReference": "x.com/a:1"})],
        "componentReferences": [reference(name="below")],
    }
    value = child.descriptor.to_json()
    value["component"] |= {
        "name": "example.com/child",
        "version": "1.0.0",
        open_end: ends[open_end],
    }
    if open_end == "resources":
        value["component"]["resources"][0]["relation"] = "external"
    found = ComponentDescriptor.from_json(value, name="child")
    (made,) = folder.construct(
        component(componentReferences=[reference()]), resolve=lambda *_key: found
    )
    (warning,) = made.warnings
    assert "refers to example.com/child:1.0.0, which has no digest for" in warning
    (whole,) = folder.construct(
        component(componentReferences=[reference()]), resolve=lambda *_key: child.descriptor
    )
    assert whole.warnings == ()


def test_a_reference_to_nothing_is_an_error_that_names_both(folder: Folder) -> None:
    def resolve(_name: str, _version: str) -> Any:
        raise ComponentVersionNotFoundError("nothing")

    with pytest.raises(ComponentVersionNotFoundError, match=r"some:1\.0\.0 refers to .*child:1"):
        folder.construct(component(componentReferences=[reference()]), resolve=resolve)


def test_a_reference_with_another_digest_is_refused(folder: Folder) -> None:
    spec = {
        "hashAlgorithm": "SHA-256",
        "normalisationAlgorithm": "jsonNormalisation/v4alpha1",
        "value": "0" * 64,
    }
    with pytest.raises(DigestMismatchError):
        folder.construct(
            component(componentReferences=[reference(digest=spec)]),
            component(name="example.com/child"),
        )


def test_references_in_a_circle_are_refused(folder: Folder) -> None:
    back = {"name": "back", "componentName": "example.com/some", "version": "1.0.0"}
    with pytest.raises(InvalidDocumentError, match="circle"):
        folder.construct(
            component(componentReferences=[reference()]),
            component(name="example.com/child", componentReferences=[back]),
        )
