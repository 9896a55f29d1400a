from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ocm_pkg.errors import InvalidDocumentError, TransportError
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.fs.blobcache import BlobCache
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.cached import CachedContent
from ocm_pkg.store.offline import OfflineStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.outcome import outcome

if TYPE_CHECKING:
    from pathlib import Path

REGISTRY = "https://registry.example"
MANIFEST = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json"}'
TOP = OCIDescriptor(media.OCI_INDEX, digest_of(MANIFEST), len(MANIFEST))


@pytest.fixture
def cached(tmp_path: Path) -> CachedContent:
    cached = CachedContent(BlobCache(tmp_path / "blobs", free_bytes=0))
    read_all(cached.blob(BytesBlob(MANIFEST)), 1000, "it")
    cached.remember(REGISTRY, "some/path/app", "1.0.0", TOP)
    return cached


@pytest.fixture
def store(cached: CachedContent) -> OfflineStore:
    return OfflineStore(cached, REGISTRY, "some/path")


def test_what_was_fetched_before_is_there(store: OfflineStore) -> None:
    top = store.resolve("app", "1.0.0")
    assert top == TOP
    blob = store.fetch("app", top)
    assert (blob.media_type, blob.size, blob.digest) == (media.OCI_INDEX, len(MANIFEST), TOP.digest)
    assert read_all(blob, 1000, "it") == MANIFEST
    with blob.open(2) as stream:
        assert stream.read() == MANIFEST[2:]
    assert store.exists("app", TOP.digest).size == len(MANIFEST)
    assert store.resolve("app", str(TOP.digest)) == TOP
    assert list(store.tags("app")) == ["1.0.0"]


def missing(error: object, what: str) -> None:
    assert isinstance(error, TransportError)
    assert (error.code, error.exit_code) == ("E503", 5)
    assert what in error.message
    assert REGISTRY in error.message
    assert "--offline" in str(error.hint)


def test_what_was_not_fetched_is_named_with_what_to_do(store: OfflineStore) -> None:
    other = OCIDescriptor("text/plain", digest_of(b"other"), 5)
    missing(outcome(store.resolve, "app", "2.0.0"), "some/path/app:2.0.0")
    missing(outcome(store.resolve, "other", "1.0.0"), "some/path/other:1.0.0")
    missing(outcome(store.resolve, "app", str(other.digest)), f"some/path/app@{other.digest}")
    missing(outcome(store.exists, "app", other.digest), str(other.digest))
    missing(outcome(store.fetch, "app", other), str(other.digest))
    missing(outcome(store.tags, "other"), "some/path/other")
    error = outcome(store.resolve, "app", "2.0.0")
    assert error.hint == "run it once without --offline: what it fetches is kept"


def test_content_of_another_size_than_expected_is_not_there(store: OfflineStore) -> None:
    wrong = OCIDescriptor(media.OCI_INDEX, TOP.digest, 5)
    missing(outcome(store.fetch, "app", wrong), str(TOP.digest))


def test_another_registry_or_path_is_another(cached: CachedContent) -> None:
    for store in (
        OfflineStore(cached, "https://other.example", "some/path"),
        OfflineStore(cached, REGISTRY),
        OfflineStore(None, REGISTRY, "some/path"),
    ):
        assert isinstance(outcome(store.resolve, "app", "1.0.0"), TransportError)
        assert isinstance(outcome(store.tags, "app"), TransportError)
    assert OfflineStore(cached, REGISTRY).resolve("some/path/app", "1.0.0") == TOP
    nothing = OfflineStore(None, REGISTRY)
    assert isinstance(outcome(nothing.fetch, "app", TOP), TransportError)
    assert isinstance(outcome(nothing.exists, "app", TOP.digest), TransportError)


def test_poisoned_content_is_not_there(store: OfflineStore, cached: CachedContent) -> None:
    blob = store.fetch("app", TOP)
    [path] = cached.cache.folder.glob("sha256-*")
    path.write_bytes(MANIFEST.upper())
    missing(outcome(read_all, blob, 1000, "it"), str(TOP.digest))
    missing(outcome(store.fetch, "app", TOP), str(TOP.digest))


def test_nothing_can_be_changed(store: OfflineStore) -> None:
    for error in (
        outcome(store.push, "app", BytesBlob(b"x"), "text/plain"),
        outcome(store.tag, "app", TOP, "1.0.0"),
        outcome(store.tag, "app", TOP, "1.0.0", replace=False),
        outcome(store.repositories),
    ):
        missing(error, REGISTRY)
        assert error.hint == "leave out --offline"


def test_a_reference_that_is_no_digest_is_refused(store: OfflineStore) -> None:
    assert isinstance(outcome(store.resolve, "app", "sha256:../../x"), InvalidDocumentError)


def test_a_component_version_is_asked_for_in_vain(store: OfflineStore) -> None:
    repository = ComponentRepository(store)
    missing(outcome(repository.get, "example.com/a", "1.0.0"), "example.com/a:1.0.0")
    missing(outcome(repository.versions, "example.com/a"), "component-descriptors/example.com/a")
