"""Identities: the attribute sets that tell elements of a component version apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ocm_pkg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Identity: TypeAlias = "Mapping[str, str]"


def matches(requested: Identity, identity: Identity) -> bool:
    """Whether every requested attribute is there and equal (selection by subset)."""
    return all(identity.get(key) == value for key, value in requested.items())


def show(identity: Identity) -> str:
    """Return ``name=hello,architecture=amd64,os=linux``: the name first, the rest sorted."""
    keys = sorted(identity, key=lambda key: (key != "name", key))
    return ",".join(f"{key}={identity[key]}" for key in keys)


def parse(texts: Iterable[str]) -> dict[str, str]:
    """Read ``K=V,K=V`` from each text; anything else is a ``UsageError``."""
    identity: dict[str, str] = {}
    for key, value in _pairs(texts):
        if key in identity and identity[key] != value:
            raise UsageError(f"identity attribute {key!r} is given twice")
        identity[key] = value
    return identity


def _pairs(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        for pair in text.split(","):
            key, equals, value = pair.partition("=")
            if not equals or not key:
                raise UsageError(
                    f"{pair!r} is not an identity attribute",
                    hint="write --identity name=hello,os=linux,architecture=amd64",
                )
            yield key, value
