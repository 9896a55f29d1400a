"""From an HTTP request to an implementation's method, and from what it does to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ocm_pkg.contract.endpoints import ENDPOINTS
from ocm_pkg.contract.jsontext import read_object, write_json
from ocm_pkg.contract.messages import (
    LOCAL_FILE,
    MAX_BODY,
    Location,
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
from ocm_pkg.sdk.plugin import Content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.contract.endpoints import Endpoint
    from ocm_pkg.contract.jsontext import JSONObject, JSONValue
    from ocm_pkg.sdk.http import Request
    from ocm_pkg.sdk.log import Log
    from ocm_pkg.sdk.plugin import Credentials, Plugin, RepositoryType, Spec

Handler: TypeAlias = Any
"""An author's object; it may lack optional methods, and calling a missing one is a failure."""

Returned: TypeAlias = Any
"""What an author's method returned: checked before it is sent."""

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotFoundError, 404),
    (AuthenticationError, 401),
    (ConflictError, 409),
    (UsageError, 400),
    (PluginProtocolError, 400),
    (ValueError, 400),
)
_LONGEST_MESSAGE = 2000
_SHORTEST_SECRET = 4


class Defect(Exception):  # noqa: N818 - says whose fault it is
    """An implementation returned something that cannot be sent."""


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
        return Response(200, write_json(value).encode(), json=True)

    def _operate(self, row: Endpoint, members: JSONObject, credentials: Credentials) -> JSONValue:
        if row.operation == "identity":
            return self._identity(members["type"])
        spec = members.get("repository")
        repository = self._repository(spec)
        if row.writes and not repository.writable:
            raise PluginProtocolError(f"{repository.support.type} can only be read")
        try:
            handler: Handler = repository.factory(
                spec or {"type": repository.support.type}, credentials
            )
        finally:
            bridge_logging(self._log)
        return _OPERATIONS[row.operation](handler, members)

    def _repository(self, spec: Spec | None) -> RepositoryType:
        if spec is None:
            found = self._plugin.only_repository
            if found is None:
                raise PluginProtocolError("the parameter repository is missing")
            return found
        name = spec.get("type")
        found = self._plugin.repository(name) if isinstance(name, str) else None
        if found is None:
            raise PluginProtocolError(f"unknown repository type {name!r}")
        return found

    def _identity(self, spec: Spec) -> JSONValue:
        repository = self._repository(spec)
        identity = None if repository.identity is None else repository.identity(spec)
        if identity is None:
            return None
        texts = dict(identity)
        if "type" not in texts or not all(isinstance(text, str) for text in texts.values()):
            raise Defect("the identity is not texts by name with a type")
        return {"identity": texts}

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
        expected: type = str if name in ("name", "version") else dict
        if not isinstance(value, expected) or value == "":
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


def _versions(handler: Handler, members: JSONObject) -> JSONValue:
    versions = list(handler.versions(members["name"]))
    if not all(isinstance(version, str) for version in versions):
        raise Defect("the versions are not texts")
    return versions


def _get(handler: Handler, members: JSONObject) -> JSONValue:
    return _object(handler.get(members["name"], members["version"]), "descriptor")


def _add(handler: Handler, members: JSONObject) -> None:
    handler.add(members["descriptor"])


def _local_resource(handler: Handler, members: JSONObject) -> JSONValue:
    found = handler.local_resource(members["name"], members["version"], members["identity"])
    return _handed_over(found, "resource")


def _local_source(handler: Handler, members: JSONObject) -> JSONValue:
    found = handler.local_source(members["name"], members["version"], members["identity"])
    return _handed_over(found, "source")


def _put_local_resource(handler: Handler, members: JSONObject) -> JSONValue:
    return _upload(handler.put_local_resource, members, "resource")


def _put_local_source(handler: Handler, members: JSONObject) -> JSONValue:
    return _upload(handler.put_local_source, members, "source")


def _check_health(handler: Handler, _: JSONObject) -> None:
    check = getattr(handler, "check_health", None)
    if check is not None:
        check()


def _handed_over(found: Returned, name: str) -> JSONObject:
    content = Content(*found)
    element = _object(content.element, name)
    path = str(content.path)
    if not path.startswith("/"):
        raise Defect(f"the path of the {name} is not absolute")
    access = element.get("access")
    stated = access.get("mediaType") if isinstance(access, dict) else None
    location = Location(LOCAL_FILE, path, content.media_type or stated)
    return {"location": location.to_json(), name: element}


def _upload(put: Handler, members: JSONObject, name: str) -> JSONObject:
    from pathlib import Path

    location = Location.parse(members[f"{name}Location"], what=f"{name}Location")
    if location.type != LOCAL_FILE:
        raise PluginProtocolError(f"unsupported location type {location.type}")
    path = Path(location.value)
    if not path.is_file():
        raise PluginProtocolError(f"{location.value} is not a file that can be read")
    stored = put(members["name"], members["version"], members[name], path, location.media_type)
    return _object(stored, name)


def _object(value: Returned, name: str) -> JSONObject:
    if not isinstance(value, dict):
        raise Defect(f"the {name} is not an object but {type(value).__name__}")
    return value


_OPERATIONS = {
    "versions": _versions,
    "get": _get,
    "add": _add,
    "local_resource": _local_resource,
    "put_local_resource": _put_local_resource,
    "local_source": _local_source,
    "put_local_source": _put_local_source,
    "check_health": _check_health,
}
