"""What a plugin can do: the answer to its ``capabilities`` command, in both contracts.

ADR 0001 says ``{"type": {TYPE: [CAPABILITY, ...]}}``, the v2 library
``{"capabilities": [{"type": KIND, ...}]}``; one answer may have both keys.
"""

from __future__ import annotations

import binascii
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from ocm_pkg.contract.jsontext import member, read_json, write_json
from ocm_pkg.errors import PluginProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.contract.jsontext import JSONObject, JSONValue

MAX_SIZE = 8 * 1024 * 1024
"""The largest answer to ``capabilities`` that is read, in bytes."""

_ANSWER = "the answer to capabilities"
_TYPE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}(/v[0-9]{1,4}((alpha|beta)[0-9]{0,4})?)?")


class Kind(StrEnum):
    """The kinds of plugin of the v2 contract; each has its endpoints."""

    COMPONENT_VERSION_REPOSITORY = "componentVersionRepository"
    COMPONENT_LISTER = "componentLister"
    RESOURCE_REPOSITORY = "resourceRepository"
    DIGEST_PROCESSOR_REPOSITORY = "digestProcessorRepository"
    INPUT_REPOSITORY = "inputRepository"
    BLOB_TRANSFORMER = "blobTransformer"
    SIGNING_HANDLER = "signingHandler"
    CREDENTIAL_REPOSITORY = "credentialRepository"
    CREDENTIAL_PLUGIN = "credentialPlugin"


class Capability(StrEnum):
    """The capabilities of ADR 0001, by the values that its constants have."""

    READ_COMPONENT_VERSION_REPOSITORY = "readComponentVersionRepository"
    WRITE_COMPONENT_VERSION_REPOSITORY = "writeComponentVersionRepository"
    READ_WRITE_COMPONENT_VERSION_REPOSITORY = "readWriteComponentVersionRepository"
    READ_RESOURCE_REPOSITORY = "readResourceRepository"
    WRITE_RESOURCE_REPOSITORY = "writeResourceRepository"
    CREDENTIAL_PLUGIN = "credentialPlugin"
    CREDENTIAL_REPOSITORY_PLUGIN = "credentialRepositoryPlugin"
    TRANSFORMER = "transformer"
    GENERIC = "generic"

    @classmethod
    def read(cls, name: str) -> Capability | None:
        """Return the capability that ``name`` means, or None.

        The names of the ADR's constants are read too: any letter case, with or without the
        ending ``Capability``.
        """
        return _CAPABILITY_NAMES.get(name.casefold().removesuffix("capability"))

    @property
    def kind(self) -> Kind | None:
        """The kind whose endpoints serve this capability; None for ``generic``."""
        return _KIND_OF[self]

    @property
    def includes(self) -> frozenset[Capability]:
        """The capabilities that come with this one, itself included."""
        if self is Capability.READ_WRITE_COMPONENT_VERSION_REPOSITORY:
            return frozenset(
                (
                    self,
                    Capability.READ_COMPONENT_VERSION_REPOSITORY,
                    Capability.WRITE_COMPONENT_VERSION_REPOSITORY,
                )
            )
        return frozenset((self,))


_CAPABILITY_NAMES = {str(capability).casefold(): capability for capability in Capability}
_KIND_OF: Mapping[Capability, Kind | None] = {
    Capability.READ_COMPONENT_VERSION_REPOSITORY: Kind.COMPONENT_VERSION_REPOSITORY,
    Capability.WRITE_COMPONENT_VERSION_REPOSITORY: Kind.COMPONENT_VERSION_REPOSITORY,
    Capability.READ_WRITE_COMPONENT_VERSION_REPOSITORY: Kind.COMPONENT_VERSION_REPOSITORY,
    Capability.READ_RESOURCE_REPOSITORY: Kind.RESOURCE_REPOSITORY,
    Capability.WRITE_RESOURCE_REPOSITORY: Kind.RESOURCE_REPOSITORY,
    Capability.CREDENTIAL_PLUGIN: Kind.CREDENTIAL_PLUGIN,
    Capability.CREDENTIAL_REPOSITORY_PLUGIN: Kind.CREDENTIAL_REPOSITORY,
    Capability.TRANSFORMER: Kind.BLOB_TRANSFORMER,
    Capability.GENERIC: None,
}

