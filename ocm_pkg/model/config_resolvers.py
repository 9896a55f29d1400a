"""Resolvers: which repository has a component, if a reference does not say so.

The new form takes the first resolver that matches, and no other. The old, deprecated form
(``ocm.config.ocm.software``) tries all that match: by priority, then the longest prefix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ocm_pkg.errors import InvalidDocumentError, OcmPkgError
from ocm_pkg.model.glob import Glob
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.model.versionrange import VersionRange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ocm_pkg.model.config_text import Node

DEFAULT_PRIORITY = 10

_SPECIAL = re.compile(r"[][*?{}\\,]")


@dataclass(frozen=True, slots=True)
class Resolver:
    """One rule: components that match ``pattern`` and ``versions`` are in ``repository``.

    ``tries_next`` is set for the old form: if the component version is not there, the next one
    that matches is asked.
    """

    repository: RepositorySpec
    node: Node = field(repr=False)
    pattern: Glob
    versions: VersionRange | None = None
    tries_next: bool = False

    def matches(self, component: str, version: str | None) -> bool:
        """Whether this rule is for a component version; without a version any may be meant."""
        if not self.pattern.matches(component):
            return False
        return version is None or self.versions is None or self.versions.contains(version)


def choose(
    resolvers: Sequence[Resolver], component: str, version: str | None
) -> tuple[Resolver, ...]:
    """Return the rules to follow for a component version, in the order to try.

    One of the new form ends the search, unless it is bound to versions and none is wanted: then
    the next one may have what its repository lacks.
    """
    chosen: list[Resolver] = []
    for resolver in resolvers:
        if resolver.matches(component, version):
            chosen.append(resolver)
            is_open = version is None and resolver.versions is not None
            if not (resolver.tries_next or is_open):
                break
    return tuple(chosen)


def read_resolvers(entry: Node) -> Iterator[Resolver]:
    """Yield the rules of ``resolvers.config.ocm.software``, in their order."""
    for node in entry.items("resolvers"):
        yield Resolver(_repository(node), node, _pattern(node), _versions(node))


def read_old_resolvers(entry: Node) -> list[Resolver]:
    """Return the rules of ``ocm.config.ocm.software``, the first to try first."""
    found: list[tuple[int, int, Resolver]] = []
    for node in entry.items("resolvers"):
        prefix, pattern = _beneath(node)
        priority = node.integer("priority")
        rule = Resolver(_repository(node), node, pattern, tries_next=True)
        found.append((DEFAULT_PRIORITY if priority is None else priority, len(prefix), rule))
    found.sort(key=lambda one: (-one[0], -one[1]))
    return [rule for _priority, _length, rule in found]


def read_aliases(entry: Node) -> Mapping[str, RepositorySpec]:
    """Return the repositories that have a name of their own."""
    aliases = entry.member("aliases")
    return {name: _spec(aliases.member(name)) for name in aliases.mapping()}


def _repository(node: Node) -> RepositorySpec:
    return _spec(node.member("repository"))


def _spec(node: Node) -> RepositorySpec:
    type_name = node.required_text("type")
    url = node.text("baseUrl") or ""
    if "@" in url:
        raise node.member("baseUrl").error(
            "must not contain a user or password", "configure credentials for a consumer instead"
        )
    try:
        return RepositorySpec.from_spec({**node.mapping(), "type": type_name})
    except OcmPkgError as error:
        raise node.error(f"is no repository: {error.message}", error.hint) from error


def _pattern(node: Node) -> Glob:
    try:
        return Glob.parse(node.text("componentNamePattern") or "")
    except InvalidDocumentError as error:
        raise node.member("componentNamePattern").error(
            f"is wrong: {error.message}", error.hint
        ) from error


def _versions(node: Node) -> VersionRange | None:
    text = node.text("versionConstraint")
    if not text:
        return None
    try:
        return VersionRange.parse(text)
    except InvalidDocumentError as error:
        raise node.member("versionConstraint").error(
            f"is wrong: {error.message}", error.hint
        ) from error


def _beneath(node: Node) -> tuple[str, Glob]:
    """Return a prefix, and the pattern for that name and all whose path continues it."""
    prefix = (node.text("prefix") or "").strip("/")
    if _SPECIAL.search(prefix):
        raise node.member("prefix").error("is no prefix of component names")
    return prefix, Glob.parse(f"{{{prefix},{prefix}/**}}" if prefix else "")
