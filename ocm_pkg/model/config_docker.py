"""Docker's configuration file: which helper or entry has the secret of a registry.

A name in it may be ``HOST``, ``HOST:PORT``, a URL (``https://index.docker.io/v1/``) or, as other
tools write it, ``HOST/PATH``. An entry without a port is for the default port only.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from ocm_pkg.errors import ConfigError, InvalidDocumentError, escaped
from ocm_pkg.model.consumer import default_port
from ocm_pkg.model.jsontext import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.model.document import JSONObject, JSONValue
    from ocm_pkg.model.identity import Identity

HUB = "index.docker.io"
HUB_URL = "https://index.docker.io/v1/"

_HUB_NAMES = frozenset({"docker.io", HUB, "registry-1.docker.io"})
_URL_PATH = re.compile(r"/v[12]/?|/")
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NOT_FOUND = re.compile(r"credentials not found|no credentials server URL", re.IGNORECASE)
_TOKEN_USER = "<token>"  # noqa: S105 - the name that says that the secret is a token
_MEMBERS = {
    "username": "username",
    "password": "password",
    "identitytoken": "refreshToken",
    "registrytoken": "accessToken",
}


@dataclass(frozen=True, slots=True)
class Helper:
    """A credential helper to ask: the program ``docker-credential-NAME``, for a server."""

    name: str
    server: str

    @property
    def program(self) -> str:
        """The name of the program."""
        return f"docker-credential-{self.name}"


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """A Docker configuration, read; ``name`` is what messages call it."""

    name: str
    _auths: Mapping[str, JSONObject] = field(repr=False)
    _helpers: Mapping[str, str] = field(default_factory=dict)
    _store: str | None = None

    @classmethod
    def parse(cls, value: bytes | str | Mapping[str, JSONValue], *, name: str) -> DockerConfig:
        """Read a configuration, or raise ``ConfigError``, which shows nothing of it."""
        members = _json(value, name) if isinstance(value, bytes | str) else dict(value)
        auths = _mapping(members, "auths", name)
        helpers = _mapping(members, "credHelpers", name)
        store = members.get("credsStore") or None
        for helper in (*helpers.values(), *([store] if store else [])):
            _check_helper(helper, name)
        return cls(
            name,
            MappingProxyType(
                {_key(key): entry for key, entry in auths.items() if isinstance(entry, dict)}
            ),
            MappingProxyType({_key(key): str(helper) for key, helper in helpers.items()}),
            str(store) if store else None,
        )

    def helper(self, identity: Identity) -> Helper | None:
        """Return the helper to ask for a registry: its own, else that for all; or None."""
        names = registry_names(identity)
        own = next((name for name in names if name in self._helpers), None)
        program = self._helpers[own] if own else self._store
        if program is None or not names:
            return None
        return Helper(program, HUB_URL if own == HUB else own or login_name(identity))

    def entry(self, identity: Identity) -> dict[str, str] | None:
        """Return the properties of a registry's own entry; None if there is none."""
        for name in registry_names(identity):
            if name in self._auths:
                found = self._read(name, self._auths[name])
                if found:
                    return found
        return None

    def _read(self, host: str, entry: JSONObject) -> dict[str, str]:
        found: dict[str, str] = {}
        for member, name in _MEMBERS.items():
            value = entry.get(member)
            if value is not None and not isinstance(value, str):
                raise ConfigError(f"{self.name}: {member} of {escaped(host, 200)} is no text")
            if value:
                found[name] = value
        auth = entry.get("auth")
        if auth:
            found["username"], found["password"] = self._decoded(host, auth)
        return found

    def _decoded(self, host: str, auth: JSONValue) -> tuple[str, str]:
        try:
            text = base64.b64decode(str(auth), validate=True).decode("utf-8").rstrip("\0")
        except (binascii.Error, ValueError):
            text = ""
        user, colon, password = text.partition(":")
        if not colon or not user:
            raise ConfigError(
                f"{self.name}: auth of {escaped(host, 200)} is not USER:PASSWORD in base64",
                hint=f"log in again: docker login {escaped(host, 200)}",
            )
        return user, password


