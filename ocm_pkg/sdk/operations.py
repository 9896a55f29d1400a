"""What an implementation's methods are called with, and how what they return is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ocm_pkg.contract.capabilities import Kind
from ocm_pkg.contract.messages import LOCAL_FILE, Location
from ocm_pkg.errors import NotFoundError, PluginProtocolError
from ocm_pkg.sdk.plugin import Content

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ocm_pkg.contract.jsontext import JSONObject, JSONValue

Handler: TypeAlias = Any
"""An author's object; it may lack optional methods, and calling a missing one is a failure."""

Returned: TypeAlias = Any
"""What an author's method returned: checked before it is sent."""


class Defect(Exception):  # noqa: N818 - says whose fault it is
    """An implementation returned something that cannot be sent."""


def _versions(handler: Handler, members: JSONObject) -> JSONValue:
    return _texts(handler.versions(members["name"]), "versions")


def _get(handler: Handler, members: JSONObject) -> JSONValue:
    found = handler.get(members["name"], members["version"])
    return found if isinstance(found, bytes) else _object(found, "descriptor")


def _add(handler: Handler, members: JSONObject) -> None:
    handler.add(members["descriptor"])


def _local_resource(handler: Handler, members: JSONObject) -> JSONValue:
    found = handler.local_resource(members["name"], members["version"], members["identity"])
    return {"location": _location(found, "resource"), "resource": _element(found, "resource")}


def _local_source(handler: Handler, members: JSONObject) -> JSONValue:
    found = handler.local_source(members["name"], members["version"], members["identity"])
    return {"location": _location(found, "source"), "source": _element(found, "source")}


def _put_local_resource(handler: Handler, members: JSONObject) -> JSONValue:
    return _upload(handler.put_local_resource, members, "resource")


def _put_local_source(handler: Handler, members: JSONObject) -> JSONValue:
    return _upload(handler.put_local_source, members, "source")


def _check_health(handler: Handler, _: JSONObject) -> None:
    check = getattr(handler, "check_health", None)
    if check is not None:
        check()


def _list(handler: Handler, members: JSONObject) -> JSONValue:
    last = members.get("last") or ""
    names = sorted(_texts(handler.components(), "components"))
    return {"list": [name for name in names if name > last]}


def _fetch(handler: Handler, members: JSONObject) -> JSONValue:
    return {"location": _location(handler.fetch(members["resource"]), "resource")}


def _store(handler: Handler, members: JSONObject) -> JSONValue:
    path, media_type = _file(members, "resource")
    stored = handler.store(members["resource"], path, media_type)
    return {"resource": _object(stored, "resource")}


def _process(handler: Handler, members: JSONObject) -> JSONValue:
    return {"resource": _object(handler.process(members["resource"]), "resource")}


def _resolve(handler: Handler, members: JSONObject) -> JSONValue:
    identity = members["identity"]
    if not all(isinstance(text, str) for text in identity.values()):
        raise PluginProtocolError("identity has a value that is not a text")
    found = handler.resolve(identity)
    if not found:
        raise NotFoundError("there are no credentials for this consumer")
    return _object(dict(found), "credential")


def _location(found: Returned, name: str) -> JSONObject:
    content = Content(*found)
    path = str(content.path)
    if not path.startswith("/"):
        raise Defect(f"the path of the {name} is not absolute")
    access = _element(found, name).get("access")
    stated = access.get("mediaType") if isinstance(access, dict) else None
    return Location(LOCAL_FILE, path, content.media_type or stated).to_json()


def _element(found: Returned, name: str) -> JSONObject:
    return _object(Content(*found).element, name)


def _upload(put: Handler, members: JSONObject, name: str) -> JSONObject:
    path, media_type = _file(members, name)
    stored = put(members["name"], members["version"], members[name], path, media_type)
    return _object(stored, name)


def _file(members: JSONObject, name: str) -> tuple[Path, str | None]:
    """Return the file that a manager hands over, and the media type that it told."""
    from pathlib import Path

    location = Location.parse(members[f"{name}Location"], what=f"{name}Location")
    if location.type != LOCAL_FILE:
        raise PluginProtocolError(f"unsupported location type {location.type}")
    path = Path(location.value)
    if not path.is_file():
        raise PluginProtocolError(f"{location.value} is not a file that can be read")
    return path, location.media_type


def _texts(value: Returned, name: str) -> list[str]:
    texts = list(value)
    if not all(isinstance(text, str) for text in texts):
        raise Defect(f"the {name} are not texts")
    return texts


def _object(value: Returned, name: str) -> JSONObject:
    if not isinstance(value, dict):
        raise Defect(f"the {name} is not an object but {type(value).__name__}")
    return value


_VERSIONS = Kind.COMPONENT_VERSION_REPOSITORY

OPERATIONS: Mapping[tuple[Kind, str], Callable[[Handler, JSONObject], JSONValue]] = {
    (_VERSIONS, "versions"): _versions,
    (_VERSIONS, "get"): _get,
    (_VERSIONS, "add"): _add,
    (_VERSIONS, "local_resource"): _local_resource,
    (_VERSIONS, "put_local_resource"): _put_local_resource,
    (_VERSIONS, "local_source"): _local_source,
    (_VERSIONS, "put_local_source"): _put_local_source,
    (_VERSIONS, "check_health"): _check_health,
    (Kind.COMPONENT_LISTER, "list"): _list,
    (Kind.RESOURCE_REPOSITORY, "get"): _fetch,
    (Kind.RESOURCE_REPOSITORY, "add"): _store,
    (Kind.DIGEST_PROCESSOR_REPOSITORY, "process"): _process,
    (Kind.CREDENTIAL_REPOSITORY, "resolve"): _resolve,
}
"""By kind and operation of the endpoint table: calls a handler's method with a call's members."""
