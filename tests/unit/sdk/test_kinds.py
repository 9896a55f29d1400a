"""The kinds beside component versions: what their calls give to a plugin, and get from it."""

from __future__ import annotations

import json
import os

import pytest

from ocm_pkg.contract.capabilities import Capabilities, Capability, Kind
from ocm_pkg.contract.jsontext import write_json
from ocm_pkg.contract.messages import encode_credentials
from ocm_pkg.errors import DuplicatePluginError
from ocm_pkg.sdk import Content, Plugin
from ocm_pkg.sdk.calls import Calls
from ocm_pkg.sdk.http import Request
from ocm_pkg.sdk.log import Log

ACCESS = {"type": "Image/v1", "imageReference": "r.example/a"}
RESOURCE = {"name": "image", "version": "1.0.0", "access": ACCESS}
SECRET = {"type": "Credentials/v1", "properties": {"username": "alice"}}
CONFIG = {"type": "Vault/v1", "path": "x"}
CONSUMER = {"type": "Registry", "hostname": "r.example"}


class Everything:
    """Serves every kind, and remembers what it was made with."""

    made: list[object]

    def __init__(self):
        self.made = []
        self.found = SECRET

    def make(self, spec, credentials):
        self.made.append((spec, credentials))
        return self

    def components(self):
        return ["b.org/b", "a.org/a"]

    def fetch(self, resource):
        return Content("/content", resource, "text/plain")

    def store(self, resource, path, media_type):
        return {**resource, "access": {**ACCESS, "size": path.stat().st_size, "m": media_type}}

    def process(self, resource):
        return {**resource, "digest": {}}

    def resolve(self, identity):
        assert identity == CONSUMER
        return self.found


def host(spec):
    return {"type": "Registry", "hostname": spec["host"]} if "host" in spec else None


@pytest.fixture
def served():
    return Everything()


@pytest.fixture
def plugin(served):
    plugin = Plugin("p")
    plugin.component_lister("Repo/v1", identity=host)(served.make)
    plugin.resource_repository("Image/v1", aliases=["Image"], adr_type="repo")(served.make)
    plugin.digest_processor("Image/v1", identity=lambda _: CONSUMER)(served.make)
    plugin.credential_repository("Registry", "Vault/v1", aliases=["Vault"], identity=host)(
        served.make
    )
    return plugin


@pytest.fixture
def post(plugin):
    reader, writer = os.pipe()
    calls = Calls(plugin, Log(writer))

    def send(path, body, credentials=None):
        headers = {"authorization": encode_credentials(credentials)} if credentials else {}
        return calls.answer(Request("POST", path, "", headers, json.dumps(body).encode()))

    yield send
    os.close(reader)
    os.close(writer)


def test_the_answer_to_capabilities_has_each_kind_once_with_its_types(plugin):
    found = Capabilities.parse(write_json(plugin.capabilities().to_json()).encode())
    assert found == plugin.capabilities()
    assert found.types == {
        "repo": (Capability.READ_RESOURCE_REPOSITORY, Capability.WRITE_RESOURCE_REPOSITORY),
        "Registry": (Capability.CREDENTIAL_REPOSITORY_PLUGIN,),
    }
    assert [support.kind for support in found.kinds] == [
        Kind.COMPONENT_LISTER,
        Kind.RESOURCE_REPOSITORY,
        Kind.DIGEST_PROCESSOR_REPOSITORY,
        Kind.CREDENTIAL_REPOSITORY,
    ]
    secrets = found.kind(Kind.CREDENTIAL_REPOSITORY)
    assert [entry.type for entry in secrets.types] == ["Registry"]
    assert [entry.names for entry in secrets.repository_types] == [("Vault/v1", "Vault")]


def test_a_class_that_cannot_store_only_reads(plugin):
    class Reader:
        def __init__(self, spec, credentials):
            pass

    plugin.resource_repository("Other/v1")(Reader)
    assert plugin.capabilities().types["Other/v1"] == (Capability.READ_RESOURCE_REPOSITORY,)
    assert not plugin.named("Other/v1")[0].writable


