"""Stores that several threads push to at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.errors import AlreadyExistsError
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.fs.workers import Workers
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.published import Moving
from ocm_pkg.services.transfer import transfer
from ocm_pkg.store import media
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import descriptor, resource

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = "component-descriptors/ocm.test/demo"
CONTENTS = [b"%d" % number * 1000 for number in range(64)]


@pytest.fixture(params=["memory", "ctf", "new/ctf", "ctf.tar", "ctf.tgz"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.fsync", lambda _fd: None)
    if request.param == "memory":
        return MemoryStore()
    kind = ArchiveStore if "." in request.param else CTFStore
    return kind(tmp_path / request.param, create=True)


def test_eight_threads_push_at_once_from_the_first_moment(store):
    start = threading.Barrier(8)

    def push(number):
        start.wait(10)
        for data in CONTENTS[number::8]:
            store.push(REPOSITORY, BytesBlob(data), "text/plain")

    with ThreadPoolExecutor(8) as executor:
        list(executor.map(push, range(8)))
    manifest = store.push(REPOSITORY, BytesBlob(b"{}"), media.OCI_MANIFEST)
    store.tag(REPOSITORY, manifest, "1.0.0")
    for data in CONTENTS:
        found = store.fetch(REPOSITORY, OCIDescriptor("text/plain", digest_of(data), len(data)))
        assert read_all(found, 10_000, "it") == data


def test_the_same_content_by_eight_threads_is_there_once(store):
    with ThreadPoolExecutor(8) as executor:
        pushed = list(
            executor.map(
                lambda _n: store.push(REPOSITORY, BytesBlob(b"same"), "text/plain"), range(64)
            )
        )
    assert set(map(str, pushed)) == {str(pushed[0])}
    assert read_all(store.fetch(REPOSITORY, pushed[0]), 10, "it") == b"same"


def with_artifact(source: ComponentRepository, name: str, number: int, child: str | None) -> None:
    """Store a component version with an OCI artifact that is stored with its parts."""
    repository = f"component-descriptors/{name}"
    config = source.store.push(repository, BytesBlob(b"{}"), "application/json")
    layer = source.store.push(repository, BytesBlob(b"%d" % number), "text/plain")
    manifest = {"schemaVersion": 2, "config": config.to_json(), "layers": [layer.to_json()]}
    import json

    top = source.store.push(
        repository, BytesBlob(json.dumps(manifest).encode()), media.OCI_MANIFEST
    )
    access = {
        "type": "localBlob/v1",
        "localReference": str(top.digest),
        "mediaType": media.OCI_MANIFEST,
    }
    element = resource("image").model_validate({**resource("image").to_json(), "access": access})
    value = descriptor(name, "1.0.0", [element]).to_json()
    if child:
        reference = {"name": "child", "componentName": child, "version": "1.0.0"}
        value["component"]["componentReferences"] = [reference]
    source.add(type(descriptor()).from_json(value, name=name))


def test_artifacts_of_several_components_are_all_listed_in_a_ctf(tmp_path: Path) -> None:
    source = ComponentRepository(MemoryStore())
    names = ["ocm.test/a", "ocm.test/b", "ocm.test/c"]
    for number, name in enumerate(names):
        with_artifact(source, name, number, names[number - 1] if number else None)
    target = CTFStore(tmp_path / "ctf", create=True)
    with Workers() as executor:
        transfer(
            names[-1],
            "1.0.0",
            source=source,
            destination=ComponentRepository(target),
            repository="it",
            recursive=True,
            moving=Moving(executor),
        )
    again = ComponentRepository(CTFStore(tmp_path / "ctf"))
    for name in names:
        found = again.get(name, "1.0.0")
        digest = again.artifact(found, found.component.resources[0])
        assert digest is not None
        assert target.resolve(f"component-descriptors/{name}", str(digest)) is not None


@pytest.mark.parametrize("kind", [CTFStore, ArchiveStore])
def test_a_transfer_that_fails_leaves_no_empty_folders(tmp_path: Path, kind) -> None:
    target = kind(tmp_path / "new/deep/ctf", create=True)

    class Bad(BytesBlob):
        digest = digest_of(b"other")

    def fail() -> None:
        with target.batch():
            target.push(REPOSITORY, Bad(b"content"), "text/plain")

    with pytest.raises(Exception, match="promised"):
        fail()
    if kind is CTFStore:
        assert not (tmp_path / "new").exists()
    with target.batch():
        top = target.push(REPOSITORY, BytesBlob(b"{}"), media.OCI_MANIFEST)
        target.tag(REPOSITORY, top, "1.0.0")
    other = target.push(REPOSITORY, BytesBlob(b"{} "), media.OCI_MANIFEST)
    with pytest.raises(AlreadyExistsError):
        target.tag(REPOSITORY, other, "1.0.0", replace=False)
