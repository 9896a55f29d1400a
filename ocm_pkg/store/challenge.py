"""What a ``WWW-Authenticate`` header asks for (RFC 9110, 11.6.1), and what access means in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

BEARER, BASIC = "bearer", "basic"

Grants: TypeAlias = frozenset[tuple[str, str]]
"""Pairs of a resource (``repository:NAME``) and one action on it."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKEN68 = re.compile(r"[ \t]+([A-Za-z0-9._~+/-]+=*)(?=[ \t]*(?:,|$))")
_NAME = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)', re.DOTALL)
_BARE = re.compile(r"[^\s,\"]*")
_BETWEEN = re.compile(r"[\s,]*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_UNKNOWN = re.compile(r"[^,]+")
_MAX_LENGTH = 64 * 1024


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in: the scheme, and its parameters by name (both in lower case).

    ``token68`` is what a scheme such as Negotiate has in place of parameters.
    """

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    token68: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether it is Basic, or Bearer with a realm to get tokens from."""
        return self.scheme == BASIC or (
            self.scheme == BEARER and bool(self.parameters.get("realm"))
        )


def parse_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """Return the challenges of all headers in their order; what is not understood is left out.

    Reads several challenges in a header or several headers, quoted and bare values, empty
    elements, and what servers get wrong: a quote that does not end, blanks for commas.
    """
    return tuple(one for value in values for one in _read(value[:_MAX_LENGTH]))


def strongest(challenges: Iterable[Challenge]) -> Challenge | None:
    """Return the one to answer: Bearer before Basic; None if there is neither."""
    usable = [one for one in challenges if one.is_usable]
    return min(usable, key=lambda one: one.scheme != BEARER, default=None)


def granted(scope: str) -> Grants:
    """Return what a scope parameter stands for: ``repository:a:pull,push repository:b:pull``."""
    pairs: set[tuple[str, str]] = set()
    for text in scope.split():
        resource, colon, actions = text.rpartition(":")
        if not colon or not resource:
            pairs.add((text, ""))
            continue
        pairs.update((resource, action) for action in actions.split(",") if action)
    return frozenset(pairs)


def scope_texts(grants: Grants) -> tuple[str, ...]:
    """Return grants as scope parameters, one for each resource, sorted."""
    actions: dict[str, set[str]] = {}
    for resource, action in grants:
        actions.setdefault(resource, set()).add(action)
    return tuple(
        f"{resource}:{joined}" if (joined := _joined(actions[resource])) else resource
        for resource in sorted(actions)
    )


def _joined(actions: Collection[str]) -> str:
    return ",".join(sorted(action for action in actions if action))


def _read(text: str) -> list[Challenge]:
    found: list[Challenge] = []
    parameters: dict[str, str] = {}
    at = 0
    while at < len(text):
        if name := _NAME.match(text, at):
            value, at = _value(text, name.end())
            parameters.setdefault(name[1].lower(), value)
        elif scheme := _TOKEN.match(text, at):
            token68 = _TOKEN68.match(text, scheme.end())
            parameters = {}
            found.append(
                Challenge(
                    scheme[0].lower(), MappingProxyType(parameters), token68[1] if token68 else ""
                )
            )
            at = (token68 or scheme).end()
        else:
            at = _end(_UNKNOWN, text, at)
        at = _end(_BETWEEN, text, at)
    return found


def _value(text: str, at: int) -> tuple[str, int]:
    if quoted := _QUOTED.match(text, at):
        return _ESCAPE.sub(r"\1", quoted[1]), quoted.end()
    end = _end(_BARE, text, at)
    return text[at:end], end


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