def test_a_name_may_be_used_once_in_each_kind(plugin, served):
    with pytest.raises(DuplicatePluginError, match="resourceRepository type Image already"):
        plugin.resource_repository("Image")(served.make)


def test_components_come_sorted_and_after_the_last_one_that_is_known(post, served):
    body = {"repository": {"type": "Repo/v1"}, "last": ""}
    assert json.loads(post("/components/list", body, SECRET).body) == {
        "list": ["a.org/a", "b.org/b"]
    }
    assert served.made == [({"type": "Repo/v1"}, SECRET)]
    body["last"] = "a.org/a"
    assert json.loads(post("/components/list", body).body) == {"list": ["b.org/b"]}
    assert post("/components/list", {**body, "last": 7}).status == 400


def test_content_is_handed_over_by_its_path(post, served):
    answer = post("/resource/get", {"resource": RESOURCE}, SECRET)
    location = {"type": "localFile", "value": "/content", "mediaType": "text/plain"}
    assert json.loads(answer.body) == {"location": location}
    assert served.made == [(ACCESS, SECRET)]


def test_content_is_stored_from_a_file(post, tmp_path):
    file = tmp_path / "blob"
    file.write_bytes(b"12345")
    location = {"type": "localFile", "value": str(file), "mediaType": "text/plain"}
    answer = post("/resource/add", {"resource": RESOURCE, "resourceLocation": location})
    stored = json.loads(answer.body)["resource"]
    assert stored["access"] == {**ACCESS, "size": 5, "m": "text/plain"}
    location["type"] = "unixNamedPipe"
    answer = post("/resource/add", {"resource": RESOURCE, "resourceLocation": location})
    assert answer.status == 400


def test_a_digest_is_completed(post):
    answer = post("/resource/digest/process", {"resource": RESOURCE})
    assert json.loads(answer.body) == {"resource": {**RESOURCE, "digest": {}}}


@pytest.mark.parametrize("access", [None, {}, {"type": "Other"}, {"type": ["Image/v1"]}, "text"])
def test_a_resource_without_an_access_of_a_known_type_is_a_bad_request(post, access):
    answer = post("/resource/get", {"resource": {**RESOURCE, "access": access}})
    assert answer.status == 400
    assert b"unknown access type" in answer.body


def test_credentials_are_resolved_by_configuration_and_identity(post, served):
    body = {"config": CONFIG, "identity": CONSUMER}
    assert json.loads(post("/resolve", body).body) == SECRET
    assert served.made == [(CONFIG, None)]
    served.found = None
    assert post("/resolve", body).status == 404
    assert post("/resolve", {**body, "config": {"type": "Other"}}).status == 400
    assert post("/resolve", {**body, "identity": {"port": 80}}).status == 400


def test_a_credential_repository_says_whose_credentials_it_needs_itself(post):
    answer = post("/consumer-identity", {"config": {**CONFIG, "host": "vault.example"}})
    assert json.loads(answer.body) == {"type": "Registry", "hostname": "vault.example"}
    assert post("/consumer-identity", {"config": CONFIG}).status == 404
    assert post("/consumer-identity", {"config": {"type": "Other"}}).status == 400


def test_the_identity_is_that_of_the_kind_that_knows_the_object(post):
    assert post("/identity", {"type": {"type": "Repo/v1"}}).body == b"null"
    answer = post("/identity", {"type": {"type": "Repo/v1", "host": "a"}})
    assert json.loads(answer.body)["identity"] == {"type": "Registry", "hostname": "a"}
    # One name in two kinds: the first function that has an identity says it.
    assert json.loads(post("/identity", {"type": ACCESS}).body) == {"identity": CONSUMER}
    assert post("/identity", {"type": {"type": "Other"}}).status == 400
