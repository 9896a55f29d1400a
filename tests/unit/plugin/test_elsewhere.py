"""Content outside of repositories comes through the plugin for its access."""

from __future__ import annotations

import pytest

from ocm_pkg.contract.capabilities import Kind
from ocm_pkg.errors import PluginProtocolError, UnreachableContentError
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.model.descriptor import Resource
from ocm_pkg.model.digest import digest_of
from ocm_pkg.plugin.elsewhere import PluginResources
from ocm_pkg.plugin.manager import PluginManager
from ocm_pkg.plugin.registry import ImplementedPlugin
from ocm_pkg.store.artifact import read_artifact
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.pinned import pinned

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = b'{"schemaVersion":2,"layers":[]}'


class Base:
    """Has the same content for every access, and remembers what it was given."""

    def __init__(self, content):
        self.content = content
        self.stored = []

    def fetch(self, _resource):
        return BytesBlob(self.content)

    def store(self, resource, blob):
        self.stored.append(read_all(blob, 100, "it"))
        return resource

    def process(self, resource):
        return pinned(resource, digest_of(b"manifest"))


class Forgetful(Base):
    def process(self, resource):
        return resource


def resource(type_name):
    plain = {"name": "image", "version": "1.0.0", "type": "ociImage", "relation": "external"}
    access = {"type": type_name, "imageReference": "r.example/a:1"}
    return Resource.model_validate({**plain, "access": access})


def resources(base, *kinds, type_name="ociArtifact"):
    plugin = ImplementedPlugin("p", type_name, kinds, base)
    return PluginResources(PluginManager([], builtin=[plugin], environment={}))


def test_each_resource_is_fetched_and_stored_by_the_plugin_for_its_access():
    base = Base(b"content")
    found = resources(base, Kind.RESOURCE_REPOSITORY)
    assert read_all(found.fetch(resource("ociArtifact/v1")), 100, "it") == b"content"
    found.store(resource("ociArtifact"), BytesBlob(b"new"))
    assert base.stored == [b"new"]
    for call in (found.fetch, lambda one: found.store(one, BytesBlob(b"")), found.digest):
        with pytest.raises(UnreachableContentError, match=r"image:1\.0\.0 is outside") as caught:
            call(resource("helm"))
        assert "plugin install" in caught.value.hint


def test_the_digest_is_what_the_digest_processor_says():
    kinds = (Kind.RESOURCE_REPOSITORY, Kind.DIGEST_PROCESSOR_REPOSITORY)
    found = resources(Base(b"content"), *kinds)
    assert found.digest(resource("ociArtifact")) == digest_of(b"manifest")
    with pytest.raises(PluginProtocolError, match="no digest for image"):
        resources(Forgetful(b""), *kinds).digest(resource("ociArtifact"))


def test_without_a_digest_processor_the_content_is_read():
    store = MemoryStore()
    top = store.push("a", BytesBlob(EMPTY), MANIFEST)
    tar = read_all(read_artifact(store, "a", top, "it"), 100_000, "it")
    found = resources(Base(tar), Kind.RESOURCE_REPOSITORY)
    assert found.digest(resource("ociArtifact")) == top.digest
    found = resources(Base(b"content"), Kind.RESOURCE_REPOSITORY, type_name="ociBlob")
    assert found.digest(resource("ociBlob/v1")) == digest_of(b"content")
