"""Sessions that were recorded from plugins of the reference Go SDK, against our client."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from ocm_pkg.contract.capabilities import Capabilities, Kind
from ocm_pkg.contract.startup import Address
from ocm_pkg.errors import (
    AuthenticationError,
    InvalidDocumentError,
    PluginCallError,
    PluginProtocolError,
)
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.descriptor import ComponentDescriptor, Resource, Source
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.plugin.client import Client
from ocm_pkg.plugin.kinds import proxy_for
from ocm_pkg.plugin.limits import ClientLimits
from ocm_pkg.plugin.recording import read_session
from ocm_pkg.plugin.registry import ExternalPlugin
from tests.fakes.recorded_server import recorded_server

FOLDER = Path(__file__).parents[3] / "shared/vectors/plugin-contract"
SESSIONS = sorted(FOLDER.glob("go-plugin-session.*.json"))
CREDENTIALS = {"type": "Credentials/v1", "properties": {"username": "alice", "password": 'p"w'}}
LIMITS = ClientLimits(call=5)

pytestmark = pytest.mark.skipif(not SESSIONS, reason="needs ../shared/vectors")


@pytest.fixture
def socket():
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder) / "s"


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.name.split(".")[1])
def test_every_recorded_answer_is_read_as_it_was_recorded(path, socket):
    exchanges = json.loads(path.read_text())["exchanges"]
    read = read_session(path)
    assert len(read) == len(exchanges) > 0
    client = Client(Address.unix(str(socket)), plugin="go", limits=LIMITS)
    with recorded_server(socket, exchanges) as server:
        for exchange, entry in zip(exchanges, read, strict=True):
            body = entry.body
            data = body if isinstance(body, str) else json.dumps(body)
            response = client.send(
                entry.method,
                entry.path,
                body=None if body is None else data.encode(),
                headers=dict(entry.headers),
            )
            recorded = exchange["response"]
            assert response.status == recorded["status"]
            if entry.method != "HEAD":
                assert response.body.decode() == recorded["body"]
            if "json" in recorded:
                assert json.loads(response.body) == recorded["json"]
    asked = [(method, target) for method, target, _, _ in server.asked]
    assert asked == [(one.method, one.path) for one in read]


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.name.split(".")[1])
def test_the_recorded_capabilities_register(path):
    session = json.loads(path.read_text())
    able = Capabilities.parse(session["capabilities"]["stdout"].encode())
    assert able.contracts == ("v2",)
    assert able.kinds
    assert not able.unknown
    line = session["start"]["stdout_first_line"]
    assert Address.parse_line(line) is not None


class OneCall:
    """A plugin process record whose client talks to a recorded server."""

    def __init__(self, plugin: ExternalPlugin, socket: Path, folder: Path) -> None:
        self.plugin = plugin
        self._client = Client(Address.unix(str(socket)), plugin=plugin.name, limits=LIMITS)
        self._folder = folder

    def call(self, method, path, *, body=None, headers=None, **_):
        return self._client.send(method, path, body=body, headers=headers)

    def content_folder(self):
        return self._folder

    def explain(self, error, phase):
        pass


class Session:
    """The recorded session of the component version repository."""

    def __init__(self, socket: Path, folder: Path) -> None:
        path = FOLDER / "go-plugin-session.component-version.json"
        self.recorded = json.loads(path.read_text())
        able = Capabilities.parse(self.recorded["capabilities"]["stdout"].encode())
        self.plugin = ExternalPlugin("go", folder, able)
        self.socket, self.folder = socket, folder

    def find(self, path: str, status: int) -> dict:
        """Return the recorded exchange with a path and a status."""
        return next(
            e
            for e in self.recorded["exchanges"]
            if e["request"]["path"].startswith(path)
            and e["response"]["status"] == status
            and e["request"]["method"] in ("GET", "POST")
        )

    def play(self, path: str, status: int, use, *, credentials=True):
        """Let ``use`` have a repository whose next call gets a recorded answer."""
        identity = {
            "response": {
                "status": 200,
                "headers": {"Content-Length": "32"},
                "body": '{"identity":{"type":"Probe/v1"}}',
            }
        }
        exchanges = (
            [identity, self.find(path, status)] if credentials else [self.find(path, status)]
        )
        with recorded_server(self.socket, exchanges) as server:
            try:
                provider = proxy_for(
                    Kind.COMPONENT_VERSION_REPOSITORY,
                    OneCall(self.plugin, self.socket, self.folder),
                    "DummyRepository/v1",
                    credentials=(lambda _: CREDENTIALS) if credentials else None,
                )
                spec = {"type": "DummyRepository/v1", "baseUrl": "ocm.software/repo-a"}
                return use(provider.open(RepositorySpec.from_spec(spec))), server.asked[-1]
            finally:
                self.socket.unlink()


NAME, VERSION = "acme.org/demo/app", "1.4.0"


@pytest.fixture
def session(socket, tmp_path):
    return Session(socket, tmp_path)


def test_versions(session):
    versions, asked = session.play("/component-versions", 200, lambda r: list(r.versions(NAME)))
    assert versions == ["v0.0.2", "v0.0.1"]
    method, target, headers, body = asked
    assert (method, body) == ("GET", "")
    assert target.startswith("/component-versions?name=acme.org%2Fdemo%2Fapp&repository=")
    assert json.loads(headers["authorization"]) == CREDENTIALS


def test_without_credentials_an_empty_object_is_sent_and_a_refusal_is_told(session):
    with pytest.raises(AuthenticationError, match="status 401: incorrect authentication header"):
        session.play("/component-versions", 401, lambda r: r.versions(NAME), credentials=False)


def test_a_descriptor_that_is_not_valid_or_not_the_asked_one_is_refused(session):
    with pytest.raises(PluginProtocolError, match="descriptor is not valid"):
        session.play("/component-version/download", 200, lambda r: r.get(NAME, VERSION))


def _descriptor(session: Session) -> ComponentDescriptor:
    body = session.find("/component-version/upload", 200)["request"]["body"]
    return ComponentDescriptor.from_json(body["descriptor"], name="recorded")


def test_a_component_version_is_uploaded_with_the_recorded_body(session):
    descriptor = _descriptor(session)
    _, asked = session.play(
        "/component-version/upload", 200, lambda r: r.add(descriptor, replace=True)
    )
    sent, recorded = json.loads(asked[3]), session.find("/component-version/upload", 200)
    assert sent["repository"] == recorded["request"]["body"]["repository"]
    assert ComponentDescriptor.from_json(sent["descriptor"], name="sent") == descriptor


def test_an_upload_that_fails_is_told_with_the_text_of_the_plugin(session):
    descriptor = _descriptor(session)
    with pytest.raises(PluginCallError, match="status 500: failed to decode request"):
        session.play("/component-version/upload", 500, lambda r: r.add(descriptor, replace=True))


@pytest.mark.parametrize("kind", ["resource", "source"])
def test_content_uploads_reach_the_recorded_panic(session, kind):
    body = session.find(f"/local-{kind}/upload", 500)["request"]["body"]
    model = Resource if kind == "resource" else Source
    element = model.model_validate(body[kind])
    with pytest.raises(PluginCallError, match="status 500: panic recovered"):
        session.play(
            f"/local-{kind}/upload",
            500,
            lambda r: r.put_blob(NAME, VERSION, element, BytesBlob(b"x")),
        )


@pytest.mark.parametrize("kind", ["resource", "source"])
def test_the_placeholder_of_a_recorded_path_is_no_absolute_path(session, kind):
    descriptor = _descriptor(session)
    element = getattr(descriptor.component, f"{kind}s")[0]
    with pytest.raises(PluginProtocolError, match="not an absolute path"):
        session.play(f"/local-{kind}/download", 200, lambda r: r.blob(descriptor, element))


def test_a_spec_that_the_go_schema_refuses_is_not_sent(session, tmp_path):
    provider = proxy_for(
        Kind.COMPONENT_VERSION_REPOSITORY,
        OneCall(session.plugin, session.socket, tmp_path),
        "DummyRepository/v1",
    )
    with pytest.raises(InvalidDocumentError, match="'baseUrl' is a required property"):
        provider.open(RepositorySpec.from_spec({"type": "DummyRepository/v1"}))
    extra = {"type": "DummyRepository/v1", "baseUrl": "x", "other": 1}
    with pytest.raises(InvalidDocumentError, match="'other' was unexpected"):
        provider.open(RepositorySpec.from_spec(extra))
