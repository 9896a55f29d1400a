"""The built-in plugins, through the same look-up as all others."""

from __future__ import annotations

import pytest

from ocm_pkg.contract.capabilities import Capability, Kind
from ocm_pkg.errors import (
    ConfigError,
    IntegrityError,
    PluginNotFoundError,
    UnreachableContentError,
    UsageError,
)
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.descriptor import Resource
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.plugin import builtin
from ocm_pkg.plugin.builtin import CTF_ID, OCI_ID, builtin_plugins
from ocm_pkg.plugin.manager import PluginManager
from ocm_pkg.store.memory import MemoryStore


@pytest.fixture
def manager(tmp_path):
    with PluginManager(
        [tmp_path / "none"], builtin=builtin_plugins(tmp_path), environment={}
    ) as manager:
        yield manager


@pytest.mark.parametrize("type_name", ["ctf", "CTF", "CommonTransportFormat/v1"])
def test_a_ctf_is_opened_under_any_spelling(manager, type_name):
    repository = manager.open(RepositorySpec(type_name, "./archive"), create=True)
    assert list(repository.versions("example.com/x")) == []


def test_the_built_in_both_reads_and_writes_and_is_listed(manager):
    for asked in (
        Capability.READ_COMPONENT_VERSION_REPOSITORY,
        Capability.WRITE_COMPONENT_VERSION_REPOSITORY,
        Kind.COMPONENT_VERSION_REPOSITORY,
    ):
        assert manager.get_plugin(asked, "ctf") is builtin_base(manager)
    (listed,) = manager.plugins()
    assert listed.name == CTF_ID
    assert listed.path is None
    assert all(pair.wins for pair in listed.pairs)


def builtin_base(manager: PluginManager) -> object:
    return manager.get_plugin(Capability.READ_COMPONENT_VERSION_REPOSITORY, "CTF")


@pytest.mark.parametrize("create", [False, True])
def test_a_type_that_nobody_serves_is_not_found(manager, create):
    with pytest.raises(PluginNotFoundError, match="for the type Other/v1"):
        manager.open(RepositorySpec("Other/v1", "x"), create=create)


@pytest.mark.parametrize("name", ["nobody", "", "..", "\x1b[31m"])
def test_a_name_that_is_no_plugin_is_not_found(manager, name):
    with pytest.raises(PluginNotFoundError) as caught:
        manager.capabilities(name)
    assert caught.value.message.isprintable()


def test_options_that_are_wrong_are_refused():
    for options in ({"idle_timeout": 0}, {"transport": "smoke"}, {"prefer": "neither"}):
        with pytest.raises(ConfigError):
            PluginManager([], environment={}, **options)


@pytest.mark.parametrize(("method", "path"), [("GET", "x"), ("GET /x", "/x"), ("GET", "/x y")])
def test_a_request_that_is_none_is_refused_before_anything_is_run(manager, method, path):
    with pytest.raises(UsageError, match="cannot be sent"):
        manager.call("nobody", method, path)


def test_closing_twice_is_allowed(manager):
    manager.close()
    manager.close()


class Registries:
    """One store in memory for every registry."""

    def __init__(self):
        self.store = MemoryStore()
        self.opened = []

    def repository_store(self, spec):
        return self.store_of(spec.location)

    def store_of(self, address, _repository=""):
        self.opened.append(address)
        return self.store


class Secrets:
    def resolve(self, config, identity):
        return {"config": config, "identity": identity}


@pytest.fixture
def registries():
    return Registries()


@pytest.fixture
def with_oci(tmp_path, registries):
    plugins = builtin_plugins(tmp_path, registries=lambda: registries, credentials=Secrets)
    with PluginManager([tmp_path / "none"], builtin=plugins, environment={}) as manager:
        yield manager


def test_the_oci_plugin_has_the_capabilities_of_the_adr_s_sample(with_oci):
    (ctf, oci) = with_oci.plugins()
    assert (ctf.name, oci.name) == (CTF_ID, OCI_ID)
    assert OCI_ID == "ocm.software/oci-plugin/v1"
    pairs = {(pair.type, pair.capability) for pair in oci.pairs}
    assert {
        ("oci", "readComponentVersionRepository"),
        ("oci", "writeComponentVersionRepository"),
        ("oci", "readResourceRepository"),
        ("oci", "writeResourceRepository"),
        ("OCIRegistry", "credentialRepositoryPlugin"),
    } <= pairs
    assert all(pair.wins for pair in oci.pairs)


@pytest.mark.parametrize("type_name", ["oci", "OCIRegistry", "OCIRepository/v1"])
def test_a_registry_is_opened_under_any_spelling(with_oci, registries, type_name):
    repository = with_oci.open(RepositorySpec(type_name, "r.example/a"), create=True)
    assert list(repository.versions("example.com/x/y")) == []
    assert registries.opened == ["r.example/a"]


@pytest.mark.parametrize("type_name", ["oci", "ociArtifact", "OCIImage/v1", "ociRegistry"])
@pytest.mark.parametrize("asked", [Capability.READ_RESOURCE_REPOSITORY, Kind.RESOURCE_REPOSITORY])
def test_resources_are_found_by_their_access_and_as_the_adr_says(with_oci, asked, type_name):
    resources = with_oci.get_plugin(asked, type_name)
    value = {"name": "image", "version": "1.0.0", "type": "ociImage", "relation": "external"}
    access = {"type": "ociArtifact/v1", "imageReference": "r.example/a:1.0"}
    resource = Resource.model_validate({**value, "access": access})
    for call in (resources.fetch, resources.process):
        with pytest.raises(UnreachableContentError, match=r"image:1\.0\.0 is outside"):
            call(resource)
    with pytest.raises(IntegrityError):
        resources.store(resource, BytesBlob(b"no layout"))


def test_components_are_listed_where_the_store_knows_them(with_oci, registries):
    lister = with_oci.get_plugin(Kind.COMPONENT_LISTER, "oci")
    spec = RepositorySpec("oci", "r.example")
    assert list(lister.open(spec).components()) == []
    registries.store = object()
    with pytest.raises(UsageError, match="can't list its components"):
        lister.open(spec)


@pytest.mark.parametrize("type_name", ["OCIRegistry", "OCIRegistry/v1"])
def test_credentials_are_found_by_the_type_of_the_consumer(with_oci, type_name):
    found = with_oci.get_plugin(Capability.CREDENTIAL_REPOSITORY_PLUGIN, type_name)
    config, identity = {"type": "DockerConfig/v1"}, {"type": type_name, "hostname": "r.example"}
    assert found.resolve(config, identity) == {"config": config, "identity": identity}


def test_without_a_configuration_to_read_there_are_no_credentials(registries):
    assert builtin.OCIPlugin(lambda: registries).resolve({}, {}) is None


def test_a_program_without_the_oci_client_has_no_oci_plugin(tmp_path, registries, monkeypatch):
    monkeypatch.setattr(builtin, "has_registries", lambda: False)
    (ctf,) = builtin_plugins(tmp_path, registries=lambda: registries)
    assert ctf.id == CTF_ID
    manager = PluginManager([tmp_path], builtin=(ctf,), environment={})
    with manager, pytest.raises(PluginNotFoundError, match="for the type OCIRepository/v1"):
        manager.open(RepositorySpec("oci", "r.example"))
