"""Each proxy sends what the reference manager was recorded to send, and reads the answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocm_pkg.contract.capabilities import Capability, Kind
from ocm_pkg.errors import PluginProtocolError
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.descriptor import ComponentDescriptor, DigestSpec, Resource, Signature, Source
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.plugin.kinds import proxy_for
from tests.fakes.recorded_instance import RecordedInstance

VECTORS = Path(__file__).parents[2] / "vectors/plugin-contract/manager-requests.json"
RECORDED = json.loads(VECTORS.read_text())
INPUTS = RECORDED["inputs"]
NAME, VERSION = INPUTS["Name"], INPUTS["Version"]
CREDENTIALS = json.loads(INPUTS["Creds"])
CONTENT = INPUTS["Payload"].encode()
SPEC = RepositorySpec.from_spec(json.loads(INPUTS["Repo"]))


@pytest.fixture
def open_plugin(tmp_path):
    """Return a function that gives the proxy and the record of a kind's plugin."""

    def make(kind: Kind, type_name: str):
        recorded = next(
            one
            for one in RECORDED["plugins"]
            if one["capabilities_printed"]["capabilities"][0]["type"] == kind
        )
        blob = tmp_path / "blob.bin"
        blob.write_bytes(b"hello")
        instance = RecordedInstance(recorded, tmp_path, blob)
        return proxy_for(kind, instance, type_name, credentials=lambda _: CREDENTIALS), instance

    return make


def request_json(kind: str, path: str, member: str, number: int = 0) -> dict:
    """Return a member of the body of a recorded request."""
    found = [
        exchange["request"]["json"]
        for one in RECORDED["plugins"]
        for exchange in one["exchanges"]
        if one["capabilities_printed"]["capabilities"][0]["type"] == kind
        and exchange["request"]["target"] == path
    ]
    return found[number][member]


def read(blob) -> bytes:
    with blob.open() as stream:
        return stream.read()


def test_component_version_repository(open_plugin):
    kind = Kind.COMPONENT_VERSION_REPOSITORY
    provider, instance = open_plugin(kind, "ProbeRepository/v1")
    repository = provider.open(SPEC)
    assert list(repository.versions(NAME)) == ["1.4.0", "1.0.0"]
    stored = repository.get(NAME, VERSION)
    assert (stored.name, stored.version) == (NAME, VERSION)
    upload = request_json(kind, "/component-version/upload", "descriptor")
    repository.add(ComponentDescriptor.from_json(upload, name="recorded"), replace=True)
    resource = Resource.model_validate(request_json(kind, "/local-resource/upload", "resource"))
    source = Source.model_validate(request_json(kind, "/local-source/upload", "source"))
    done = repository.put_blob(NAME, VERSION, resource, BytesBlob(CONTENT))
    assert done.access == resource.access
    assert done.digest is not None
    assert repository.put_blob(NAME, VERSION, source, BytesBlob(CONTENT)) == source
    assert read(repository.blob(stored, stored.component.resources[0])) == b"hello"
    sources = stored.component.model_copy(update={"sources": (source,)})
    blob = repository.blob(stored.model_copy(update={"component": sources}), source)
    assert blob.media_type == "application/vnd.acme.blob"
    assert read(blob) == b"hello"
    # The second request for versions was recorded without credentials.
    assert instance.left() == ["/component-versions?name=acme.org%2Fdemo%2Fapp"]


def test_component_lister(open_plugin):
    provider, instance = open_plugin(Kind.COMPONENT_LISTER, "ProbeRepository/v1")
    assert provider.open(SPEC).components() == [NAME]
    assert instance.left() == []


def test_resource_repository(open_plugin):
    kind = Kind.RESOURCE_REPOSITORY
    proxy, instance = open_plugin(kind, "ProbeAccess/v1")
    resource = Resource.model_validate(request_json(kind, "/resource/get", "resource"))
    assert read(proxy.fetch(resource)) == b"hello"
    assert instance.left() == ["/resource/add"]


def test_resource_repository_stores(open_plugin):
    kind = Kind.RESOURCE_REPOSITORY
    proxy, instance = open_plugin(kind, "ProbeAccess/v1")
    resource = Resource.model_validate(request_json(kind, "/resource/add", "resource"))
    assert proxy.store(resource, BytesBlob(CONTENT)).digest is not None
    assert instance.left() == ["/resource/get"]


def test_digest_processor(open_plugin):
    kind = Kind.DIGEST_PROCESSOR_REPOSITORY
    proxy, instance = open_plugin(kind, "ProbeAccess/v1")
    resource = request_json(kind, "/resource/digest/process", "resource")
    done = proxy.process(Resource.model_validate(resource))
    assert done.digest is not None
    assert done.digest.hash_algorithm == "SHA-256"
    assert instance.left() == []


@pytest.mark.parametrize("name", ["resource", "source"])
def test_input_method(open_plugin, name):
    kind = Kind.INPUT_REPOSITORY
    proxy, _ = open_plugin(kind, "ProbeInput/v1")
    element = request_json(kind, f"/{name}/process", name)
    done, blob = proxy.process(element, source=name == "source")
    assert done["access"]["type"] == "ProbeAccess/v1"
    assert read(blob) == b"hello"


def test_blob_transformer(open_plugin):
    proxy, instance = open_plugin(Kind.BLOB_TRANSFORMER, "ProbeTransform/v1")
    blob = proxy.transform(BytesBlob(CONTENT), json.loads(INPUTS["Trans"]))
    assert read(blob) == b"hello"
    assert instance.left() == []


def test_signing_handler(open_plugin):
    kind = Kind.SIGNING_HANDLER
    proxy, instance = open_plugin(kind, "ProbeSign/v1")
    config = json.loads(INPUTS["Sign"])
    digest = DigestSpec.model_validate(request_json(kind, "/sign", "digest"))
    assert proxy.sign(digest, config, name="release").value == "AAEC"
    proxy.verify(Signature.model_validate(request_json(kind, "/verify", "signature")), config)
    assert instance.left() == []


def test_credential_repository(open_plugin):
    proxy, _ = open_plugin(Kind.CREDENTIAL_REPOSITORY, "OCIRegistry/v1")
    identity = {"type": "OCIRegistry/v1", "hostname": "ghcr.io"}
    found = proxy.resolve(json.loads(INPUTS["Vault"]), identity)
    assert found["properties"] == {"username": "u", "password": "p"}


def test_credential_plugin(open_plugin):
    proxy, instance = open_plugin(Kind.CREDENTIAL_PLUGIN, "ProbeCredPlugin/v1")
    identity = {"type": "OCIRegistry/v1", "hostname": "ghcr.io"}
    found = proxy.resolve(json.loads(INPUTS["CredP"]), identity)
    assert found["type"] == "Credentials/v1"
    assert instance.left() == []


def test_a_capability_without_endpoints_has_no_proxy():
    with pytest.raises(PluginProtocolError, match="generic"):
        proxy_for(Capability.GENERIC, None, "x")


def test_no_temporary_file_is_left(open_plugin, tmp_path):
    proxy, _ = open_plugin(Kind.BLOB_TRANSFORMER, "ProbeTransform/v1")
    proxy.transform(BytesBlob(CONTENT), json.loads(INPUTS["Trans"]))
    assert [path.name for path in tmp_path.iterdir()] == ["blob.bin"]
