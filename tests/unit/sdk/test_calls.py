from __future__ import annotations

import json
import os

import pytest

from ocm_pkg.contract.messages import encode_credentials, encode_object, encode_query
from ocm_pkg.errors import AlreadyExistsError, ConfigError, DigestMismatchError
from ocm_pkg.sdk import Conflict, Content, Invalid, NotFound, Plugin, Unauthorized
from ocm_pkg.sdk.calls import Calls
from ocm_pkg.sdk.http import Request
from ocm_pkg.sdk.log import Log
from tests.fakes import probe_repository

SPEC = {"type": "ProbeRepository/v1", "baseUrl": "https://repo.example/ocm"}
CV = {"name": "acme.org/demo/app", "version": "1.4.0"}


@pytest.fixture
def log():
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield Log(writer), reader
    os.close(reader)
    os.close(writer)


@pytest.fixture
def calls(log):
    return Calls(probe_repository.plugin, log[0])


def get(calls, path, credentials=None, **parameters):
    headers = {} if credentials is None else {"authorization": credentials}
    return calls.answer(Request("GET", path, encode_query(parameters), headers))


def post(calls, path, body, credentials=None):
    headers = {} if credentials is None else {"authorization": credentials}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return calls.answer(Request("POST", path, "", headers, data))


def serving(log, handler, **options):
    """Return the calls of a plugin whose one handler is ``handler``."""
    plugin = Plugin("p")
    plugin.component_version_repository("T/v1", **options)(lambda _spec, _credentials: handler)
    return Calls(plugin, log[0])


def test_health_is_answered_to_get_and_head(calls):
    assert get(calls, "/healthz").status == 200
    assert calls.answer(Request("HEAD", "/healthz", "", {})).status == 200
    answer = post(calls, "/healthz", {})
    assert (answer.status, answer.allow) == (405, "GET, HEAD")
    answer = get(calls, "/shutdown")
    assert (answer.status, answer.allow) == (405, "POST")


def test_paths_of_kinds_that_the_plugin_does_not_serve_are_not_found(calls):
    for path in ("/", "/sign", "/resolve", "/healthz/", "/component-versions/x"):
        assert post(calls, path, {}).status == 404


def test_the_repository_of_a_get_call_comes_as_a_parameter_or_is_the_only_one(calls):
    assert get(calls, "/component-version/download", **CV).status == 200
    spec = encode_object({**SPEC, "needsCredentials": True})
    assert get(calls, "/component-version/download", **CV, repository=spec).status == 401
    answer = get(calls, "/component-version/download", "{1", **CV, repository=spec)
    assert answer.status == 401
    credentials = encode_credentials({"type": "Credentials/v1"})
    answer = get(calls, "/component-version/download", credentials, **CV, repository=spec)
    assert answer.status == 200


def test_a_plugin_with_two_types_has_to_be_told_which(log):
    plugin = Plugin("p")
    for name in ("A/v1", "B/v1"):
        plugin.component_version_repository(name)(probe_repository.Probe)
    calls = Calls(plugin, log[0])
    answer = get(calls, "/component-versions", name="x")
    assert (answer.status, answer.body) == (400, b"the parameter repository is missing\n")
    chosen = encode_object({"type": "B/v1"})
    assert get(calls, "/component-versions", name="x", repository=chosen).status == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not one JSON value"),
        (b"[]", "not a JSON object"),
        ({"descriptor": {}}, "repository is missing"),
        ({"repository": SPEC}, "descriptor is missing"),
        ({"repository": SPEC, "descriptor": []}, "descriptor is missing or not an object"),
        ({"repository": {}, "descriptor": {}}, "unknown repository type None"),
        ({"repository": {"type": ["x"]}, "descriptor": {}}, "unknown repository type"),
        ({"repository": {"type": "Other/v1"}, "descriptor": {}}, "unknown repository type"),
    ],
)
def test_a_body_that_breaks_the_contract_is_a_bad_request(calls, body, message):
    answer = post(calls, "/component-version/upload", body)
    assert answer.status == 400
    assert message in answer.body.decode()


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"name": ""},
        {"name": "a", "version": "1"},
        {"name": "a", "version": "1", "identity": "!!"},
        {"name": "a", "version": "1", "identity": "WzFd"},
        {"name": "a", "version": "1", "identity": "e30=", "repository": "WzFd"},
    ],
)
def test_a_query_that_breaks_the_contract_is_a_bad_request(calls, parameters):
    assert get(calls, "/local-resource/download", **parameters).status == 400


def test_the_identity_is_null_where_there_is_none(calls, log):
    assert json.loads(post(calls, "/identity", {"type": SPEC}).body) == {
        "identity": {"type": "ProbeIdentity/v1", "hostname": "repo.example"}
    }
    assert post(calls, "/identity", {"type": {"type": "ProbeRepository"}}).body == b"null"
    without = serving(log, object())
    assert post(without, "/identity", {"type": {"type": "T/v1"}}).body == b"null"


@pytest.mark.parametrize("identity", [{"hostname": "x"}, {"type": "T", "port": 80}])
def test_an_identity_that_no_manager_could_use_is_a_defect(log, identity):
    calls = serving(log, object(), identity=lambda _: identity)
    assert post(calls, "/identity", {"type": {"type": "T/v1"}}).status == 500


def test_health_of_a_repository_is_checked_by_the_handler_or_by_making_it(calls, log):
    assert post(calls, "/component-version/check-health", {"repository": SPEC}).status == 200
    sick = {"repository": {**SPEC, "sick": True}}
    answer = post(calls, "/component-version/check-health", sick)
    assert (answer.status, answer.body) == (500, b"disk full\n")
    body = {"repository": {"type": "T/v1"}}
    assert post(serving(log, object()), "/component-version/check-health", body).status == 200


