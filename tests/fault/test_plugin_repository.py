"""A repository behind a plugin, against real processes: what is sent, what is refused."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from ocm_pkg.errors import (
    AlreadyExistsError,
    ComponentVersionNotFoundError,
    DigestMismatchError,
    InvalidDocumentError,
    InvalidReferenceError,
    PluginCallError,
    PluginProtocolError,
    ResourceNotFoundError,
)
from ocm_pkg.fs.blob import BytesBlob, FileBlob, copy_blob
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.descriptor import ComponentDescriptor, Resource
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.reference import RepositorySpec
from tests.fakes.plugin_room import CallRoom
from tests.fakes.plugins import events, own_children

VERSIONS = "/component-versions?name=example.com/x"
CONTENT = b"the content"
NAME, VERSION = "example.com/plugins/hello", "1.2.0"
SPEC = RepositorySpec("Scripted/v1", "here")
OK = "HTTP/1.1 200 OK\r\n"
DOWNLOAD = "/component-version/download"


@pytest.fixture
def room():
    before = own_children()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        room = CallRoom(Path(folder))
        yield room
        assert list(room.private.iterdir()) == []
    assert own_children() <= before


def resource(**update: object) -> Resource:
    value = {
        "name": "hello",
        "version": VERSION,
        "type": "ocmPlugin",
        "relation": "local",
        "extraIdentity": {"os": "linux", "architecture": "amd64"},
        "access": AccessSpec.local_blob(digest_of(CONTENT), "application/octet-stream").to_json(),
    }
    return Resource.model_validate({**value, **update})


def descriptor(name: str = NAME) -> ComponentDescriptor:
    value = {
        "meta": {"schemaVersion": "v2"},
        "component": {
            "name": name,
            "version": VERSION,
            "provider": "example.com",
            "resources": [resource().to_json()],
            "sources": [],
            "componentReferences": [],
            "repositoryContexts": [],
        },
    }
    return ComponentDescriptor.from_json(value, name="test")


def test_a_read_only_plugin_is_not_sent_writes(room):
    with room.manager(contract="adr", access="read") as manager:
        repository = manager.open(SPEC, create=True)
        assert list(repository.versions(NAME)) == ["2.0.0", "1.0.0"]
        with pytest.raises(PluginCallError, match="cannot write"):
            repository.put_blob(NAME, VERSION, resource(), BytesBlob(CONTENT))
        with pytest.raises(PluginCallError, match="cannot write"):
            repository.add(descriptor())
    assert len(room.calls()) == 1


def test_a_spec_that_the_schema_refuses_is_not_sent(room):
    schema = {"type": "object", "required": ["type", "token"]}
    with room.manager(schema=schema) as manager:
        with pytest.raises(InvalidDocumentError, match="'token' is a required property"):
            manager.open(SPEC)
        assert manager.open(RepositorySpec("Scripted/v1", "x", {"token": "t"})).versions(NAME)
    assert len(events(room.record, "start")) == 1


def test_the_repository_goes_with_every_read(room):
    with room.manager() as manager:
        manager.open(SPEC).versions(NAME)
    # base64 of {"location":"here","type":"Scripted/v1"}
    assert (
        "repository=eyJsb2NhdGlvbiI6ImhlcmUiLCJ0eXBlIjoiU2NyaXB0ZWQvdjEifQ%3D%3D" in room.calls()[0]
    )


def test_a_descriptor_is_read_with_its_exact_bytes(room):
    text = json.dumps(descriptor().to_json(), indent=1)
    with room.manager(answer={DOWNLOAD: [200, text]}) as manager:
        found = manager.open(SPEC).get(NAME, VERSION)
    assert found == descriptor()
    assert found.encoded is not None
    assert found.encoded.data == text.encode()


def test_another_component_version_than_asked_for_is_refused(room):
    text = json.dumps(descriptor("example.com/plugins/other").to_json())
    with (
        room.manager(answer={DOWNLOAD: [200, text]}) as manager,
        pytest.raises(PluginProtocolError, match=r"answered with example.com/plugins/other"),
    ):
        manager.open(SPEC).get(NAME, VERSION)


def test_404_is_a_missing_version_unless_the_plugin_has_no_such_endpoint(room):
    with (
        room.manager(answer={DOWNLOAD: [404, "no such version"]}) as manager,
        pytest.raises(ComponentVersionNotFoundError),
    ):
        manager.open(SPEC).get(NAME, VERSION)
    with room.manager() as manager, pytest.raises(PluginCallError, match="404 page not found"):
        manager.open(SPEC).get(NAME, VERSION)


def test_content_in_memory_is_handed_over_as_a_file_that_is_removed(room):
    with room.manager() as manager:
        done = manager.open(SPEC).put_blob(NAME, VERSION, resource(), BytesBlob(CONTENT))
        assert done == resource()
        location = json.loads(room.calls()[0].partition("{}")[2])["resourceLocation"]
        assert location["type"] == "localFile"
        assert Path(location["value"]).is_absolute()
        assert not Path(location["value"]).exists()
    assert events(room.record, "content") == [CONTENT.decode()]


@pytest.mark.parametrize(
    ("name", "version"), [("nodomain", VERSION), ("../etc", VERSION), (NAME, "latest"), (NAME, "")]
)
def test_what_is_no_name_or_version_is_not_sent(room, name, version):
    with room.manager() as manager:
        repository = manager.open(SPEC)
        with pytest.raises(InvalidReferenceError):
            repository.get(name, version)
        with pytest.raises(InvalidReferenceError):
            repository.put_blob(name, version, resource(), BytesBlob(CONTENT))
    assert room.calls() == []


def test_content_that_is_not_what_the_element_says_is_not_sent(room):
    digest = {
        "hashAlgorithm": "SHA-512",
        "normalisationAlgorithm": "genericBlobDigest/v1",
        "value": digest_of(CONTENT, "sha512").hex,
    }
    with room.manager() as manager:
        repository = manager.open(SPEC)
        repository.put_blob(NAME, VERSION, resource(digest=digest), BytesBlob(CONTENT))
        with pytest.raises(DigestMismatchError):
            repository.put_blob(NAME, VERSION, resource(digest=digest), BytesBlob(b"other"))
    assert len(room.calls()) == 1


def test_an_element_of_another_component_version_is_not_asked_for(room):
    other = resource(access=AccessSpec.local_blob(digest_of(b"x"), "text/plain").to_json())
    with room.manager() as manager, pytest.raises(ResourceNotFoundError):
        manager.open(SPEC).blob(descriptor(), other)
    assert room.calls() == []


def test_a_file_is_handed_over_by_its_path_and_stays(room, tmp_path):
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    with room.manager() as manager:
        repository = manager.open(SPEC)
        repository.put_blob(NAME, VERSION, resource(), FileBlob(path, digest=digest_of(CONTENT)))
        assert f'"value":"{path}"' in room.calls()[0]
        with pytest.raises(DigestMismatchError):
            repository.put_blob(NAME, VERSION, resource(), FileBlob(path, digest=digest_of(b"")))
        assert len(room.calls()) == 1
        repository.put_blob(NAME, VERSION, resource(), FileBlob(path, offset=4, length=7))
    assert path.read_bytes() == CONTENT
    assert events(room.record, "content") == ["the content", "content"]


def test_content_of_a_plugin_is_verified_while_it_is_read(room, tmp_path):
    path = tmp_path / "blob"
    path.write_bytes(CONTENT)
    with room.manager(blob=str(path)) as manager:
        blob = manager.open(SPEC).blob(descriptor(), resource())
        assert blob.media_type == "application/octet-stream"
        with (tmp_path / "out").open("wb") as out:
            assert copy_blob(blob, out) == (digest_of(CONTENT), len(CONTENT))
        path.write_bytes(b"The content")
        with (tmp_path / "out").open("wb") as out, pytest.raises(DigestMismatchError):
            copy_blob(blob, out)


@pytest.mark.parametrize("value", ["blob", "./blob", "../etc/passwd", "", "/nowhere/blob", "/"])
def test_a_location_that_is_relative_or_no_file_is_refused(room, value):
    with room.manager(blob=value) as manager, pytest.raises(PluginProtocolError):
        manager.open(SPEC).blob(descriptor(), resource())


def test_the_same_version_again_is_nothing_and_another_is_refused(room):
    answer = {
        DOWNLOAD: [200, descriptor().encode().decode()],
        "/component-versions": [200, f'["{VERSION}"]'],
    }
    changed = descriptor().with_resources([resource(type="other")])
    with room.manager(answer=answer) as manager:
        repository = manager.open(SPEC, create=True)
        repository.add(descriptor())
        with pytest.raises(AlreadyExistsError):
            repository.add(changed)
        assert not any("/component-version/upload" in call for call in room.calls())
        repository.add(changed, replace=True)
    assert "POST /component-version/upload" in room.calls()[-1]


def test_a_new_version_is_uploaded_once(room):
    with room.manager() as manager:
        manager.open(SPEC, create=True).add(descriptor())
    sent = [call for call in room.calls() if "/component-version/upload" in call]
    assert len(sent) == 1
    assert json.loads(sent[0].partition("{} ")[2]) == {
        "repository": SPEC.to_spec(),
        "descriptor": descriptor().to_json(),
    }
