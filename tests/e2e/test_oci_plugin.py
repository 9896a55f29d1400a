"""The project's own OCI plugin as a process: all that it can do, and the secrets that it gets."""

from __future__ import annotations

import base64
import json
from itertools import pairwise

import bcrypt
import pytest

from ocm_pkg.contract.capabilities import Capability, Kind
from ocm_pkg.errors import AuthenticationError, OcmPkgError, PluginCallError
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.model.descriptor import Resource
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.plugin.elsewhere import PluginResources
from ocm_pkg.plugin.manager import Hooks, PluginManager
from ocm_pkg.services.transfer import transfer
from ocm_pkg.store.artifact import LAYOUT_TAR, read_artifact
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.certificates import Authority
from tests.fakes.components import NAME, stored
from tests.fakes.own_plugins import write_own_plugin
from tests.fakes.plugin_process import environment
from tests.fakes.served import served

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
USER, PASSWORD = "alice", "correct horse"
CONTENT = b"content of a layer"


class World:
    """Both plugins in a folder, and what a manager of them is asked for."""

    def __init__(self, folder, home):
        self.folder, self.home = folder, home
        self.identities = []
        self.secret = None

    def manager(self, **options):
        hooks = Hooks(credentials=self.credentials)
        surroundings = environment(self.home, **options.pop("environ", {}))
        return PluginManager(
            [self.folder], builtin=(), environment=surroundings, hooks=hooks, **options
        )

    def credentials(self, identity):
        self.identities.append(identity)
        if self.secret is None:
            return None
        properties = {"username": USER, "password": self.secret}
        return {"type": "Credentials/v1", "properties": properties}


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugins")
    write_own_plugin(folder, "ctf")
    write_own_plugin(folder, "oci")
    return folder


@pytest.fixture
def world(programs, tmp_path):
    return World(programs, tmp_path)


@pytest.fixture
def manager(world):
    with world.manager() as manager:
        yield manager


@pytest.fixture
def htpasswd(tmp_path):
    path = tmp_path / "htpasswd"
    line = f"{USER}:".encode() + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4))
    path.write_bytes(line + b"\n")
    return path


def layout(store: MemoryStore):
    """Return the tar of an image with one layer; put it into ``store`` as ``image:1.0``."""
    layer = store.push("image", BytesBlob(CONTENT), "application/octet-stream")
    config = store.push("image", BytesBlob(b"{}"), "application/vnd.oci.empty.v1+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.to_json(),
        "layers": [layer.to_json()],
    }
    top = store.push("image", BytesBlob(json.dumps(manifest).encode()), MANIFEST)
    store.tag("image", top, "1.0")
    return read_all(read_artifact(store, "image", top, "image"), 100_000, "image"), top


def image(reference, **members):
    plain = {"name": "image", "version": "1.0.0", "type": "ociImage", "relation": "external"}
    access = {"type": "OCIImage/v1", "imageReference": reference}
    return Resource.model_validate({**plain, "access": access, **members})


def test_without_anything_built_in_a_ctf_goes_to_a_registry_and_back(manager, tmp_path):
    first = ComponentRepository(CTFStore(tmp_path / "first", create=True))
    added = stored(first, content=b"x" * 300_000, os="linux", architecture="amd64")
    with served() as registry:
        places = [
            RepositorySpec("ctf", str(tmp_path / "first")),
            RepositorySpec("oci", f"{registry.url}/sub/path"),
            RepositorySpec("ctf", str(tmp_path / "second")),
        ]
        for source, destination in pairwise(places):
            transfer(
                NAME,
                "1.0.0",
                source=manager.open(source),
                destination=manager.open(destination, create=True),
                repository=str(destination),
            )
        assert f"sub/path/component-descriptors/{NAME}" in registry.store.repositories()
        lister = manager.get_plugin(Kind.COMPONENT_LISTER, "oci")
        assert lister.open(places[1]).components() == [NAME]
    again = ComponentRepository(CTFStore(tmp_path / "second", create=False))
    assert again.get(NAME, "1.0.0") == added
    assert again.get(NAME, "1.0.0").encode() == added.encode()
    index = [tmp_path / name / "artifact-index.json" for name in ("first", "second")]
    assert index[0].read_bytes() == index[1].read_bytes()


