"""What every OCI store must do; a test class inherits it and gives the fixture ``store``."""

from __future__ import annotations

import json

import pytest

from ocm_pkg.errors import AlreadyExistsError, DigestMismatchError, NotFoundError
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor

REPOSITORY = "component-descriptors/ocm.test/demo"
OTHER = "component-descriptors/ocm.test/other"
CONFIG_TYPE, CONFIG = "application/vnd.oci.empty.v1+json", b"{}"


def manifest(store, number: int) -> OCIDescriptor:
    """Push a manifest that a registry takes, with its config; another one for each number."""
    config = store.push(REPOSITORY, BytesBlob(CONFIG), CONFIG_TYPE)
    value = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [],
        "annotations": {"number": str(number)},
    }
    return store.push(REPOSITORY, BytesBlob(json.dumps(value).encode()), media.OCI_MANIFEST)


class OCIStoreSuite:
    def test_content_is_found_again_by_its_digest(self, store):
        pushed = store.push(REPOSITORY, BytesBlob(b"content"), "text/plain")
        assert pushed == OCIDescriptor("text/plain", digest_of(b"content"), 7)
        assert store.exists(REPOSITORY, pushed.digest).size == 7
        blob = store.fetch(REPOSITORY, pushed)
        assert (blob.media_type, blob.size, blob.digest) == ("text/plain", 7, pushed.digest)
        for _ in range(2):
            assert read_all(blob, 100, "it") == b"content"
        with blob.open(3) as stream:
            assert stream.read() == b"tent"

    def test_content_that_is_not_there_is_not_found(self, store):
        missing = OCIDescriptor("text/plain", digest_of(b"no"), 2)
        assert store.exists(REPOSITORY, missing.digest) is None
        with pytest.raises(NotFoundError):
            read_all(store.fetch(REPOSITORY, missing), 10, "it")

    def test_content_may_be_stored_twice_and_be_empty(self, store):
        for _ in range(2):
            pushed = store.push(REPOSITORY, BytesBlob(b""), "text/plain")
            assert read_all(store.fetch(REPOSITORY, pushed), 1, "it") == b""

    def test_content_that_is_not_what_it_promises_is_not_stored(self, store):
        class Liar(BytesBlob):
            digest = digest_of(b"other")

        with pytest.raises(DigestMismatchError):
            store.push(REPOSITORY, Liar(b"content"), "text/plain")
        assert store.exists(REPOSITORY, digest_of(b"content")) is None
        assert store.exists(REPOSITORY, digest_of(b"other")) is None

    def test_an_empty_store_has_no_tags(self, store):
        assert list(store.tags(REPOSITORY)) == []
        assert store.resolve(REPOSITORY, "1.0.0") is None
        assert store.resolve(REPOSITORY, str(digest_of(b"x"))) is None

    def test_a_tag_is_resolved_in_its_repository_only(self, store):
        top = manifest(store, 0)
        assert store.resolve(REPOSITORY, "1.0.0") is None
        store.tag(REPOSITORY, top, "1.0.0")
        assert store.resolve(REPOSITORY, "1.0.0") == top
        assert store.resolve(REPOSITORY, str(top.digest)).digest == top.digest
        assert store.resolve(OTHER, "1.0.0") is None
        assert list(store.tags(REPOSITORY)) == ["1.0.0"]
        assert list(store.tags(OTHER)) == []

    def test_one_manifest_may_have_several_tags(self, store):
        top = manifest(store, 0)
        for tag in ("1.0.0", "latest", "1.0.0"):
            store.tag(REPOSITORY, top, tag)
        assert sorted(store.tags(REPOSITORY)) == ["1.0.0", "latest"]

    def test_a_tag_moves_and_the_old_manifest_stays(self, store):
        one = manifest(store, 1)
        two = manifest(store, 2)
        store.tag(REPOSITORY, one, "1.0.0")
        store.tag(REPOSITORY, two, "1.0.0")
        assert store.resolve(REPOSITORY, "1.0.0") == two
        assert store.resolve(REPOSITORY, str(one.digest)).digest == one.digest
        assert list(store.tags(REPOSITORY)) == ["1.0.0"]

    def test_a_tag_stays_where_it_is_unless_it_may_be_replaced(self, store):
        one = manifest(store, 1)
        two = manifest(store, 2)
        store.tag(REPOSITORY, one, "1.0.0", replace=False)
        store.tag(REPOSITORY, one, "1.0.0", replace=False)
        with pytest.raises(AlreadyExistsError, match="other content"):
            store.tag(REPOSITORY, two, "1.0.0", replace=False)
        assert store.resolve(REPOSITORY, "1.0.0") == one
