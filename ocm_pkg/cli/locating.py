"""Where a component version is: in the repository that is named, or where resolvers say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.errors import ComponentVersionNotFoundError, NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.model.config_resolvers import Resolver
    from ocm_pkg.model.reference import ComponentRef, RepositorySpec
    from ocm_pkg.ports import Repository

DEFAULT_REPOSITORY = "./ctf"


@dataclass(frozen=True, slots=True)
class Found:
    """A component's repository, and the versions that are meant, newest first; at least one."""

    spec: RepositorySpec
    repository: Repository
    component: str
    versions: tuple[str, ...]

    @property
    def version(self) -> str:
        """The newest of the versions."""
        return self.versions[0]


def find(context: Context, reference: ComponentRef, *, prefer_plugins: bool = False) -> Found:
    """Return where a component is; a version that is given need not be there yet.

    Without a repository the configured resolvers are followed, and if none matches it is ``./ctf``.
    Raises ``UsageError`` if no component is named, ``ComponentVersionNotFoundError`` if no
    repository has it.
    """
    component, version = reference.component, reference.version
    if component is None:
        raise UsageError(
            f"{reference} names a repository, and a component version is wanted",
            hint="write REPOSITORY//COMPONENT:VERSION",
        )
    rules = _rules(context, reference)
    specs = [spec for spec, _rule in rules]
    for spec, rule in rules:
        try:
            repository = context.repository(spec, prefer_plugins=prefer_plugins)
            if version is not None and len(rules) == 1:
                return Found(spec, repository, component, (version,))
            versions = _wanted(repository.versions(component), version, rule)
        except NotFoundError:
            if rule is None or not rule.tries_next or spec is specs[-1]:
                raise
            continue
        if versions:
            return Found(spec, repository, component, versions)
    wanted = f"version {version}" if version else "version"
    raise ComponentVersionNotFoundError(
        f"{' and '.join(map(str, specs))} has no {wanted} of {component}",
        hint=f"ocm-pkg get cv {specs[-1]} lists what is there",
    )


def _rules(
    context: Context, reference: ComponentRef
) -> list[tuple[RepositorySpec, Resolver | None]]:
    from ocm_pkg.model.reference import RepositorySpec

    if reference.repository is not None:
        return [(reference.repository, None)]
    if context.config_files and reference.component is not None:
        rules = context.config.resolvers_for(reference.component, reference.version)
        if rules:
            return [(rule.repository, rule) for rule in rules]
    return [(RepositorySpec.parse(DEFAULT_REPOSITORY), None)]


def _wanted(versions: Sequence[str], version: str | None, rule: Resolver | None) -> tuple[str, ...]:
    if version is not None:
        return (version,) if version in versions else ()
    if rule is None or rule.versions is None:
        return tuple(versions)
    return tuple(one for one in versions if rule.versions.contains(one))
