"""The suites over Debian's docker-registry: plain HTTP, with users, and with TLS and users."""

from __future__ import annotations

import itertools
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.errors import AuthenticationError, TransportError
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.config_credentials import Credentials
from ocm_pkg.store.registries import Registries
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.certificates import Authority
from tests.fakes.docker_registry import docker_registry, needs_docker_registry
from tests.suites.ocistore_suite import REPOSITORY, OCIStoreSuite
from tests.suites.repository_suite import RepositorySuite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = needs_docker_registry
USERS = {"ann": "s3cret-of-the-test"}
WAYS = ("plain", "users", "tls")


class Known:
    """Has the same secret for everybody who asks."""

    def __init__(self, word: str) -> None:
        self._word = word

    def find(self, _identity):
        return Credentials({"username": "ann", "password": self._word})


@dataclass(frozen=True)
class Place:
    """A registry, and what it takes to get in."""

    url: str
    authority: Path | None
    has_users: bool
    numbers: Iterator[int]

    def registries(self, word: str = USERS["ann"], *, trusted: bool = True) -> Registries:
        environ = {"SSL_CERT_FILE": str(self.authority)} if self.authority and trusted else {}
        return Registries(credentials=Known(word), environ=environ)

    def path(self) -> str:
        """A part of the registry that no other test has."""
        return f"{self.url}/test-{next(self.numbers)}"


@pytest.fixture(scope="module", params=WAYS)
def place(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    authority = Authority(folder / "authority") if request.param == "tls" else None
    pair = authority.issue("127.0.0.1") if authority else None
    with docker_registry(
        folder,
        htpasswd=None if request.param == "plain" else USERS,
        tls=(pair.certificate, pair.key) if pair else None,
    ) as running:
        trusted = authority.certificate if authority else None
        yield Place(running.url, trusted, request.param != "plain", itertools.count())


@pytest.fixture
def registry_store(place):
    with place.registries() as registries:
        yield registries.store_of(place.path())


class TestRegistryStore(OCIStoreSuite):
    @pytest.fixture
    def store(self, registry_store):
        return registry_store


class TestRepositoryInARegistry(RepositorySuite):
    @pytest.fixture
    def repository(self, registry_store):
        return ComponentRepository(registry_store)


def test_nobody_gets_in_without_the_password_and_the_authority(place):
    attempts = [(place.registries(), None)]
    if place.authority is not None:
        attempts.append((place.registries(trusted=False), TransportError))
    if place.has_users:
        attempts.append((place.registries("wrong"), AuthenticationError))
    for registries, error in attempts:
        with registries, pytest.raises(error) if error else nullcontext():
            store = registries.store_of(place.path())
            store.push(REPOSITORY, BytesBlob(b"content"), "text/plain")
