"""From an HTTP request to an implementation's method, and from what it does to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ocm_pkg.contract.capabilities import Kind
from ocm_pkg.contract.endpoints import ENDPOINTS
from ocm_pkg.contract.jsontext import read_object, write_json
from ocm_pkg.contract.messages import (
    MAX_BODY,
    decode_credentials,
    decode_identity,
    decode_object,
    decode_query,
)
from ocm_pkg.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    OcmPkgError,
    PluginProtocolError,
    UsageError,
)
from ocm_pkg.sdk.http import Response
from ocm_pkg.sdk.log import bridge_logging
from ocm_pkg.sdk.operations import OPERATIONS, Defect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ocm_pkg.contract.endpoints import Endpoint
    from ocm_pkg.contract.jsontext import JSONObject, JSONValue
    from ocm_pkg.sdk.http import Request
    from ocm_pkg.sdk.log import Log
    from ocm_pkg.sdk.operations import Handler
    from ocm_pkg.sdk.plugin import Credentials, IdentityOf, Implementation, Plugin, Spec

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotFoundError, 404),
    (AuthenticationError, 401),
    (ConflictError, 409),
    (UsageError, 400),
    (PluginProtocolError, 400),
    (ValueError, 400),
)
_OBJECTS = {
    Kind.COMPONENT_VERSION_REPOSITORY: ("repository", "repository"),
    Kind.COMPONENT_LISTER: ("repository", "repository"),
    Kind.RESOURCE_REPOSITORY: ("resource", "access"),
    Kind.DIGEST_PROCESSOR_REPOSITORY: ("resource", "access"),
    Kind.CREDENTIAL_REPOSITORY: ("config", "configuration"),
}
"""The member of a call with its typed object (for a resource that is its access), and its name."""

_TEXTS = ("name", "version", "last")
_LONGEST_MESSAGE = 2000
_SHORTEST_SECRET = 4


class Calls:
    """Answers the requests of one plugin."""

    def __init__(self, plugin: Plugin, log: Log) -> None:
        self._plugin = plugin
        self._log = log
        kinds = {None, *(support.kind for support in plugin.capabilities().kinds)}
        self._routes: dict[str, Endpoint] = {
            row.path: row for row in ENDPOINTS if row.kind in kinds
        }

    def answer(self, request: Request) -> Response:
        """Return the answer; nothing that an implementation raises gets past here."""
        row = self._routes.get(request.path)
        if row is None:
            return Response.error(404, "404 page not found")
        method = "GET" if request.method == "HEAD" else request.method
        if method != row.method:
            allowed = "GET, HEAD" if row.method == "GET" else row.method
            return Response.error(
                405, f"{request.path} may only be called with {allowed}", allow=allowed
            )
        if row.kind is None:
            return Response(200)
        return self._call(row, request)

    def _call(self, row: Endpoint, request: Request) -> Response:
        credentials: Credentials = None
        try:
            try:
                credentials = decode_credentials(request.headers.get("authorization"))
            except PluginProtocolError as error:
                return Response.error(401, error.message)
            members = _members(row, request)
            value = self._operate(row, members, credentials)
        except Exception as error:  # noqa: BLE001 - the last line: a call must not end the server
            return self._failure(row, error, credentials)
        if value is None and row.operation != "identity":
            return Response(200)
        body = value if isinstance(value, bytes) else write_json(value).encode()
        return Response(200, body, json=True)

    def _operate(self, row: Endpoint, members: JSONObject, credentials: Credentials) -> JSONValue:
        if row.operation == "identity":
            return self._identity(members["type"])
        if row.operation == "consumer_identity":
            return self._consumer_identity(members["config"])
        found, spec = self._implementation(row, members)
        if row.writes and not found.writable:
            raise PluginProtocolError(f"{found.support.type} can only be read")
        try:
            handler: Handler = found.factory(spec, credentials)
        finally:
            bridge_logging(self._log)
        return OPERATIONS[found.kind, row.operation](handler, members)

    def _implementation(self, row: Endpoint, members: JSONObject) -> tuple[Implementation, Spec]:
        """Return what serves the call, and the typed object that it is for."""
        kind = row.kind
        assert kind is not None  # noqa: S101 - what every plugin serves was answered before
        member, what = _OBJECTS[kind]
        spec: Any = members.get(member)
        if member == "resource":
            spec = spec.get("access")
        known = self._plugin.of_kind(kind)
        if spec is None and f"{member}?" in row.request:
            if len(known) > 1:
                raise PluginProtocolError(f"the parameter {member} is missing")
            return known[0], {"type": known[0].support.type}
        name = spec.get("type") if isinstance(spec, dict) else None
        found = self._plugin.named(name, kind) if isinstance(name, str) else ()
        if not found:
            raise PluginProtocolError(f"unknown {what} type {name!r}")
        return found[0], spec

    def _identity(self, spec: Spec) -> JSONValue:
        name = spec.get("type")
        found = self._plugin.named(name) if isinstance(name, str) else ()
        if not found:
            raise PluginProtocolError(f"unknown type {name!r}")
        functions = [known.identity for known in found if known.identity is not None]
        identity = _first_identity(functions, spec)
        return None if identity is None else {"identity": identity}

    def _consumer_identity(self, config: Spec) -> JSONValue:
        found = self._plugin.named(str(config.get("type")), Kind.CREDENTIAL_REPOSITORY)
        if not found:
            raise PluginProtocolError(f"unknown configuration type {config.get('type')!r}")
        identity = _first_identity([known.identity for known in found if known.identity], config)
        if identity is None:
            raise NotFoundError("no credentials are needed for it")
        return identity

    def _failure(self, row: Endpoint, error: Exception, credentials: Credentials) -> Response:
        status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
        message = _hide(_message(error), credentials)
        if status == 500:
            import traceback

            trace = _hide("".join(traceback.format_exception(error)), credentials)
            self._log.write("ERROR", "call failed", path=row.path, error=message, trace=trace)
        return Response.error(status, message)


def _message(error: Exception) -> str:
    text = error.message if isinstance(error, OcmPkgError) else str(error)
    if not text:
        return type(error).__name__
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "..."


def _hide(text: str, credentials: Credentials) -> str:
    """Return ``text`` without the secrets that the caller sent along."""
    pending: list[Any] = [credentials]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(value for name, value in item.items() if name != "type")
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, str) and len(item) >= _SHORTEST_SECRET:
            text = text.replace(item, "***")
    return text


def _members(row: Endpoint, request: Request) -> JSONObject:
    """Return the members of a request, each of the sort that the contract says."""
    found: JSONObject
    if row.method == "GET":
        found = _decode_parameters(decode_query(request.query))
    else:
        found = read_object(request.body, what="the request body", limit=MAX_BODY)
    for name in row.request:
        value = found.get(name.rstrip("?"))
        if value is None and name.endswith("?"):
            continue
        expected: type = str if name.rstrip("?") in _TEXTS else dict
        if not isinstance(value, expected) or (value == "" and not name.endswith("?")):
            sort = "a text" if expected is str else "an object"
            raise PluginProtocolError(f"{name.rstrip('?')} is missing or not {sort}")
    return found


def _decode_parameters(query: Mapping[str, str]) -> JSONObject:
    found: JSONObject = dict(query)
    if "identity" in found:
        found["identity"] = decode_identity(found["identity"])
    if "repository" in found:
        found["repository"] = decode_object(found["repository"], what="repository")
    return found


def _first_identity(functions: Iterable[IdentityOf], spec: Spec) -> dict[str, str] | None:
    """Return the first identity that there is for a typed object."""
    for function in functions:
        identity = function(spec)
        if identity is not None:
            texts = dict(identity)
            if "type" not in texts or not all(isinstance(text, str) for text in texts.values()):
                raise Defect("the identity is not texts by name with a type")
            return texts
    return None
