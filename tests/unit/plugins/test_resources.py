"""Content behind accesses, from an artifact store to files and back."""

from __future__ import annotations

import json

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.digest import digest_of
from ocm_pkg.plugins.resources import CredentialsHandler, ResourceHandler
from ocm_pkg.plugins.spool import Spool

ACCESS = {"type": "ociArtifact/v1", "imageReference": "r.example/a:1.0"}
RESOURCE = {
    "name": "image",
    "version": "1.0.0",
    "type": "ociImage",
    "relation": "external",
    "access": ACCESS,
}


class Images:
    """Has one artifact, and takes any."""

    def __init__(self):
        self.stored = []

    def fetch(self, resource):
        return BytesBlob(resource.name.encode(), "application/x-tar")

    def store(self, resource, blob):
        with blob.open() as stream:
            self.stored.append((blob.media_type, stream.read()))
        return resource

    def digest(self, resource):
        return digest_of(resource.name.encode())


@pytest.fixture
def handler():
    spool = Spool()
    yield ResourceHandler(Images(), spool)
    spool.close()


def test_content_is_handed_over_as_a_private_file(handler):
    content = handler.fetch(RESOURCE)
    assert content.path.read_bytes() == b"image"
    assert content.path.stat().st_mode & 0o777 == 0o600
    assert (content.element, content.media_type) == (RESOURCE, "application/x-tar")


def test_a_file_is_stored_with_its_media_type(handler, tmp_path):
    file = tmp_path / "content"
    file.write_bytes(b"bytes")
    assert handler.store(RESOURCE, file, "application/x-tar")["access"] == ACCESS
    assert handler._images.stored == [("application/x-tar", b"bytes")]
    assert file.exists()


def test_a_digest_is_added_and_the_reference_pinned(handler):
    done = handler.process(RESOURCE)
    digest = digest_of(b"image")
    assert done["digest"]["value"] == digest.hex
    assert done["access"]["imageReference"] == f"r.example/a:1.0@{digest}"


def test_a_resource_that_is_none_is_refused(handler):
    for call in (handler.fetch, handler.process):
        with pytest.raises(InvalidDocumentError):
            call({"name": "image"})


def test_credentials_are_those_of_the_configuration_of_the_call():
    class Repository:
        def resolve(self, config, identity):
            return {"properties": {**config, **identity}}

    found = CredentialsHandler(Repository(), {"type": "T"}).resolve({"hostname": "h"})
    assert json.loads(json.dumps(found)) == {"properties": {"type": "T", "hostname": "h"}}
