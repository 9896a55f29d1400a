"""The Rust crate ``container-registry`` 0.3.1: what it does otherwise, and what works with it."""

from __future__ import annotations

import base64
import http.client
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.errors import AuthenticationError, OcmPkgError, StoreError
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.model.config_credentials import Credentials
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.registries import Registries
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import stored
from tests.fakes.container_registry import container_registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.fakes.docker_registry import RunningRegistry

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1000)]
LOGIN = "s3cret-of-the-test"
REPOSITORY = "demo"
DATA = b"0123456789" * 1000


class Known:
    """Has the same secret for everybody who asks."""

    def __init__(self, password: str) -> None:
        self._password = password

    def find(self, _identity):
        return Credentials({"username": "ann", "password": self._password})


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with container_registry(tmp_path_factory.mktemp("registry"), LOGIN) as running:
        yield running


@pytest.fixture
def store(registry: RunningRegistry):
    with Registries(credentials=Known(LOGIN)) as registries:
        # It names the way to log in at /v2/ alone; elsewhere 401 comes without a challenge.
        registries.client(registry.url, "acme").call("GET", "/v2/").close()
        yield registries.store_of(f"{registry.url}/acme")


def ask(
    registry: RunningRegistry, method: str, target: str, body: bytes = b"", *, known: bool = True
) -> tuple[int, Mapping[str, str], bytes]:
    """Make a request without any client of ours; return status, headers and body."""
    connection = http.client.HTTPConnection(registry.host)
    login = base64.b64encode(f"ann:{LOGIN}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"} if known else {}
    connection.request(method, target, body=body, headers=headers)
    with connection.getresponse() as answer:
        got = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return got


def test_what_it_does_otherwise_is_still_so(registry):
    blob = f"blobs/{digest_of(DATA)}"
    assert ask(registry, "GET", "/v2/", known=False)[1]["www-authenticate"].startswith("Basic ")
    status, headers, _ = ask(registry, "HEAD", f"/v2/raw/demo/{blob}", known=False)
    assert (status, "www-authenticate" in headers) == (401, False)
    assert ask(registry, "HEAD", f"/v2/raw/demo/{blob}")[0] == 404
    assert ask(registry, "POST", "/v2/raw/demo/three/blobs/uploads/")[0] == 404
    location = ask(registry, "POST", "/v2/raw/demo/blobs/uploads/")[1]["location"]
    final = f"{location}?digest={digest_of(DATA)}"
    assert ask(registry, "PUT", final, DATA)[0] == 500
    assert ask(registry, "GET", location)[0] == 405
    assert ask(registry, "PATCH", location, DATA)[1]["range"] == f"0-{len(DATA)}"
    assert ask(registry, "PUT", final)[0] == 201
    status, headers, body = ask(registry, "GET", f"/v2/raw/demo/{blob}")
    assert (status, "content-length" in headers, body) == (200, False, DATA)
    manifest = b'{"schemaVersion":2,"config":{"digest":"sha256:%s","size":1}}' % (b"0" * 64)
    assert ask(registry, "PUT", f"/v2/raw/demo/manifests/{digest_of(manifest)}", manifest)[0] == 400
    assert ask(registry, "GET", "/v2/raw/demo/tags/list")[0] == 404


def test_what_is_there_is_read(registry, store):
    for data in (DATA, b"x", bytes(3_000_000)):
        location = ask(registry, "POST", "/v2/acme/demo/blobs/uploads/")[1]["location"]
        ask(registry, "PATCH", location, data)
        assert ask(registry, "PUT", f"{location}?digest={digest_of(data)}")[0] == 201
        descriptor = OCIDescriptor("text/plain", digest_of(data), len(data))
        assert store.exists(REPOSITORY, descriptor.digest).size == len(data)
        blob = store.fetch(REPOSITORY, descriptor)
        assert read_all(blob, len(data), "it") == data
        with blob.open(len(data) - 1) as stream:
            assert stream.read() == data[-1:]
    assert store.exists(REPOSITORY, digest_of(b"nowhere")) is None


def test_content_that_it_does_not_take_is_an_error_with_its_own_words(store):
    with pytest.raises(StoreError, match="not implemented"):
        store.push(REPOSITORY, BytesBlob(b"more"), "text/plain")
    assert store.exists(REPOSITORY, digest_of(b"more")) is None


def test_a_component_version_is_refused_with_a_reason(store):
    with pytest.raises(OcmPkgError) as refused:
        stored(ComponentRepository(store))
    assert refused.value.exit_code in (3, 5)


def test_R12_a_login_without_a_challenge_and_a_wrong_one_fail_at_once(registry):
    for password, first in (("wrong", True), (LOGIN, False)):
        with Registries(credentials=Known(password)) as registries:
            client = registries.client(registry.url)
            with pytest.raises(AuthenticationError) as refused:
                client.call("GET", "/v2/" if first else "/v2/acme/demo/manifests/1.0.0")
            assert password not in str(refused.value)
