from __future__ import annotations

import json
import tarfile

import pytest

from ocm_pkg.errors import (
    AlreadyExistsError,
    AmbiguousResourceError,
    DigestMismatchError,
    FileMissingError,
    InvalidDocumentError,
    ResourceNotFoundError,
)
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.model.types import repository_types
from ocm_pkg.plugins import ctf
from ocm_pkg.plugins.handler import RepositoryHandler
from ocm_pkg.plugins.spool import Spool
from ocm_pkg.store.provider import BuiltinProvider

NAME, VERSION = "example.com/demo/app", "1.0.0"


def handler(path, spool):
    spec = RepositorySpec.from_spec({"type": "ctf", "filePath": str(path)})
    return RepositoryHandler(BuiltinProvider(), spec, spool)


@pytest.fixture
def spool():
    spool = Spool()
    yield spool
    spool.close()


def descriptor(resources=(), sources=()):
    return {
        "meta": {"schemaVersion": "v2"},
        "component": {
            "name": NAME,
            "version": VERSION,
            "provider": "example.com",
            "repositoryContexts": None,
            "resources": list(resources),
            "sources": list(sources),
            "componentReferences": None,
        },
    }


@pytest.fixture
def stored(tmp_path, spool):
    """Return a handler of a CTF with two resources of one name and a source."""
    content = tmp_path / "content"
    content.write_bytes(b"hello")
    ours = handler(tmp_path / "ctf", spool)
    resources = [
        ours.put_local_resource(
            NAME,
            VERSION,
            {
                "name": "app",
                "version": VERSION,
                "type": "ocmPlugin",
                "relation": "local",
                "extraIdentity": extra,
            },
            content,
            "text/plain",
        )
        for extra in ({}, {"os": "linux"})
    ]
    source = {"name": "code", "version": VERSION, "type": "git", "access": None}
    sources = [ours.put_local_source(NAME, VERSION, source, content, None)]
    ours.add(descriptor(resources, sources))
    return ours


def test_what_was_uploaded_is_read_back(stored):
    assert list(stored.versions(NAME)) == [VERSION]
    assert list(stored.versions("example.com/demo/other")) == []
    component = json.loads(stored.get(NAME, VERSION))["component"]
    resource = component["resources"][0]
    assert resource["access"]["type"] == "localBlob/v1"
    assert resource["access"]["mediaType"] == "text/plain"
    assert resource["digest"]["hashAlgorithm"] == "SHA-256"
    stored.check_health()


def test_a_descriptor_comes_as_it_is_stored_if_that_is_the_form_that_is_sent(stored, tmp_path):
    repository = BuiltinProvider().open(RepositorySpec("ctf", str(tmp_path / "ctf")))
    found = repository.get(NAME, VERSION)
    assert stored.get(NAME, VERSION) == found.encoded.data
    component = found.component.model_copy(update={"version": "2.0.0"})
    other = found.model_copy(update={"component": component})
    repository.add(other.in_schema("v3alpha1"))
    assert stored.get(NAME, "2.0.0") == other.to_json()


def test_content_of_a_folder_is_handed_over_by_the_path_of_its_blob(stored, tmp_path):
    content = stored.local_resource(NAME, VERSION, {"name": "app", "os": "linux"})
    assert content.path.parent == tmp_path / "ctf" / "blobs"
    assert content.path.read_bytes() == b"hello"
    assert content.media_type == "text/plain"
    assert content.element["extraIdentity"] == {"os": "linux"}
    content = stored.local_source(NAME, VERSION, {"name": "code"})
    assert content.path.read_bytes() == b"hello"
    assert content.media_type == "application/octet-stream"


@pytest.mark.usefixtures("stored")
def test_content_of_an_archive_is_unpacked_and_removed_at_the_end(tmp_path, spool):
    with tarfile.open(tmp_path / "ctf.tar", "w") as archive:
        archive.add(tmp_path / "ctf", arcname=".")
    packed = handler(tmp_path / "ctf.tar", spool)
    first = packed.local_resource(NAME, VERSION, {"name": "app", "os": "linux"})
    again = packed.local_resource(NAME, VERSION, {"name": "app"})
    assert first.path == again.path
    assert first.path.read_bytes() == b"hello"
    assert first.path.stat().st_mode & 0o777 == 0o600
    assert first.path.parent.stat().st_mode & 0o777 == 0o700
    spool.close()
    assert not first.path.parent.exists()


def test_tampered_content_is_never_handed_over(stored):
    path = stored.local_source(NAME, VERSION, {}).path
    path.chmod(0o644)
    path.write_bytes(b"hellO")
    with pytest.raises(DigestMismatchError):
        stored.local_resource(NAME, VERSION, {"name": "app", "os": "linux"})


def test_an_exact_identity_wins_over_one_that_has_more_attributes(stored):
    content = stored.local_resource(NAME, VERSION, {"name": "app"})
    assert "extraIdentity" not in content.element or not content.element["extraIdentity"]
    with pytest.raises(AmbiguousResourceError, match="2 times"):
        stored.local_resource(NAME, VERSION, {})
    with pytest.raises(ResourceNotFoundError, match="name=other"):
        stored.local_resource(NAME, VERSION, {"name": "other"})


def test_the_same_descriptor_again_is_accepted_and_another_is_a_conflict(stored):
    stored.add(json.loads(stored.get(NAME, VERSION)))
    with pytest.raises(AlreadyExistsError):
        stored.add(descriptor())


def test_a_broken_descriptor_is_refused(stored):
    with pytest.raises(InvalidDocumentError):
        stored.add({"meta": {"schemaVersion": "v2"}})
    with pytest.raises(InvalidDocumentError):
        stored.put_local_resource(NAME, VERSION, {}, "/etc/hostname", None)


def test_reading_makes_no_repository(tmp_path, spool):
    missing = handler(tmp_path / "missing", spool)
    for read in (missing.check_health, lambda: missing.versions(NAME)):
        with pytest.raises(FileMissingError):
            read()
    assert list(tmp_path.iterdir()) == []


def test_the_plugin_takes_every_spelling_of_the_type():
    assert (ctf.TYPE, *ctf.ALIASES) == repository_types("ctf")


def test_an_opener_removes_what_it_unpacked(tmp_path):
    opener = ctf.CTFOpener()
    opener.close()
    made = opener({"type": "ctf", "filePath": str(tmp_path)}, None)
    assert made is not opener({"type": "ctf", "filePath": str(tmp_path)}, None)
    opener.close()
    plugin = ctf.create(opener)
    assert plugin.capabilities().to_json()["type"] == {
        "ctf": ["readComponentVersionRepository", "writeComponentVersionRepository"]
    }
