"""OCI registries by their address: one transport for all, one client for each, made when needed."""

from __future__ import annotations

import random
import re
import threading
import time
from typing import TYPE_CHECKING, Protocol, Self

from ocm_pkg.model.config_settings import HttpSettings
from ocm_pkg.model.consumer import OCI_REGISTRY, default_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from ocm_pkg.model.config_credentials import Credentials
    from ocm_pkg.model.identity import Identity
    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.store.base import OCIStore
    from ocm_pkg.store.cached import CachedContent
    from ocm_pkg.store.client import RegistryClient
    from ocm_pkg.store.transport import Transport

_ADDRESS = re.compile(r"(?:(https?)://)?([^/]+)/?(.*)")
_DOCKER_HUB = "docker.io"
_DOCKER_HUB_API = "registry-1.docker.io"


class CredentialFinder(Protocol):
    """Finds the secret of a consumer."""

    def find(self, identity: Identity) -> Credentials | None:
        """Return the secret for a consumer identity, or None if there is none."""


class LazyCredentials:
    """A finder that is made when a registry wants to know who asks, and not before."""

    def __init__(self, make: Callable[[], CredentialFinder]) -> None:
        self._make = make

    def find(self, identity: Identity) -> Credentials | None:
        """Return the secret for a consumer identity, or None if there is none."""
        return self._make().find(identity)


class Registries:
    """Opens OCI registries for component versions and artifacts. Safe to use from many threads.

    ``http`` are the settings of the configuration, ``environ`` names proxies and authorities,
    ``home`` has certificates of registries. Without ``credentials`` access is anonymous.
    ``plain_http`` is for addresses without a scheme; otherwise they mean https. ``offline``
    answers from ``cache`` alone and opens no connection.
    """

    def __init__(
        self,
        *,
        http: HttpSettings | None = None,
        environ: Mapping[str, str] | None = None,
        home: Path | None = None,
        credentials: CredentialFinder | None = None,
        cache: CachedContent | None = None,
        offline: bool = False,
        plain_http: bool = False,
    ) -> None:
        self._http = http or HttpSettings()
        self._environ = environ or {}
        self._home = home
        self._credentials = credentials
        self._cache = cache
        self._offline = offline
        self._plain_http = plain_http
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._transport: Transport | None = None
        self._clients: dict[tuple[str, str], RegistryClient] = {}

    def repository_store(self, spec: RepositorySpec) -> OCIStore:
        """Return the store that a repository of kind ``oci`` is in; nothing is connected yet."""
        return self.store_of(spec.location)

    def store_of(self, address: str, repository: str = "") -> OCIStore:
        """Return the store at ``[SCHEME://]HOST[:PORT][/PATH]``.

        ``repository`` is the one in it that is meant, if it is known: credentials can be for it.
        """
        base_url, path = self._split(address)
        if self._offline:
            from ocm_pkg.store.offline import OfflineStore

            return OfflineStore(self._cache, base_url, path)
        from ocm_pkg.store.registry import RegistryStore

        return RegistryStore(
            self.client(base_url, path or repository), path=path, cache=self._cache
        )

    def client(self, base_url: str, path: str = "") -> RegistryClient:
        """Return the client of a registry; credentials are those for ``path`` in it."""
        from ocm_pkg.store.client import RegistryClient

        with self._lock:
            found = self._clients.get((base_url, path))
            if found is None:
                found = RegistryClient(
                    base_url,
                    self._connected(),
                    credentials=lambda: self._find(base_url, path),
                    http=self._http,
                    clock=time.monotonic,
                    sleep=self._stopped.wait,
                    random=random.random,
                )
                self._clients[base_url, path] = found
        return found

    def _connected(self) -> Transport:
        if self._transport is None:
            from ocm_pkg.store.transport import Transport

            self._transport = Transport(
                http=self._http, environ=self._environ, home=self._home, offline=self._offline
            )
        return self._transport

    def _split(self, address: str) -> tuple[str, str]:
        match = _ADDRESS.fullmatch(address)
        scheme, host, path = match.groups() if match else (None, address, "")
        scheme = scheme or ("http" if self._plain_http else "https")
        host = _DOCKER_HUB_API if host == _DOCKER_HUB else host
        return f"{scheme}://{host}", path.strip("/")

    def _find(self, base_url: str, path: str) -> Credentials | None:
        if self._credentials is None:
            return None
        found = self._credentials.find(consumer_identity(base_url, path))
        return found or self._from_cloud(base_url)

    @staticmethod
    def _from_cloud(base_url: str) -> Credentials | None:
        """Return what a cloud gives to its own machines, where that is known and installed."""
        from ocm_pkg.model.config_credentials import Credentials
        from ocm_pkg.store.transport import ecr_authorization

        login = ecr_authorization(base_url.partition("://")[2])
        return Credentials({"username": login[0], "password": login[1]}) if login else None

    def close(self) -> None:
        """Close all connections; what other threads do with them fails at once."""
        self._stopped.set()
        with self._lock:
            if self._transport is not None:
                self._transport.close()
            self._transport = None
            self._clients.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def consumer_identity(base_url: str, path: str = "") -> Identity:
    """Return who needs a secret for a registry (configuration.md, 3.1)."""
    scheme, _, host = base_url.partition("://")
    name, _, port = host.rpartition(":") if re.search(r":\d+$", host) else (host, "", "")
    identity = {
        "type": OCI_REGISTRY,
        "hostname": _DOCKER_HUB if name == _DOCKER_HUB_API else name.strip("[]"),
        "scheme": scheme,
        "port": port or default_port(scheme),
    }
    return {**identity, "path": path} if path else identity
