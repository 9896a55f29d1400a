from __future__ import annotations

import gzip
import io
import os
import socket
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import (
    ComponentVersionNotFoundError,
    DigestMismatchError,
    FileMissingError,
    InvalidDocumentError,
    LocalStorageError,
    OcmPkgError,
    UsageError,
)
from ocm_pkg.fs.blob import copy_blob, read_all
from ocm_pkg.fs.inputs import Workplace
from ocm_pkg.model.constructor import parse_constructor
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.published import component_digest
from ocm_pkg.model.yamltext import dump
from ocm_pkg.services.construct import construct
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ocm_pkg.services.construct import Constructed

LIMIT = 1024 * 1024


class Folder:
    """A working folder with two files and a tree, and a scratch folder beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "work"
        self.scratch = root / "scratch"
        self.scratch.mkdir()
        self.keep = True
        (self.root / "tree/sub").mkdir(parents=True)
        (self.root / "plain.txt").write_text("plain\n")
        (self.root / "tree/a.txt").write_text("ay\n")
        (self.root / "tree/sub/b.log").write_text("bee\n")

    def construct(
        self, *components: Mapping[str, Any], **arguments: Any
    ) -> tuple[Constructed, ...]:
        text = dump({"components": list(components)})
        constructor = parse_constructor(text.encode(), name="c.yaml", variables={})
        size = arguments.pop("max_input_size", LIMIT)
        for old in self.scratch.iterdir():
            old.unlink()
        workplace = Workplace(self.root, self.scratch, size, keep=self.keep)
        return construct(constructor, workplace, **arguments)

    def content(self, **spec: Any) -> bytes:
        (made,) = self.construct(component(resource(input=spec)))
        (blob,) = made.contents.values()
        return read_all(blob, LIMIT, "content")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def resource(**members: Any) -> dict[str, Any]:
    return {"name": "data", "version": "1.0.0", "type": "blob", **members}


def component(*resources: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "name": "example.com/some",
        "version": "1.0.0",
        "provider": {"name": "example.com"},
        "resources": list(resources),
        **members,
    }


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


def test_an_input_of_an_unknown_type_asks_for_a_plugin(folder: Folder) -> None:
    with pytest.raises(InvalidDocumentError, match="'helm' is not built in: it needs a plugin"):
        folder.construct(component(resource(input={"type": "helm", "path": "x"})))


def test_a_missing_file_is_named_with_its_line(folder: Folder) -> None:
    def locate(path: Any) -> str:
        assert path == ("components", 0, "resources", 0, "input")
        return "c.yaml:7:3"

    with pytest.raises(FileMissingError, match=r"'none\.txt' does not exist") as caught:
        folder.construct(
            component(resource(input={"type": "file", "path": "none.txt"})), locate=locate
        )
    assert (caught.value.at, caught.value.exit_code) == ("c.yaml:7:3", 3)


def absolute(folder: Folder) -> str:
    return str(folder.root / "plain.txt")


def parent(_folder: Folder) -> str:
    return "../secret"


def through_link(folder: Folder) -> str:
    (folder.root / "link").symlink_to("../secret")
    return "link"


def through_folder_link(folder: Folder) -> str:
    (folder.root / "up").symlink_to("..")
    return "up/secret"


def circle(folder: Folder) -> str:
    (folder.root / "circle").symlink_to("circle")
    return "circle"


def pipe(folder: Folder) -> str:
    os.mkfifo(folder.root / "pipe")
    return "pipe"


def unix_socket(folder: Folder) -> str:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder.root / "s"))
    return "s"


def device_link(folder: Folder) -> str:
    (folder.root / "null").symlink_to("/dev/zero")
    return "null"


def a_folder(_folder: Folder) -> str:
    return "tree"


def sparse(folder: Folder) -> str:
    with (folder.root / "huge").open("wb") as stream:
        stream.truncate(1024**4)
    return "huge"


def null_byte(_folder: Folder) -> str:
    return "plain\0.txt"


@pytest.mark.parametrize("kind", ["file", "dir"])
@pytest.mark.parametrize(
    "attack",
    [
        absolute,
        parent,
        through_link,
        through_folder_link,
        circle,
        pipe,
        unix_socket,
        device_link,
        sparse,
    ],
)
def test_D16_what_is_no_file_or_folder_inside_is_refused(
    folder: Folder, attack: Callable[[Folder], str], kind: str
) -> None:
    (folder.root.parent / "secret").write_text("secret")
    path = attack(folder)
    before = snapshot(folder.root.parent) if attack is not sparse else {}
    with pytest.raises((InvalidDocumentError, UsageError)) as caught:
        folder.content(type=kind, path=path)
    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)
    assert "secret" not in caught.value.message.replace("'../secret'", "").replace("up/secret", "")
    if before:
        assert snapshot(folder.root.parent) == before


def test_D16_twin_a_link_that_stays_inside_is_followed(folder: Folder) -> None:
    (folder.root / "link").symlink_to("tree/a.txt")
    assert folder.content(type="file", path="link") == b"ay\n"


def test_a_folder_as_file_is_refused(folder: Folder) -> None:
    with pytest.raises(InvalidDocumentError, match="is a folder"):
        folder.content(type="file", path="tree")


def test_a_larger_limit_admits_a_larger_input(folder: Folder) -> None:
    spec = component(resource(input={"type": "file", "path": "plain.txt"}))
    with pytest.raises(UsageError, match="more than") as caught:
        folder.construct(spec, max_input_size=5)
    assert "--max-input-size" in str(caught.value.hint)
    folder.construct(spec, max_input_size=6)


def test_A23_a_file_that_changes_later_is_published_as_it_was_when_it_was_hashed(
    folder: Folder,
) -> None:
    before = (folder.root / "plain.txt").read_bytes()
    (made,) = folder.construct(component(resource(input={"type": "file", "path": "plain.txt"})))
    (folder.root / "plain.txt").write_text("other\n")
    (blob,) = made.contents.values()
    assert read_all(blob, LIMIT, "content") == before


def test_A23_content_that_changes_after_it_was_hashed_in_place_is_noticed(folder: Folder) -> None:
    folder.keep = False
    (made,) = folder.construct(component(resource(input={"type": "file", "path": "plain.txt"})))
    (folder.root / "plain.txt").write_text("other\n")
    (blob,) = made.contents.values()
    with pytest.raises(DigestMismatchError):
        read_all(blob, LIMIT, "content")


def test_A23_a_file_that_grows_while_it_is_packed_is_refused(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder.root / "plain.txt"

    def growing(original: Any) -> Any:
        def read(*arguments: Any, **keywords: Any) -> Any:
            result = original(*arguments, **keywords)
            with path.open("a") as stream:
                stream.write("more")
            return result

        return read

    monkeypatch.setattr("os.readv", growing(os.readv))
    monkeypatch.setattr("ocm_pkg.fs.inputs.copy_blob", growing(copy_blob))
    for spec in ({"type": "file", "path": "plain.txt"}, {"type": "dir", "path": "."}):
        with pytest.raises(LocalStorageError, match="changed while it was read"):
            folder.content(**spec)


def test_A24_packing_twice_gives_the_same_descriptor(folder: Folder, tmp_path: Path) -> None:
    inputs = [
        resource(name="tree", input={"type": "dir", "path": "tree", "compress": True}),
        resource(name="file", input={"type": "file", "path": "plain.txt", "compress": True}),
    ]
    other = Folder(tmp_path / "other") if (tmp_path / "other").mkdir() is None else folder
    for path in other.root.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700 if path.is_dir() else 0o600)
    (first,), (second,) = folder.construct(component(*inputs)), other.construct(component(*inputs))
    assert first.descriptor == second.descriptor


def test_every_error_of_an_input_has_a_code_of_its_own(folder: Folder) -> None:
    with pytest.raises(OcmPkgError) as caught:
        folder.content(type="dir", path="tree", includeFiles=["["])
    assert caught.value.code == "E230"
