"""Registries as the calls of a plugin reach them: by the credentials that come with each call."""

from __future__ import annotations

import json
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any

from ocm_pkg.model.config_credentials import Credentials
from ocm_pkg.model.config_settings import merged_http, read_http
from ocm_pkg.model.config_text import Node
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.model.yamltext import YamlDocument
from ocm_pkg.store.registries import Registries, consumer_identity
from ocm_pkg.store.repository import ComponentRepository

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ocm_pkg.model.config_settings import HttpSettings
    from ocm_pkg.model.identity import Identity
    from ocm_pkg.ports import Spec

MAX_KEPT = 16
"""Callers whose connections and tokens are kept."""

_REFERENCES = ("imageReference", "ref", "reference")
"""Members of accesses that name a repository; which one depends on the type."""

_ORIGIN = ("hostname", "scheme", "port")
_SECRETS = ("username", "password", "accessToken", "refreshToken", "identityToken")


class Connections:
    """Connections and tokens that outlive a call, apart for each registry and each secret.

    ``http`` are configuration entries with settings of connections; what a later one says wins.
    """

    def __init__(
        self, environ: Mapping[str, str], home: Path | None, http: Iterable[Spec] = ()
    ) -> None:
        self._environ = environ
        self._home = home
        self._http = merged_http([_settings(entry) for entry in http])
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, str], Registries] = OrderedDict()

    def registries(self, identity: Identity, credentials: Mapping[str, Any] | None) -> Registries:
        """Return what opens the registry of ``identity``, with the credentials of the call.

        They are used for no other registry.
        """
        key = (_text({name: identity.get(name) for name in _ORIGIN}), _text(credentials or {}))
        with self._lock:
            found = self._kept.pop(key, None)
            if found is None:
                found = Registries(
                    http=self._http,
                    environ=self._environ,
                    home=self._home,
                    credentials=Given(identity, credentials),
                )
            self._kept[key] = found
            if len(self._kept) > MAX_KEPT:
                # Not closed: a call may still use it. Its sockets go with the last reference.
                self._kept.popitem(last=False)
        return found

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for registries in self._kept.values():
                registries.close()
            self._kept.clear()


def consumer_of(spec: Spec) -> Identity | None:
    """Return who needs a secret for a repository or an access; nothing for other objects."""
    if "baseUrl" in spec:
        location = RepositorySpec.from_spec(spec).location
        scheme, _, rest = location.rpartition("://")
        host, _, path = rest.partition("/")
        return consumer_identity(f"{scheme or 'https'}://{host}", path)
    reference = next((spec[name] for name in _REFERENCES if name in spec), None)
    if not isinstance(reference, str):
        return None
    from ocm_pkg.store.registry import image_name

    image = image_name(reference)
    return consumer_identity(image.base_url, image.repository)


class Given:
    """The credential object of a call, for the registry that it was looked up for."""

    def __init__(self, identity: Identity, credentials: Mapping[str, Any] | None) -> None:
        self._origin = [identity.get(name) for name in _ORIGIN]
        self._credentials = _credentials(credentials or {})

    def find(self, identity: Identity) -> Credentials | None:
        """Return the secret if it is for that registry."""
        if [identity.get(name) for name in _ORIGIN] != self._origin:
            return None
        return self._credentials


class RegistryProvider:
    """Implements ``ports.RepositoryProvider`` for one call."""

    def __init__(self, registries: Registries) -> None:
        self._registries = registries

    def open(self, spec: RepositorySpec, *, create: bool = False) -> ComponentRepository:  # noqa: ARG002 - a registry makes repositories itself
        """Return the repository."""
        return ComponentRepository(self._registries.repository_store(spec))


def _credentials(value: Mapping[str, Any]) -> Credentials | None:
    """Return what a credential object says, with properties or in the typed form."""
    properties = value.get("properties")
    if not isinstance(properties, dict):
        properties = {name: value.get(name) for name in _SECRETS}
    texts = {name: text for name, text in properties.items() if text and isinstance(text, str)}
    return Credentials(texts) if texts else None


def _settings(entry: Spec) -> HttpSettings:
    value = dict(entry)
    return read_http(Node(value, YamlDocument(value, "the plugin's configuration")))


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)
