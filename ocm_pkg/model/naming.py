"""The names that OCM documents allow, as annotated types that say in plain words what is wrong."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from ocm_pkg.model.reference import component_name_ok, element_name_ok
from ocm_pkg.model.version import is_version

MAX_NAME = 255
"""Characters that the name of an element, identity attribute or signature may have at most."""

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[-+][0-9]{2}:[0-9]{2})"
)
_LABEL_VERSION = re.compile(r"v[0-9]+")


class WrongTextError(ValueError):
    """Text that breaks a rule; ``hint`` says what to write instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def _component_name(text: str) -> str:
    if not component_name_ok(text):
        raise WrongTextError(
            f"is {_shown(text)}, which is no component name:"
            " lower-case domain with a dot, a slash, a path, like example.com/plugins/hello",
            "write a name like example.com/plugins/hello",
        )
    return text


def _element_name(text: str) -> str:
    if not _is_element_name(text):
        raise WrongTextError(
            f"is {_shown(text)}, which is no element name:"
            " two or more of a-z, 0-9, '-', '_', '+', with a letter or digit at both ends",
            "write a name like hello or hello-docs",
        )
    return text


def _version(text: str) -> str:
    if not is_version(text):
        raise WrongTextError(
            f"is {_shown(text)}, which is no version like 1.2.3, v1.2, 1.2.3-rc.1 or 1.2.3+build.5",
            "write a version like 1.2.3",
        )
    return text


def _time(text: str) -> str:
    if not _TIME.fullmatch(text) or not _is_in_calendar(text):
        raise WrongTextError(
            f"is {_shown(text)}, which is no time like 2026-01-01T00:00:00Z",
            "write date, T, time and zone, as RFC 3339 says",
        )
    return text


def _is_in_calendar(text: str) -> bool:
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return True


def _label_version(text: str) -> str:
    if not _LABEL_VERSION.fullmatch(text):
        raise WrongTextError(
            f"is {_shown(text)}, which is no label version like v1", "write v and a number"
        )
    return text


def _identity(identity: dict[str, str]) -> dict[str, str]:
    for key in identity:
        if key == "name":
            raise WrongTextError(
                "has the key 'name', which is the element's own", "choose another key"
            )
        if not _is_element_name(key):
            raise WrongTextError(
                f"has the key {_shown(key)}: keys are two or more of a-z, 0-9, '-', '_', '+',"
                " with a letter or digit at both ends",
                "write a key like os or architecture",
            )
    return identity


def _is_element_name(text: str) -> bool:
    return len(text) <= MAX_NAME and element_name_ok(text)


def _shown(text: str) -> str:
    shown = repr(text[:60]) if text[:60].isprintable() else ascii(text[:60])
    return shown if len(text) <= 60 else f"{shown}..."


def _none_as_list(value: Any) -> Any:  # noqa: ANN401
    return () if value is None else tuple(value) if isinstance(value, list) else value


def _none_as_mapping(value: Any) -> Any:  # noqa: ANN401
    return {} if value is None else value


NonEmpty: TypeAlias = Annotated[str, Field(min_length=1)]
SignatureName: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
ComponentName: TypeAlias = Annotated[str, AfterValidator(_component_name)]
ElementName: TypeAlias = Annotated[str, AfterValidator(_element_name)]
VersionText: TypeAlias = Annotated[str, AfterValidator(_version)]
Time: TypeAlias = Annotated[str, AfterValidator(_time)]
LabelVersion: TypeAlias = Annotated[str, AfterValidator(_label_version)]
ExtraIdentity: TypeAlias = Annotated[
    dict[str, str], AfterValidator(_identity), BeforeValidator(_none_as_mapping)
]
NoneAsList = BeforeValidator(_none_as_list)
"""Reads a null list as an empty one."""