class Failing:
    def __init__(self, error):
        self.error = error

    def versions(self, _name):
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (NotFound("no such thing"), 404, "no such thing"),
        (Unauthorized("who are you"), 401, "who are you"),
        (Conflict("taken"), 409, "taken"),
        (AlreadyExistsError("taken"), 409, "taken"),
        (Invalid("bad"), 400, "bad"),
        (ConfigError("bad"), 400, "bad"),
        (ValueError("bad"), 400, "bad"),
        (DigestMismatchError("tampered"), 500, "tampered"),
        (KeyError(), 500, "KeyError"),
        (OSError(28, "No space left"), 500, "[Errno 28] No space left"),
        (RuntimeError("x" * 10000), 500, "x" * 2000 + "..."),
    ],
)
def test_what_an_implementation_raises_becomes_a_status_and_plain_text(log, error, status, message):
    answer = get(serving(log, Failing(error)), "/component-versions", name="a")
    assert (answer.status, answer.body.decode()) == (status, message + "\n")
    assert not answer.json
    assert b"Traceback" not in answer.body


def test_the_traceback_goes_to_the_log_without_the_secrets_of_the_call(log):
    hidden = "s3cr\u00e9t"
    calls = serving(log, Failing(RuntimeError(f"cannot log in with {hidden}")))
    credentials = {"type": "Credentials/v1", "properties": {"password": hidden, "n": [1, "abc"]}}
    answer = get(calls, "/component-versions", encode_credentials(credentials), name="a")
    assert answer.body == b"cannot log in with ***\n"
    line = os.read(log[1], 10**6)
    assert b"Traceback" in line
    assert hidden not in json.loads(line)["trace"]


@pytest.mark.parametrize(
    ("path", "handler"),
    [
        ("/component-versions", {"versions": [1]}),
        ("/component-version/download", {"get": None}),
        ("/local-resource/download", {"local_resource": ("relative", {})}),
        ("/local-resource/download", {"local_resource": ("/a", None)}),
        ("/local-source/download", {"local_source": None}),
    ],
)
def test_a_return_value_that_cannot_be_sent_is_a_failure(log, path, handler):
    methods = {name: lambda *_, value=value: value for name, value in handler.items()}
    calls = serving(log, type("Handler", (), {n: staticmethod(m) for n, m in methods.items()}))
    assert get(calls, path, **CV, identity="e30=").status == 500


def test_a_descriptor_may_come_as_the_text_that_is_stored(log):
    handler = type("H", (), {"get": lambda *_: b'{"meta" : {}}\n'})()
    answer = get(serving(log, handler), "/component-version/download", **CV)
    assert (answer.status, answer.body, answer.json) == (200, b'{"meta" : {}}\n', True)


def test_content_is_told_with_the_media_type_of_its_access(log):
    element = {"name": "a", "access": {"mediaType": "text/plain"}}
    handler = type("H", (), {"local_resource": lambda *_: ("/a", element)})()
    answer = get(serving(log, handler), "/local-resource/download", **CV, identity="e30=")
    location = {"type": "localFile", "value": "/a", "mediaType": "text/plain"}
    assert json.loads(answer.body) == {"location": location, "resource": element}
    handler = type("H", (), {"local_source": lambda *_: Content("/a", {"name": "a"})})()
    answer = get(serving(log, handler), "/local-source/download", **CV, identity="e30=")
    assert json.loads(answer.body)["location"] == {"type": "localFile", "value": "/a"}


def upload(location):
    resource = {"name": "app-binary"}
    return {"repository": SPEC, **CV, "resourceLocation": location, "resource": resource}


def test_an_uploaded_file_is_given_to_the_handler(calls, tmp_path):
    file = tmp_path / "blob"
    file.write_bytes(b"hello-plugin-payload")
    location = {"type": "localFile", "value": str(file)}
    assert post(calls, "/local-resource/upload", upload(location)).status == 200


@pytest.mark.parametrize(
    "location",
    [
        {"type": "localFile", "value": "blob"},
        {"type": "localFile", "value": "/does/not/exist"},
        {"type": "localFile", "value": "/"},
        {"type": "unixNamedPipe", "value": "/dev/null"},
        {"type": "remoteURL", "value": "https://repo.example"},
        {},
    ],
)
def test_a_location_that_is_no_local_file_is_refused(calls, location):
    assert post(calls, "/local-resource/upload", upload(location)).status == 400


def test_a_plugin_that_only_reads_refuses_writes_before_it_does_anything(log):
    calls = serving(log, None, writable=False)
    body = {"repository": {"type": "T/v1"}, "descriptor": {}}
    answer = post(calls, "/component-version/upload", body)
    assert (answer.status, answer.body) == (400, b"T/v1 can only be read\n")


def test_a_source_goes_both_ways(calls, tmp_path):
    file = tmp_path / "blob"
    file.write_bytes(b"hello-plugin-payload")
    location = {"type": "localFile", "value": str(file)}
    source = {"name": "code"}
    body = {"repository": SPEC, **CV, "sourceLocation": location, "source": source}
    assert json.loads(post(calls, "/local-source/upload", body).body) == source
    answer = get(calls, "/local-source/download", **CV, identity="e30=")
    assert json.loads(answer.body)["source"] == probe_repository.SOURCE


def test_a_descriptor_is_given_to_the_handler(calls):
    body = {"repository": SPEC, "descriptor": probe_repository.DESCRIPTOR}
    assert post(calls, "/component-version/upload", body).body == b""
    body["descriptor"] = {"component": {"name": "other"}}
    answer = post(calls, "/component-version/upload", body)
    assert (answer.status, answer.body) == (400, b"not my component\n")
