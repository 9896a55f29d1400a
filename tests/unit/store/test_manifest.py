from __future__ import annotations

import json

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.manifest import Manifest
from tests.fakes.registry_calls import CONFIG, described, index, manifest

IMAGE = manifest(b"layer", annotations={"a": "b"})


def test_a_manifest_says_what_it_is_made_of():
    found = Manifest.parse(IMAGE, media.OCI_MANIFEST, "it")
    assert [blob.digest for blob in found.blobs] == [digest_of(CONFIG), digest_of(b"layer")]
    assert (found.manifests, found.subject) == ((), None)
    assert found.artifact_type == "application/vnd.oci.empty.v1+json"
    assert found.annotations == {"a": "b"}


def test_an_index_says_what_it_is_made_of():
    found = Manifest.parse(index(IMAGE, artifactType="test/all"), None, "it")
    assert (found.media_type, found.blobs) == (media.OCI_INDEX, ())
    assert [part.digest for part in found.manifests] == [digest_of(IMAGE)]
    assert found.artifact_type == "test/all"


def test_a_document_without_a_type_is_what_it_looks_like():
    assert Manifest.parse(manifest(mediaType=...), None, "it").media_type == media.OCI_MANIFEST
    assert Manifest.parse(index(mediaType=...), None, "it").media_type == media.OCI_INDEX


def test_a_referrer_is_named_with_its_type_and_annotations():
    subject = described(IMAGE, media.OCI_MANIFEST)
    data = manifest(subject=subject, artifactType="test/sbom", annotations={"c": "d"})
    found = Manifest.parse(data, None, "it")
    assert found.subject is not None
    assert found.subject.digest == digest_of(IMAGE)
    assert found.referrer(digest_of(data), len(data)) == OCIDescriptor(
        media.OCI_MANIFEST, digest_of(data), len(data), {"c": "d"}, artifact_type="test/sbom"
    )


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (IMAGE, media.OCI_INDEX),
        (IMAGE, "text/plain"),
        (manifest(mediaType="text/plain"), None),
        (manifest(mediaType=1), media.OCI_MANIFEST),
        (manifest(schemaVersion=True), None),
        (manifest(schemaVersion="2"), None),
        (manifest(manifests=[]), None),
        (index(layers=[]), None),
        (index(config={}), None),
        (index(manifests=None), None),
        (index(manifests=[{}]), None),
        (manifest(subject=[]), None),
        (json.dumps([json.loads(IMAGE)]).encode(), None),
        (IMAGE + b"x", None),
        (b" " * (4 * 1024 * 1024 + 1), None),
    ],
)
def test_R06_anything_else_is_no_manifest(data, media_type):
    with pytest.raises(InvalidDocumentError, match="it"):
        Manifest.parse(data, media_type, "it")