def registry_names(identity: Identity) -> tuple[str, ...]:
    """Return the names that an entry for a registry may have, the most specific first."""
    host = _host(identity)
    if not host:
        return ()
    default = default_port(identity.get("scheme"))
    port = identity.get("port") or default
    hosts = [f"{host}:{port}", host] if port == default else [f"{host}:{port}"]
    if port == default and not identity.get("port"):
        hosts.reverse()
    parts = [part for part in identity.get("path", "").split("/") if part]
    below = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return (*(f"{one}/{path}" for path in below for one in hosts), *hosts)


def read_members(data: bytes, *, name: str) -> JSONObject:
    """Return all members of a configuration, or raise ``ConfigError``, which shows none of them."""
    members = _json(data, name)
    DockerConfig.parse(members, name=name)
    return members


def with_login(
    members: JSONObject, identity: Identity, entry: JSONObject | None
) -> tuple[JSONObject, bool]:
    """Return members with ``entry`` for a registry, and whether there was another one before.

    It takes the place of every entry for the registry as a whole, however that was written; None
    takes them away. All else stays as it is.
    """
    names = {name for name in registry_names(identity) if "/" not in name}
    auths = _mapping(members, "auths", "the Docker configuration")
    kept = {key: value for key, value in auths.items() if _key(key) not in names}
    removed = len(kept) < len(auths)
    if entry is not None:
        kept[login_name(identity)] = entry
    if not removed and entry is None:
        return members, False
    return {**members, "auths": kept}, removed


def login_name(identity: Identity) -> str:
    """Return what a login at a registry is stored under: ``HOST[:PORT]``, Docker Hub's is a URL."""
    host, port = _host(identity), identity.get("port")
    if port in (None, "", default_port(identity.get("scheme"))):
        return HUB_URL if host == HUB else host
    return f"{host}:{port}"


def password_entry(user: str, password: str) -> JSONObject:
    """Return the entry that holds user and password."""
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode("ascii")}


def read_answer(output: bytes, *, helper: Helper) -> dict[str, str]:
    """Return the properties in a helper's answer; raises ``ConfigError``, which shows no secret."""
    members = _json(output, f"the answer of {helper.program}")
    user, secret = members.get("Username"), members.get("Secret")
    if not isinstance(user, str) or not isinstance(secret, str) or not secret:
        raise ConfigError(f"the answer of {helper.program} has no Username and Secret")
    if user == _TOKEN_USER:
        return {"refreshToken": secret}
    return {"username": user, "password": secret}


def says_not_found(output: bytes) -> bool:
    """Whether a helper that failed just has nothing for the server."""
    return _NOT_FOUND.search(output[:1000].decode("utf-8", "replace")) is not None


def _host(identity: Identity) -> str:
    """Return a consumer's host as files name it."""
    host = identity.get("hostname", "").lower()
    if ":" in host and not host.startswith("["):
        return f"[{host}]"
    return HUB if host in _HUB_NAMES else host


def _key(name: str) -> str:
    """Return an entry's name without what does not matter in it."""
    scheme, marked, rest = name.rpartition("://")
    host, slash, path = rest.partition("/")
    host = host.lower()
    if host in _HUB_NAMES:
        host = HUB
    if marked and scheme.lower() == "http" and ":" not in host:
        host = f"{host}:80"
    if (marked and not path) or _URL_PATH.fullmatch(slash + path):
        return host
    return f"{host}/{path.rstrip('/')}" if path else host


def _check_helper(helper: JSONValue, name: str) -> None:
    if not isinstance(helper, str) or not _HELPER.fullmatch(helper) or ".." in helper:
        shown = repr(escaped(helper, 60)) if isinstance(helper, str) else "no text"
        raise ConfigError(
            f"{name}: {shown} is no name of a credential helper",
            hint="letters, digits, dots, dashes; the program is docker-credential-NAME",
        )


def _mapping(members: Mapping[str, JSONValue], member: str, name: str) -> JSONObject:
    value = members.get(member)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{name}: {member} is no object")
    return value


def _json(data: bytes | str, name: str) -> JSONObject:
    try:
        value = parse_json(data, name=name)
    except InvalidDocumentError:
        value = None
    # Not chained: the cause would show the text.
    if not isinstance(value, dict):
        raise ConfigError(f"{name} is no JSON object (not shown here: it may hold a secret)")
    return value
