from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import (
    DigestMismatchError,
    FileMissingError,
    InvalidDocumentError,
    LocalStorageError,
    OcmPkgError,
    UsageError,
)
from ocm_pkg.fs.blob import copy_blob, read_all
from tests.fakes.trees import snapshot
from tests.fakes.working_folder import LIMIT, Folder, component, resource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_an_input_of_an_unknown_type_asks_for_a_plugin(folder: Folder) -> None:
    with pytest.raises(InvalidDocumentError, match="'helm' is not built in: it needs a plugin"):
        folder.construct(component(resource(input={"type": "helm", "path": "x"})))


def test_a_missing_file_is_named_with_its_line(folder: Folder) -> None:
    def locate(path: Any) -> tuple[str, list[str]]:
        assert path == ("components", 0, "resources", 0, "input")
        return "c.yaml:7:3", ["  input: x"]

    with pytest.raises(FileMissingError, match=r"'none\.txt' does not exist") as caught:
        folder.construct(
            component(resource(input={"type": "file", "path": "none.txt"})), locate=locate
        )
    assert (caught.value.at, caught.value.exit_code) == ("c.yaml:7:3", 3)
    assert caught.value.detail == ("  input: x",)


def test_a_reference_in_a_circle_is_named_with_its_line(folder: Folder) -> None:
    def locate(path: Any) -> tuple[str, list[str]]:
        return "c.yaml:9:3", [repr(path)]

    itself = {"name": "me", "componentName": "example.com/some", "version": "1.0.0"}
    with pytest.raises(InvalidDocumentError, match="circle") as caught:
        folder.construct(component(componentReferences=[itself]), locate=locate)
    assert caught.value.at == "c.yaml:9:3"
    assert caught.value.detail == ("('components', 0, 'componentReferences', 0)",)


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
