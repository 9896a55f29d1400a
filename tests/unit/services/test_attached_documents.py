"""SBOMs and provenance are attached too, where a registry tells what refers to what."""

from __future__ import annotations

import pytest

from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.services.publish import publish
from ocm_pkg.services.transfer import transfer
from ocm_pkg.store.attachments import attachments
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import NAME, descriptor, resource
from tests.fakes.repository import FakeRepository

BOM, STATEMENT, TAR = (
    "application/vnd.cyclonedx+json",
    "application/vnd.in-toto+json",
    "application/x-tar+gzip",
)


class RegistryLike(MemoryStore):
    """A store that may have the API of referrers, and counts what is pushed to it."""

    def __init__(self, *, api=True):
        super().__init__()
        self.api = api
        self.pushed = []
        self.asked = 0

    def push(self, repository, blob, media_type):
        self.pushed.append(media_type)
        return super().push(repository, blob, media_type)

    def referrers_by_api(self, repository, digest):
        self.asked += 1
        return self.referrers(repository, digest) if self.api else None


def version(*kinds):
    """Return a component version with a plugin and documents, and its contents."""
    wanted = [("ocmPlugin", "application/octet-stream"), *kinds]
    elsewhere, made, contents = ComponentRepository(MemoryStore()), [], {}
    for number, (kind, media_type) in enumerate(wanted):
        platform = {} if kind == "sbom" else {"os": "linux", "architecture": "amd64"}
        blob = BytesBlob(kind.encode(), media_type)
        one = resource(f"demo-{kind.lower()}", **platform).model_copy(update={"type": kind})
        made.append(elsewhere.put_blob(NAME, "1.0.0", one, blob))
        contents["resources", number] = blob
    return descriptor(resources=made), contents


DOCUMENTED = version(("sbom", BOM), ("licences", TAR), ("provenance", STATEMENT))


def put(store, made=DOCUMENTED, **options):
    repository = ComponentRepository(store)
    publish(*made, repository=repository, source="x", **options)
    return repository


def attached(repository):
    return sorted(
        (one.artifact_type, one.annotations["org.opencontainers.image.title"])
        for one in attachments(repository, NAME, "1.0.0")
    )


def test_what_is_published_to_a_registry_has_its_documents_attached():
    store = RegistryLike()
    assert attached(put(store)) == [
        (BOM, "demo-sbom.json"),
        (STATEMENT, "demo-provenance.linux-amd64.json"),
    ]


def test_publishing_again_sends_nothing():
    store = RegistryLike()
    put(store)
    store.pushed.clear()
    put(store)
    assert store.pushed == []


def test_what_is_missing_is_attached_later():
    store = RegistryLike(api=False)
    assert attached(put(store)) == []
    store.api = True
    assert len(attached(put(store))) == 2


def test_without_the_api_nothing_is_kept_under_a_tag():
    store = RegistryLike(api=False)
    repository = put(store)
    assert list(repository.versions(NAME)) == ["1.0.0"]
    assert attached(repository) == []


def test_a_copy_in_a_registry_has_them_too():
    source, store = put(MemoryStore()), RegistryLike()
    copy = ComponentRepository(store)
    for _time in range(2):
        transfer(NAME, "1.0.0", source=source, destination=copy, repository="x")
    assert [kind for kind, _title in attached(copy)] == [BOM, STATEMENT]
    assert copy.get(NAME, "1.0.0") == source.get(NAME, "1.0.0")
    assert attached(source) == []


def test_a_component_version_without_documents_costs_no_question():
    store = RegistryLike()
    put(store, version(("licences", TAR), ("blob", BOM)))
    assert store.asked == 0


def test_a_document_of_another_form_is_no_sbom_that_others_would_read():
    store = RegistryLike()
    assert attached(put(store, version(("sbom", "application/spdx+json")))) == []
    assert store.asked == 0


def test_a_dry_run_attaches_nothing():
    store = RegistryLike()
    put(store, dry_run=True)
    assert (store.pushed, store.asked) == ([], 0)


def test_behind_a_plugin_nothing_is_attached():
    plugin = FakeRepository()
    publish(*DOCUMENTED, repository=plugin, source="x")
    assert attachments(plugin, NAME, "1.0.0") == ()


@pytest.mark.parametrize("policy", ["skip", "replace"])
def test_what_is_there_in_the_end_is_what_is_attached_to(policy):
    store = RegistryLike()
    put(store, version(("sbom", BOM)))
    other = version(("sbom", BOM), ("provenance", STATEMENT))
    kinds = [kind for kind, _title in attached(put(store, other, policy=policy))]
    assert kinds == ([BOM] if policy == "skip" else [BOM, STATEMENT])
