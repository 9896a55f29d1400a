"""``${NAME}`` in the text values of a document: replaced after parsing, so no value is YAML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ocm_pkg.model.document import near_miss

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocm_pkg.errors import InvalidDocumentError
    from ocm_pkg.model.document import JSONValue
    from ocm_pkg.model.yamltext import YamlDocument

_DOLLAR = re.compile(r"\$(?:(\$)|\{([^{}\n]*)\})?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def substituted(document: YamlDocument, variables: Mapping[str, str]) -> JSONValue:
    """Return the value of ``document`` with its variables replaced.

    ``${NAME}`` becomes the value of NAME and ``$$`` a dollar; any other dollar stays as it is.
    Keys are never changed, and what is put in is not looked at again. An unknown name, or
    ``${...}`` without a name, is an ``InvalidDocumentError`` that points at the member.
    """
    return _substituted(document.value, document, variables, ())


def _substituted(
    value: JSONValue,
    document: YamlDocument,
    variables: Mapping[str, str],
    path: tuple[str | int, ...],
) -> JSONValue:
    if isinstance(value, str):
        return _text(value, document, variables, path) if "$" in value else value
    if isinstance(value, dict):
        return {
            key: _substituted(member, document, variables, (*path, key))
            for key, member in value.items()
        }
    if isinstance(value, list):
        return [
            _substituted(item, document, variables, (*path, index))
            for index, item in enumerate(value)
        ]
    return value


def _text(
    text: str, document: YamlDocument, variables: Mapping[str, str], path: Sequence[str | int]
) -> str:
    def replacement(match: re.Match[str]) -> str:
        dollar, name = match.groups()
        if dollar is not None or name is None:
            return "$"
        if name in variables:
            return variables[name]
        raise _unknown(name, document, variables, path)

    return _DOLLAR.sub(replacement, text)


def _unknown(
    name: str, document: YamlDocument, variables: Mapping[str, str], path: Sequence[str | int]
) -> InvalidDocumentError:
    if not _NAME.fullmatch(name):
        message = f"{document.name}: ${{{name[:60]}}} holds no name of a variable"
        return document.error(path, message, "write $${ for a dollar and a brace")
    guess = near_miss(name, variables)
    hint = f"did you mean ${{{guess}}}?" if guess else f"give it with --set {name}=VALUE"
    return document.error(path, f"{document.name}: the variable {name[:60]!r} has no value", hint)