def test_the_secret_for_the_identity_that_the_plugin_gives_is_used(world, htpasswd):
    with served(htpasswd=htpasswd) as registry:
        spec = RepositorySpec("oci", f"{registry.url}/private")
        host, _, port = registry.host.partition(":")
        world.secret = PASSWORD
        with world.manager() as manager:
            added = stored(manager.open(spec, create=True))
            assert manager.open(spec).get(NAME, "1.0.0") == added
        consumer = {"type": "OCIRegistry", "scheme": "http", "hostname": host, "port": port}
        assert {**consumer, "path": "private"} in world.identities
        for wrong in (None, "wrong"):
            world.secret = wrong
            with world.manager() as manager, pytest.raises(AuthenticationError) as caught:
                manager.open(spec).get(NAME, "1.0.0")
            assert "wrong" not in str(caught.value)


def test_an_authority_of_the_environment_and_settings_of_the_configuration_count(world, tmp_path):
    authority = Authority(tmp_path / "ca")
    pair = authority.issue("127.0.0.1")
    settings = {"type": "http.config.ocm.software/v1alpha1", "insecureSkipVerify": True}
    with served(tls=(pair.certificate, pair.key)) as registry:
        spec = RepositorySpec("oci", registry.url)
        with world.manager() as manager, pytest.raises(PluginCallError, match="certificate"):
            manager.open(spec).versions(NAME)
        with world.manager(configurations=[{"type": "other"}, settings]) as manager:
            assert list(manager.open(spec).versions(NAME)) == []
        with world.manager(environ={"SSL_CERT_FILE": str(authority.certificate)}) as manager:
            assert list(manager.open(spec).versions(NAME)) == []


def test_an_artifact_is_stored_fetched_and_pinned(world, htpasswd, tmp_path):
    tar, top = layout(MemoryStore())
    file = tmp_path / "layout.tar"
    file.write_bytes(tar)
    world.secret = PASSWORD
    with served(htpasswd=htpasswd) as registry, world.manager() as manager:
        resource = image(f"{registry.url}/acme/image:1.0")
        write = manager.get_plugin(Capability.WRITE_RESOURCE_REPOSITORY, "oci")
        done = write.store(resource, BytesBlob(tar, LAYOUT_TAR))
        assert done.access.image_reference.endswith(f"/acme/image:1.0@{top.digest}")
        assert world.identities[-1]["path"] == "acme/image"
        read = manager.get_plugin(Capability.READ_RESOURCE_REPOSITORY, "OCIImage/v1")
        for each in (resource, done):
            blob = read.fetch(each)
            assert (read_all(blob, 100_000, "it"), blob.media_type) == (tar, LAYOUT_TAR)
        process = manager.get_plugin(Kind.DIGEST_PROCESSOR_REPOSITORY, "ociArtifact")
        assert PluginResources(manager).digest(resource) == top.digest
        pinned = process.process(resource)
        assert pinned.digest.value == top.digest.hex
        assert pinned.access == done.access
        with pytest.raises(PluginCallError):
            read.fetch(image(f"{registry.url}/acme/image:2.0"))


def test_a_layer_is_reached_by_its_digest(manager):
    store = MemoryStore()
    layout(store)
    access = {"type": "ociBlob/v1", "digest": str(digest_of(CONTENT)), "size": len(CONTENT)}
    read = manager.get_plugin(Kind.RESOURCE_REPOSITORY, "ociBlob/v1")
    with served(store) as registry:
        plain = image("unused").to_json()
        plain["access"] = {**access, "ref": f"{registry.url}/image"}
        assert read_all(read.fetch(Resource.model_validate(plain)), 1000, "layer") == CONTENT


def test_docker_s_configuration_is_a_repository_of_credentials(manager):
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    config = {"type": "DockerConfig/v1", "dockerConfig": {"auths": {"r.example": {"auth": auth}}}}
    secrets = manager.get_plugin(Capability.CREDENTIAL_REPOSITORY_PLUGIN, "OCIRegistry")
    identity = {"type": "OCIRegistry", "hostname": "r.example"}
    assert secrets.resolve(config, identity) == {
        "type": "Credentials/v1",
        "properties": {"username": USER, "password": PASSWORD},
    }
    assert secrets.resolve(config, {**identity, "hostname": "other.example"}) is None
    with pytest.raises(OcmPkgError):
        secrets.resolve({"type": "Vault/v1"}, identity)
