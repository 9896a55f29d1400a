"""One table of what every kind of plugin can be asked, over HTTP."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from ocm_pkg.contract.capabilities import Kind
from ocm_pkg.contract.jsontext import member, read_json
from ocm_pkg.contract.messages import MAX_BODY
from ocm_pkg.errors import PluginProtocolError

if TYPE_CHECKING:
    from ocm_pkg.contract.jsontext import JSONValue


class Shape(StrEnum):
    """What the body of a good answer is."""

    EMPTY = "empty"
    STRINGS = "array of strings"
    OBJECT = "object"
    OBJECT_OR_NULL = "object or null"


class Endpoint(NamedTuple):
    """One operation: where it is called, with what, and what comes back.

    ``kind`` is None for what every plugin serves. ``request`` names the members of the JSON body,
    or of the query if the method is GET; ``response`` names the members of an object that comes
    back; a name with ``?`` at its end may be left out. ``writes``: a plugin that only reads must
    not be sent it. ``idempotent``: it may be sent again after a failure.
    """

    kind: Kind | None
    operation: str
    method: str
    path: str
    request: tuple[str, ...] = ()
    response: tuple[str, ...] = ()
    shape: Shape = Shape.OBJECT
    writes: bool = False
    idempotent: bool = True

    def read_answer(self, body: bytes) -> JSONValue:
        """Return the value of an answer with status 200; None where nothing is expected.

        Raises:
            PluginProtocolError: no JSON, or not of the shape that this operation answers with.

        """
        if self.shape is Shape.EMPTY:
            return None
        what = f"the answer to {self.path}"
        value = read_json(body, what=what, limit=MAX_BODY)
        if self.shape is Shape.STRINGS:
            _check_strings(value, what)
            return value
        if value is None and self.shape is Shape.OBJECT_OR_NULL:
            return None
        if not isinstance(value, dict):
            raise PluginProtocolError(f"{what} is not an {self.shape}")
        for name in self.response:
            _check_member(member(value, name.rstrip("?"), what=what), name, what)
        return value


def _check_member(found: JSONValue, name: str, what: str) -> None:
    if found is None and name.endswith("?"):
        return
    if name == "list":
        _check_strings(found, f"{what}: list")
    elif not isinstance(found, dict):
        raise PluginProtocolError(f"{what}: {name.rstrip('?')} is not an object")


def _check_strings(value: JSONValue, what: str) -> None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise PluginProtocolError(f"{what} is not an array of strings")


_CV, _LISTER = Kind.COMPONENT_VERSION_REPOSITORY, Kind.COMPONENT_LISTER
_RESOURCE, _DIGEST = Kind.RESOURCE_REPOSITORY, Kind.DIGEST_PROCESSOR_REPOSITORY
_INPUT, _BLOB, _SIGN = Kind.INPUT_REPOSITORY, Kind.BLOB_TRANSFORMER, Kind.SIGNING_HANDLER
_STORE, _CREDENTIAL = Kind.CREDENTIAL_REPOSITORY, Kind.CREDENTIAL_PLUGIN
_EMPTY, _STRINGS = Shape.EMPTY, Shape.STRINGS

_IDENTITY = tuple(
    Endpoint(kind, "identity", "POST", "/identity", ("type",), ("identity?",), Shape.OBJECT_OR_NULL)
    for kind in (_CV, _LISTER, _RESOURCE, _DIGEST, _INPUT, _BLOB)
)

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(None, "health", "GET", "/healthz", shape=_EMPTY),
    Endpoint(None, "shutdown", "POST", "/shutdown", shape=_EMPTY, idempotent=False),
    *_IDENTITY,
    Endpoint(_CV, "versions", "GET", "/component-versions", ("name", "repository?"), (), _STRINGS),
    Endpoint(_CV, "get", "GET", "/component-version/download", ("name", "version", "repository?")),
    Endpoint(
        _CV,
        "add",
        "POST",
        "/component-version/upload",
        ("repository", "descriptor"),
        (),
        _EMPTY,
        writes=True,
        idempotent=False,
    ),
    Endpoint(
        _CV,
        "local_resource",
        "GET",
        "/local-resource/download",
        ("identity", "name", "version", "repository?"),
        ("location", "resource"),
    ),
    Endpoint(
        _CV,
        "put_local_resource",
        "POST",
        "/local-resource/upload",
        ("repository", "name", "version", "resourceLocation", "resource"),
        writes=True,
        idempotent=False,
    ),
    Endpoint(
        _CV,
        "local_source",
        "GET",
        "/local-source/download",
        ("identity", "name", "version", "repository?"),
        ("location", "source"),
    ),
    Endpoint(
        _CV,
        "put_local_source",
        "POST",
        "/local-source/upload",
        ("repository", "name", "version", "sourceLocation", "source"),
        writes=True,
        idempotent=False,
    ),
    Endpoint(
        _CV, "check_health", "POST", "/component-version/check-health", ("repository",), (), _EMPTY
    ),
    Endpoint(
        _LISTER, "list", "POST", "/components/list", ("repository", "last?"), ("list", "header?")
    ),
    Endpoint(_RESOURCE, "get", "POST", "/resource/get", ("resource",), ("location",)),
    Endpoint(
        _RESOURCE,
        "add",
        "POST",
        "/resource/add",
        ("resourceLocation", "resource"),
        ("resource",),
        writes=True,
        idempotent=False,
    ),
    Endpoint(_DIGEST, "process", "POST", "/resource/digest/process", ("resource",), ("resource",)),
    Endpoint(
        _INPUT,
        "process_resource",
        "POST",
        "/resource/process",
        ("resource",),
        ("resource?", "location?"),
    ),
    Endpoint(
        _INPUT, "process_source", "POST", "/source/process", ("source",), ("source?", "location?")
    ),
    Endpoint(
        _BLOB, "transform", "POST", "/blob/transform", ("location", "specification"), ("location",)
    ),
    Endpoint(
        _SIGN,
        "sign_identity",
        "POST",
        "/sign/identity",
        ("digest", "config", "name"),
        ("identity",),
    ),
    Endpoint(_SIGN, "sign", "POST", "/sign", ("digest", "config"), ("signature",)),
    Endpoint(
        _SIGN, "verify_identity", "POST", "/verify/identity", ("signature", "config"), ("identity",)
    ),
    Endpoint(_SIGN, "verify", "POST", "/verify", ("signature", "config")),
    Endpoint(_STORE, "consumer_identity", "POST", "/consumer-identity", ("config",)),
    Endpoint(_STORE, "resolve", "POST", "/resolve", ("config", "identity")),
    Endpoint(_CREDENTIAL, "consumer_identity", "POST", "/consumer-identity", ("credential",)),
    Endpoint(_CREDENTIAL, "resolve", "POST", "/resolve", ("identity",)),
)
"""Every endpoint of the v2 contract; plugins of ADR 0001 serve the same."""


def endpoint(kind: Kind | None, operation: str) -> Endpoint:
    """Return the endpoint of an operation, or raise ``KeyError``."""
    for row in ENDPOINTS:
        if row.kind is kind and row.operation == operation:
            return row
    raise KeyError((kind, operation))


def at(method: str, path: str) -> tuple[Endpoint, ...]:
    """Return the endpoints there: none, one, or one for each kind that shares the path."""
    return tuple(row for row in ENDPOINTS if row.path == path and row.method == method)
