"""Checks a typed object against the JSON schema that a plugin gave for its type."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ocm_pkg.errors import InvalidDocumentError, PluginProtocolError, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ocm_pkg.contract.capabilities import Kind
    from ocm_pkg.plugin.registry import ExternalPlugin

_FORMATS = ("isoduration", "rfc3987_syntax")
"""What jsonschema imports if it is there, for formats that are checked nowhere here."""


def check_spec(plugin: ExternalPlugin, kind: Kind, type_name: str, spec: Mapping[str, Any]) -> None:
    """Raise ``InvalidDocumentError`` if the plugin's schema for ``type_name`` refuses ``spec``.

    A plugin that was looked up by the ADR's name of the type has its schema under the type's own.
    A plugin without a schema takes everything. ``PluginProtocolError`` if the schema itself is
    wrong, or refers to another document: none is ever fetched.
    """
    able = plugin.capabilities
    entry = able.find(kind, type_name) or able.find(kind, str(spec.get("type")))
    if entry is not None and entry.schema:
        _check(plugin.label, entry.schema, spec)


def _check(plugin: str, schema: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    # Costs 100 ms to import, which only a plugin that gave a schema is worth.
    with _lean_import():
        from jsonschema.exceptions import SchemaError, ValidationError
        from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        cls = validator_for(schema, default=Draft202012Validator)
        cls.check_schema(dict(schema))
        # An empty registry: without one, references would be fetched from the network.
        cls(schema, registry=Registry()).validate(dict(spec))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.absolute_path) or "it"
        raise InvalidDocumentError(
            f"plugin {plugin} does not take this {escaped(str(spec.get('type')), 100)}: "
            f"{escaped(where, 200)}: {escaped(error.message, 300)}",
            hint="see the schema: ocm-pkg plugin capabilities NAME -o json",
        ) from error
    except (SchemaError, Unresolvable, RecursionError, ValueError) as error:
        raise PluginProtocolError(
            f"plugin {plugin} gave a JSON schema that cannot be used: {escaped(str(error), 200)}"
        ) from error


@contextmanager
def _lean_import() -> Iterator[None]:
    """Hide the libraries of ``_FORMATS`` from what is imported meanwhile: they cost a second."""
    hidden = [name for name in _FORMATS if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
