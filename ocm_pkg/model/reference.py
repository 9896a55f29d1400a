"""References: ``[TYPE::]REPOSITORY//COMPONENT[:VERSION]``, and the repositories they name.

A repository without a type is an OCI registry if it has a scheme or starts with a host (a dot, a
port or ``localhost``), and a CTF if it is written as a path, ends like an archive, or is a plain
word. ``REPOSITORY/component-descriptors/COMPONENT`` means the same as ``REPOSITORY//COMPONENT``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ocm_pkg._typing import override
from ocm_pkg.errors import InvalidDocumentError, InvalidReferenceError
from ocm_pkg.model import types
from ocm_pkg.model.version import is_version

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_LENGTH = 4096
MAX_COMPONENT_NAME = 255
ARCHIVE_SUFFIXES = (".tar", ".tgz", ".tar.gz")

_COMPONENT = re.compile(
    r"[a-z][-a-z0-9]*(?:[.][a-z][-a-z0-9]*)*[.][a-z]{2,}"
    r"(?:/[a-z][-a-z0-9_]*(?:[.][a-z][-a-z0-9_]*)*)+"
)
_ELEMENT = re.compile(r"[a-z0-9](?:[-_+a-z0-9]*[a-z0-9])")
_TYPE = re.compile(r"([A-Za-z][A-Za-z0-9.]*(?:/v[0-9][a-z0-9]*)?)::")
_TYPE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.]*(?:/v[0-9][a-z0-9]*)?")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_HOST = re.compile(
    r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::(?P<port>[0-9]{1,5}))?"
)
_OCI_PATH = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_DESCRIPTORS = "/component-descriptors/"
_FORM = "write [TYPE::]REPOSITORY//COMPONENT[:VERSION], e.g. ./ctf//example.com/plugins/hello:1.0.0"


def component_name_ok(name: str) -> bool:
    """Whether ``name`` is a component name: a lower-case domain, then at least one path part."""
    return len(name) <= MAX_COMPONENT_NAME and _COMPONENT.fullmatch(name) is not None


def element_name_ok(name: str) -> bool:
    """Whether ``name`` may name a resource, source or reference: two or more of ``[a-z0-9-_+]``."""
    return _ELEMENT.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class RepositorySpec:
    """Where component versions live: a type, a location, and what else its type needs.

    ``type`` is the versioned name of a known type (``CommonTransportFormat/v1``,
    ``OCIRepository/v1``), any other as it was written. ``location`` is a path for a CTF,
    ``[http[s]://]HOST[:PORT][/PATH]`` for a registry, free text for other types. ``extra`` has the
    other members of the specification.
    """

    type: str
    location: str
    extra: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "type", types.repository_type(self.type))
        object.__setattr__(self, "extra", MappingProxyType(dict(self.extra)))
        if not _TYPE_NAME.fullmatch(self.type):
            raise InvalidReferenceError(f"{self.type[:80]!r} is not a type name", hint=_FORM)
        _refuse_unprintable(self.location)
        object.__setattr__(self, "location", _checked_location(self.kind, self.location))

    @property
    def kind(self) -> str:
        """``ctf``, ``oci``, or the type's own name."""
        return types.repository_kind(self.type)

    @classmethod
    def parse(cls, text: str) -> RepositorySpec:
        """Read ``[TYPE::]LOCATION``, or raise ``InvalidReferenceError``.

        The location may be a JSON object: the members of the specification.
        """
        _refuse_unprintable(text)
        match = _TYPE.match(text)
        if match is None:
            return cls(_guess_kind(text), text)
        location = text[match.end() :]
        if location.startswith("{"):
            return cls.from_spec({**_json_members(location), "type": match[1]})
        return cls(match[1], location)

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> RepositorySpec:
        """Read the typed object of the configuration, or raise ``InvalidDocumentError``."""
        members = dict(spec)
        type_name = members.pop("type", None)
        if not isinstance(type_name, str):
            raise InvalidDocumentError(
                "a repository has no type", hint=f"add type: {types.OCI_REPOSITORY}"
            )
        kind = types.repository_kind(type_name)
        if kind == "ctf":
            return cls(type_name, _text(members, "filePath", required=True), members)
        if kind == "oci":
            base = _text(members, "baseUrl", required=True).rstrip("/")
            path = _text(members, "subPath").strip("/")
            return cls(type_name, f"{base}/{path}" if path else base, members)
        return cls(type_name, _text(members, "location"), members)

    def to_spec(self) -> dict[str, Any]:
        """Return the typed object, as the configuration and plugins use it."""
        if self.kind == "ctf":
            return {"type": self.type, "filePath": self.location, **self.extra}
        if self.kind == "oci":
            base, path = self._split()
            members = {"baseUrl": base, "subPath": path} if path else {"baseUrl": base}
            return {"type": self.type, **members, **self.extra}
        members = {"location": self.location} if self.location else {}
        return {"type": self.type, **members, **self.extra}

    def _split(self) -> tuple[str, str]:
        scheme = _SCHEME.match(self.location)
        start = scheme.end() if scheme else 0
        host, _, path = self.location[start:].partition("/")
        return self.location[:start] + host, path

    @override
    def __str__(self) -> str:
        kind = self.kind
        if self.extra or self.location.startswith("{"):
            members = {name: value for name, value in self.to_spec().items() if name != "type"}
            return f"{kind}::{json.dumps(members, sort_keys=True, separators=(',', ':'))}"
        if kind in ("ctf", "oci") and not _TYPE.match(self.location):
            return (
                self.location if _guess_kind(self.location) == kind else f"{kind}::{self.location}"
            )
        return f"{kind}::{self.location}"


@dataclass(frozen=True, slots=True)
class ComponentRef:
    """A component version, or all versions of a component, or just a repository.

    Each part may be missing: no ``repository`` means that configuration finds it, no ``version``
    the newest one, no ``component`` the repository itself.
    """

    repository: RepositorySpec | None
    component: str | None
    version: str | None = None

    def __post_init__(self) -> None:
        if self.component is not None and not component_name_ok(self.component):
            raise InvalidReferenceError(
                f"{self.component[:80]!r} is not a component name",
                hint="a lower-case domain and a path, for example example.com/plugins/hello",
            )
        if self.version is not None and not is_version(self.version):
            raise InvalidReferenceError(
                f"{self.version[:80]!r} is not a version",
                hint="versions look like 1.2.0, v1.2 or 1.2.0-rc.1+build.5",
            )
        if self.component is None and (self.repository is None or self.version is not None):
            raise InvalidReferenceError("a reference needs a component or a repository", hint=_FORM)

    @classmethod
    def parse(cls, text: str) -> ComponentRef:
        """Read a reference, or raise ``InvalidReferenceError``.

        Text without ``//`` is a component if it can be one, else a repository.
        """
        _refuse_unprintable(text)
        repository, component = _cut(text)
        if component is None:
            name, _, version = text.partition(":")
            if component_name_ok(name):
                return cls(None, name, _version(text, name, version))
            return cls(RepositorySpec.parse(text), None)
        spec = RepositorySpec.parse(repository)
        if not component:
            return cls(spec, None)
        name, _, version = component.partition(":")
        return cls(spec, name, _version(component, name, version))

    @override
    def __str__(self) -> str:
        name = self.component or ""
        text = f"{name}:{self.version}" if self.version is not None else name
        return text if self.repository is None else f"{self.repository}//{text}"


def _version(text: str, name: str, version: str) -> str | None:
    if text == name:
        return None
    if not version:
        raise InvalidReferenceError(
            f"{text[:80]!r} ends with a colon and no version", hint="leave out the colon, or add it"
        )
    return version


def _cut(text: str) -> tuple[str, str | None]:
    """Split at the ``//`` before the component; no component if there is none."""
    start = _start_of_location(text)
    at = text.rfind("//", start)
    if at >= 0:
        return text[:at], text[at + 2 :]
    at = text.find(_DESCRIPTORS, start)
    if at >= 0:
        return text[:at], text[at + len(_DESCRIPTORS) :]
    return text, None


def _start_of_location(text: str) -> int:
    """Return where ``//`` can no longer be part of a type, a scheme or a JSON location."""
    match = _TYPE.match(text)
    start = match.end() if match else 0
    if match and text.startswith("{", start):
        try:
            return json.JSONDecoder().raw_decode(text, start)[1]
        except (ValueError, RecursionError) as error:
            raise InvalidReferenceError(f"the repository in {text[:80]!r} is not JSON") from error
    scheme = _SCHEME.match(text, start)
    return scheme.end() if scheme else start


def _guess_kind(text: str) -> str:
    if text.startswith(("/", "./", "../", "~", "file://")) or text in (".", ".."):
        return "ctf"
    if _DRIVE.match(text):
        return "ctf"
    if _SCHEME.match(text):
        return "oci"
    if text.endswith(ARCHIVE_SUFFIXES):
        return "ctf"
    host = text.partition("/")[0]
    return "oci" if "." in host or ":" in host or host == "localhost" else "ctf"


def _checked_location(kind: str, location: str) -> str:
    if kind == "ctf":
        path = location.removeprefix("file://")
        if not path or path.startswith("file:"):
            raise InvalidReferenceError(f"{location!r} is no path of a CTF", hint="e.g. ./ctf")
        return path.rstrip("/") or "/"
    return _checked_registry(location) if kind == "oci" else location


def _checked_registry(location: str) -> str:
    """Return the location without ``oci://`` and closing slashes; refuse what is no registry."""
    match = _SCHEME.match(location)
    scheme = match[1].lower() if match else ""
    rest = location[match.end() :] if match else location
    if "@" in rest.partition("/")[0]:
        raise InvalidReferenceError(
            "a registry reference must not contain a user or password",
            hint="log in with `ocm-pkg login HOST`, or configure credentials",
        )
    if scheme not in ("", "http", "https", "oci"):
        raise InvalidReferenceError(
            f"{location[:80]!r} has the scheme {scheme!r}", hint="a registry is http or https"
        )
    rest = rest.rstrip("/")
    host, _, path = rest.partition("/")
    host_match = _HOST.fullmatch(host)
    if not host_match or not 0 < int(host_match["port"] or 443) < 65536:
        raise InvalidReferenceError(
            f"{location[:80]!r} does not start with a registry host",
            hint="write HOST[:PORT]/PATH, or ./PATH for a CTF",
        )
    for part in path.split("/") if path else ():
        if not _OCI_PATH.fullmatch(part):
            raise InvalidReferenceError(
                f"{part[:80]!r} in {location[:80]!r} cannot be part of a repository's path",
                hint="lower-case letters, digits, and single . _ - between them",
            )
    return f"{scheme}://{rest}" if scheme in ("http", "https") else rest


def _refuse_unprintable(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise InvalidReferenceError(f"a reference has {len(text)} characters", hint=_FORM)
    if _UNPRINTABLE.search(text):
        raise InvalidReferenceError(f"{text[:80]!a} contains unprintable characters", hint=_FORM)


def _json_members(text: str) -> dict[str, Any]:
    try:
        members = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidReferenceError(f"{text[:80]!r} is not a JSON object") from error
    return dict(members)


def _text(members: dict[str, Any], name: str, *, required: bool = False) -> str:
    value = members.pop(name, None)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or not value:
        raise InvalidDocumentError(f"a repository needs {name}, a text")
    return value