_CREDENTIAL_SPECS = "supportedCredentialRepositorySpecTypes"
_CREDENTIAL_TYPES = "customCredentialTypes"
_TYPE_LIST: Mapping[Kind, str] = {
    Kind.COMPONENT_VERSION_REPOSITORY: "supportedRepositorySpecTypes",
    Kind.COMPONENT_LISTER: "supportedRepositorySpecTypes",
    Kind.RESOURCE_REPOSITORY: "supportedAccessTypes",
    Kind.DIGEST_PROCESSOR_REPOSITORY: "supportedAccessTypes",
    Kind.INPUT_REPOSITORY: "supportedInputTypes",
    Kind.BLOB_TRANSFORMER: "supportedTransformerSpecTypes",
    Kind.SIGNING_HANDLER: "supportedSigningSpecTypes",
    Kind.CREDENTIAL_REPOSITORY: "supportedConsumerIdentityTypes",
    Kind.CREDENTIAL_PLUGIN: "supportedCredentialPluginTypes",
}


class TypeSupport(NamedTuple):
    """One type that a plugin serves: its name, its other names, the JSON schema of its objects."""

    type: str
    aliases: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The type and its aliases."""
        return (self.type, *self.aliases)

    def to_json(self) -> JSONObject:
        """Return the entry of a v2 type list."""
        schema = None
        if self.schema is not None:
            text = write_json(dict(self.schema)).encode()
            schema = binascii.b2a_base64(text, newline=False).decode()
        return {
            "type": self.type,
            "aliases": list(self.aliases) or None,
            "jsonSchema": schema,
        }


class KindSupport(NamedTuple):
    """One kind that a plugin serves, with its types.

    ``types`` is what a plugin is looked up by: for ``credentialRepository`` that is the consumer
    identity types, and ``repository_types`` and ``credential_types`` are its two other lists.
    """

    kind: Kind
    types: tuple[TypeSupport, ...]
    repository_types: tuple[TypeSupport, ...] = ()
    credential_types: tuple[TypeSupport, ...] = ()

    def find(self, type_name: str) -> TypeSupport | None:
        """Return the entry with that type or alias."""
        return next((entry for entry in self.types if type_name in entry.names), None)

    def to_json(self) -> JSONObject:
        """Return the v2 capability."""
        result: JSONObject = {
            "type": str(self.kind),
            _TYPE_LIST[self.kind]: [entry.to_json() for entry in self.types],
        }
        if self.kind is Kind.CREDENTIAL_REPOSITORY:
            result[_CREDENTIAL_SPECS] = [entry.to_json() for entry in self.repository_types]
            if self.credential_types:
                result[_CREDENTIAL_TYPES] = [entry.to_json() for entry in self.credential_types]
        return result


class Capabilities(NamedTuple):
    """Everything that a plugin says it can do.

    ``types`` comes from the ADR's key, ``kinds`` from the v2 key; ``contracts`` says which keys
    were there (``"adr"``, ``"v2"``). ``config_types`` are the configuration types that the plugin
    wants to be given. ``unknown`` holds capabilities that nobody here knows: they were ignored.
    """

    types: Mapping[str, tuple[Capability, ...]]
    kinds: tuple[KindSupport, ...] = ()
    contracts: tuple[str, ...] = ("adr", "v2")
    config_types: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Capabilities:
        """Return what the output of a ``capabilities`` command says.

        ``data`` must be one JSON object of at most ``MAX_SIZE`` bytes with the key ``type``, the
        key ``capabilities``, or both. A kind twice, a type twice in a kind, a malformed type name
        and a ``jsonSchema`` that is not JSON in base64 are refused. Capabilities of unknown names
        are ignored and reported in ``unknown``.

        Raises:
            PluginProtocolError: the output breaks the contract.

        """
        document = read_json(data, what=_ANSWER, limit=MAX_SIZE)
        if not isinstance(document, dict):
            raise PluginProtocolError(f"{_ANSWER} is not a JSON object")
        lowered = {key.casefold() for key in document}
        contracts = tuple(
            name for name, key in (("adr", "type"), ("v2", "capabilities")) if key in lowered
        )
        if not contracts:
            raise PluginProtocolError(
                f"{_ANSWER} has neither 'type' nor 'capabilities': this is not a plugin",
            )
        unknown: list[str] = []
        return cls(
            types=_read_adr(member(document, "type", what=_ANSWER), unknown),
            kinds=_read_kinds(member(document, "capabilities", what=_ANSWER), unknown),
            contracts=contracts,
            config_types=_type_names(
                member(document, "supportedConfigTypes", what=_ANSWER), "supportedConfigTypes"
            ),
            unknown=tuple(unknown),
        )

    def to_json(self) -> JSONObject:
        """Return the answer for both contracts: one object with both keys."""
        result: JSONObject = {
            "type": {name: [str(one) for one in able] for name, able in self.types.items()},
            "capabilities": [kind.to_json() for kind in self.kinds],
        }
        if self.config_types:
            result["supportedConfigTypes"] = list(self.config_types)
        return result

    def kind(self, kind: Kind) -> KindSupport | None:
        """Return what the v2 key says of ``kind``."""
        return next((support for support in self.kinds if support.kind is kind), None)

    def find(self, kind: Kind, type_name: str) -> TypeSupport | None:
        """Return the v2 entry of a type or alias of ``kind``."""
        support = self.kind(kind)
        return None if support is None else support.find(type_name)

    def supports(self, kind: Kind, type: str) -> bool:  # noqa: A002 - the contract's own word
        """Say whether ``kind`` is served for ``type``, reading or writing, in either contract."""
        if self.find(kind, type) is not None:
            return True
        return any(able.kind is kind for able in self.types.get(type, ()))

    def allows(self, capability: Capability, type: str) -> bool:  # noqa: A002 - as above
        """Say whether the plugin may be asked for ``capability`` of ``type``.

        The v2 key cannot say that a plugin only reads. If the ADR's key speaks of the type, under
        any of its names, that decides; otherwise a kind of v2 allows all its capabilities.
        """
        entry = None if capability.kind is None else self.find(capability.kind, type)
        names = (type,) if entry is None else (type, *entry.names)
        declared = [
            able
            for name in names
            for able in self.types.get(name, ())
            if able.kind is capability.kind
        ]
        if declared:
            return capability in _all(declared)
        return entry is not None


def _all(capabilities: list[Capability]) -> frozenset[Capability]:
    """Return what the capabilities include together; reading and writing make read-write."""
    found = frozenset(one for capability in capabilities for one in capability.includes)
    both = Capability.READ_WRITE_COMPONENT_VERSION_REPOSITORY
    return found | {both} if both.includes - {both} <= found else found


def _read_adr(
    value: JSONValue,
    unknown: list[str],
) -> dict[str, tuple[Capability, ...]]:
    result: dict[str, tuple[Capability, ...]] = {}
    for name, names in _object(value, "type").items():
        _check_type_name(name, "type")
        able: list[Capability] = []
        for text in _strings(names, f"type.{name}"):
            capability = Capability.read(text)
            if capability is None:
                unknown.append(text)
            elif capability not in able:
                able.append(capability)
        result[name] = tuple(able)
    return result


def _read_kinds(value: JSONValue, unknown: list[str]) -> tuple[KindSupport, ...]:
    result: dict[Kind, KindSupport] = {}
    for index, entry in enumerate(_array(value, "capabilities")):
        where = f"capabilities[{index}]"
        if not isinstance(entry, dict):
            raise PluginProtocolError(f"{_ANSWER}: {where} is not an object")
        name = member(entry, "type", what=where)
        if not isinstance(name, str):
            raise PluginProtocolError(f"{_ANSWER}: {where}.type is not a text")
        try:
            kind = Kind(name)
        except ValueError:
            unknown.append(name)
            continue
        if kind in result:
            raise PluginProtocolError(f"{_ANSWER} has the capability {kind} twice")
        result[kind] = _read_kind(kind, entry, where)
    return tuple(result.values())


def _read_kind(kind: Kind, entry: JSONObject, where: str) -> KindSupport:
    def types(key: str) -> tuple[TypeSupport, ...]:
        return _read_types(member(entry, key, what=where), f"{where}.{key}")

    if kind is Kind.CREDENTIAL_REPOSITORY:
        return KindSupport(
            kind, types(_TYPE_LIST[kind]), types(_CREDENTIAL_SPECS), types(_CREDENTIAL_TYPES)
        )
    return KindSupport(kind, types(_TYPE_LIST[kind]))


def _read_types(value: JSONValue, where: str) -> tuple[TypeSupport, ...]:
    result: list[TypeSupport] = []
    seen: set[str] = set()
    for index, entry in enumerate(_array(value, where)):
        support = _read_type(entry, f"{where}[{index}]")
        if twice := seen.intersection(support.names):
            raise PluginProtocolError(f"{_ANSWER}: {where} has the type {min(twice)} twice")
        seen.update(support.names)
        result.append(support)
    return tuple(result)


def _read_type(entry: JSONValue, where: str) -> TypeSupport:
    if not isinstance(entry, dict):
        raise PluginProtocolError(f"{_ANSWER}: {where} is not an object")
    name = member(entry, "type", what=where)
    if not isinstance(name, str):
        raise PluginProtocolError(f"{_ANSWER}: {where}.type is not a text")
    _check_type_name(name, where)
    return TypeSupport(
        type=name,
        aliases=_type_names(member(entry, "aliases", what=where), f"{where}.aliases"),
        schema=_read_schema(member(entry, "jsonSchema", what=where), f"{where}.jsonSchema"),
    )


def _read_schema(value: JSONValue, where: str) -> Mapping[str, Any] | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise PluginProtocolError(f"{_ANSWER}: {where} is not a JSON schema in base64")
    try:
        data = binascii.a2b_base64(value.replace("\r", "").replace("\n", ""), strict_mode=True)
    except ValueError as error:
        raise PluginProtocolError(f"{_ANSWER}: {where} is not base64") from error
    schema = read_json(data, what=f"{_ANSWER}: {where}", limit=MAX_SIZE)
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    if not isinstance(schema, dict):
        raise PluginProtocolError(f"{_ANSWER}: {where} is not a JSON schema")
    return schema


def _type_names(value: JSONValue, where: str) -> tuple[str, ...]:
    names = tuple(_strings(value, where))
    for name in names:
        _check_type_name(name, where)
    return names


def _check_type_name(name: str, where: str) -> None:
    if not _TYPE_NAME.fullmatch(name):
        raise PluginProtocolError(
            f"{_ANSWER}: {where}: {name[:80]!r} is no type name",
            hint="a type is NAME or NAME/v1",
        )


def _object(value: JSONValue, where: str) -> JSONObject:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise PluginProtocolError(f"{_ANSWER}: {where} is not an object")
    return value


def _array(value: JSONValue, where: str) -> list[JSONValue]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise PluginProtocolError(f"{_ANSWER}: {where} is not an array")
    return value


def _strings(value: JSONValue, where: str) -> list[str]:
    texts = _array(value, where)
    if not all(isinstance(text, str) for text in texts):
        raise PluginProtocolError(f"{_ANSWER}: {where} is not an array of texts")
    return texts
