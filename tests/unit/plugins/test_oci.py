"""The OCI plugin without a network: what it declares, whose secrets it asks for and uses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocm_pkg.contract.capabilities import Capabilities, Kind
from ocm_pkg.contract.jsontext import write_json
from ocm_pkg.errors import InvalidDocumentError, OcmPkgError
from ocm_pkg.model.types import repository_types
from ocm_pkg.plugin.registry import ExternalPlugin
from ocm_pkg.plugin.specs import check_spec
from ocm_pkg.plugins import oci
from ocm_pkg.plugins.connections import MAX_KEPT, Connections, Given, RegistryProvider, consumer_of

REGISTRY = {"type": "OCIRegistry", "hostname": "r.example", "scheme": "https", "port": "443"}
SECRET = {"type": "Credentials/v1", "properties": {"username": "alice", "password": "pw"}}


@pytest.fixture
def able():
    plugin = oci.create(oci.OCIOpener())
    return Capabilities.parse(write_json(plugin.capabilities().to_json()).encode())


def test_the_answer_of_the_adr_is_the_adr_s_own_sample(able):
    assert json.loads(write_json(able.to_json()))["type"] == {
        "oci": [
            "readComponentVersionRepository",
            "writeComponentVersionRepository",
            "readResourceRepository",
            "writeResourceRepository",
        ],
        "OCIRegistry": ["credentialRepositoryPlugin"],
    }


def test_every_spelling_of_a_type_is_declared(able):
    kind = Kind.COMPONENT_VERSION_REPOSITORY
    assert able.find(kind, "oci").names == repository_types("oci")
    for name in ("ociArtifact", "ociArtifact/v1", "OCIImage/v1", "ociRegistry", "ociImage"):
        for kind in (Kind.RESOURCE_REPOSITORY, Kind.DIGEST_PROCESSOR_REPOSITORY):
            assert able.find(kind, name).type == "ociArtifact/v1"
    assert able.find(Kind.RESOURCE_REPOSITORY, "OCIImageLayer/v1").type == "ociBlob/v1"
    (docker,) = able.kind(Kind.CREDENTIAL_REPOSITORY).repository_types
    assert docker.names == ("DockerConfig/v1", "DockerConfig")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (
            Kind.COMPONENT_VERSION_REPOSITORY,
            {"type": "oci", "baseUrl": "r.example", "subPath": "a"},
            {"type": "oci", "baseUrl": 7},
        ),
        (
            Kind.RESOURCE_REPOSITORY,
            {"type": "OCIImage/v1", "imageReference": "r.example/a"},
            {"type": "OCIImage/v1"},
        ),
        (
            Kind.RESOURCE_REPOSITORY,
            {"type": "ociBlob", "ref": "r.example/a", "digest": "sha256:0", "size": 3},
            {"type": "ociBlob", "ref": "r.example/a"},
        ),
    ],
)
def test_the_schemas_take_what_is_right_and_refuse_what_is_not(able, kind, good, bad):
    plugin = ExternalPlugin("oci", Path("oci"), able)
    check_spec(plugin, kind, good["type"], good)
    check_spec(plugin, kind, "oci", good)
    with pytest.raises(InvalidDocumentError, match="does not take this"):
        check_spec(plugin, kind, bad["type"], bad)


@pytest.mark.parametrize(
    ("spec", "identity"),
    [
        ({"baseUrl": "r.example"}, REGISTRY),
        ({"baseUrl": "https://r.example/a", "subPath": "b"}, {**REGISTRY, "path": "a/b"}),
        (
            {"baseUrl": "http://127.0.0.1:5000"},
            {**REGISTRY, "hostname": "127.0.0.1", "scheme": "http", "port": "5000"},
        ),
        ({"baseUrl": "docker.io"}, {**REGISTRY, "hostname": "docker.io"}),
        ({"imageReference": "r.example/a/b:1.0"}, {**REGISTRY, "path": "a/b"}),
        ({"ref": "r.example/a", "digest": "x"}, {**REGISTRY, "path": "a"}),
        ({"filePath": "x"}, None),
        ({"imageReference": 7}, None),
    ],
)
def test_the_consumer_is_the_registry_with_the_path_in_it(spec, identity):
    spec = {"type": "oci", **spec}
    assert consumer_of(spec) == identity
    assert oci.identity(spec) == identity


@pytest.mark.parametrize("spec", [{"baseUrl": "user:pw@r.example"}, {"imageReference": "a b"}])
def test_what_names_no_registry_has_no_consumer(spec):
    with pytest.raises(OcmPkgError) as caught:
        consumer_of({"type": "oci", **spec})
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "other",
    [{"hostname": "evil.example"}, {"scheme": "http", "port": "80"}, {"port": "8443"}],
)
def test_a_secret_is_given_to_its_registry_alone(other):
    given = Given(REGISTRY, SECRET)
    assert given.find({**REGISTRY, "path": "any"}).properties == SECRET["properties"]
    assert given.find({**REGISTRY, **other}) is None
    assert "pw" not in repr(given.find(REGISTRY))


@pytest.mark.parametrize(
    ("credentials", "properties"),
    [
        (None, None),
        ({}, None),
        ({"type": "Credentials/v1", "properties": {}}, None),
        ({"type": "Credentials/v1", "properties": {"username": 7}}, None),
        ({"type": "OCICredentials/v1", "accessToken": "t", "other": "x"}, {"accessToken": "t"}),
        (SECRET, SECRET["properties"]),
    ],
)
def test_credentials_come_in_two_forms_or_not_at_all(credentials, properties):
    found = Given(REGISTRY, credentials).find(REGISTRY)
    assert (found and dict(found.properties)) == properties


def test_connections_are_kept_apart_by_registry_and_secret_and_are_bounded():
    connections = Connections({}, None, [{"type": "http.config.ocm.software", "timeout": "5s"}])
    first = connections.registries(REGISTRY, SECRET)
    assert connections.registries({**REGISTRY, "path": "a"}, dict(SECRET)) is first
    assert connections.registries(REGISTRY, None) is not first
    assert connections.registries({**REGISTRY, "port": "5000"}, SECRET) is not first
    for number in range(MAX_KEPT):
        connections.registries(REGISTRY, {"properties": {"username": str(number)}})
    assert connections.registries(REGISTRY, SECRET) is not first
    connections.close()


def test_each_call_gets_a_handler_and_the_end_closes_everything(monkeypatch):
    monkeypatch.setenv("HOME", "not-absolute")
    opener = oci.OCIOpener()
    opener.close()
    opener.configure({"type": "http.config.ocm.software/v1alpha1", "timeout": "5s"})
    spec = {"type": "oci", "baseUrl": "r.example"}
    assert opener.repository(spec, None) is not opener.repository(spec, SECRET)
    access = {"type": "ociArtifact", "imageReference": "r.example/a"}
    assert opener.resources(access, None) is not opener.resources(access, None)
    config = {"type": "DockerConfig/v1", "dockerConfig": {"auths": {}}}
    assert opener.docker(config, None).resolve(REGISTRY) is None
    opener.close()


def test_a_provider_opens_the_repository_of_its_registries():
    class Stores:
        def repository_store(self, spec):
            return spec.location

    from ocm_pkg.model.reference import RepositorySpec

    opened = RegistryProvider(Stores()).open(RepositorySpec("oci", "r.example/a"), create=True)
    assert opened.store == "r.example/a"
