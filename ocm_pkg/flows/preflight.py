"""What would stop a release at its end, looked at before its beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.errors import AlreadyExistsError, ConfigError, OcmPkgError
from ocm_pkg.flows.workshop import lacking_targets, listed, missing_targets, part_of
from ocm_pkg.fs.blob import read_all
from ocm_pkg.model.documents import PROVENANCE
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.provenance import MAX_BYTES, Provenance
from ocm_pkg.model.types import PLUGIN_RESOURCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.flows.workshop import Workshop
    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource

_SHOWN = 5


def require_committed(shop: Workshop, files: Sequence[str]) -> None:
    """Raise ``ConfigError`` if what is released is in no commit, though git keeps the project.

    ``files`` are those that git doesn't know, and that may be built into a binary.
    """
    commit = shop.inputs.commit
    is_dirty = commit is not None and commit.endswith("-dirty")
    if not (is_dirty or files):
        return
    shown = [*files[:_SHOWN], *([f"and {len(files) - _SHOWN} more"] if files[_SHOWN:] else [])]
    what = "files differ from the commit" if is_dirty else "files are in no commit"
    raise ConfigError(
        f"{shop.name} is not released: {what}, so nobody could build it again",
        hint="commit them, or name them in .gitignore (git status shows them); or --allow-dirty",
        detail=shown,
    )


def require_targets(shop: Workshop, *, builds: bool) -> None:
    """Raise ``BuildError`` if a target was not built, and won't be.

    If the release ``builds``, what can be built here is not missing.
    """
    if shop.is_partial:
        return
    part = part_of(shop)
    if part is None and not builds:
        # The first step says what is wrong with what is there.
        return
    missing = {target.platform for target in shop.packaging.project.targets}
    if part is not None:
        missing &= set(missing_targets(shop, part))
    if builds:
        missing &= {row.target.platform for row in shop.rows if row.missing is not None}
    if missing:
        raise lacking_targets(shop, sorted(missing))


def require_room(shop: Workshop) -> None:
    """Raise ``AlreadyExistsError`` if the destination has the version for sure with other content.

    That is what can be told without a build: other platforms, or provenance from other sources.
    Raises what the destination raises if it can't be asked.
    """
    there = shop.published()
    if there is None:
        return
    project = shop.packaging.project
    plugins = [
        one
        for one in there.component.resources
        if one.name == project.resource and one.type == PLUGIN_RESOURCE
    ]
    offered = {_platform(one) for one in plugins}
    wanted = {target.platform for target in project.targets}
    if offered != wanted and not shop.is_partial:
        known = sorted(one for one in offered if one is not None)
        raise _taken(shop, [f"it is for {listed(known)}, this one for {listed(sorted(wanted))}"])
    for resource in there.component.resources:
        if resource.type == PROVENANCE.name and (found := _other_sources(shop, there, resource)):
            raise _taken(shop, found)


def _platform(resource: Resource) -> Platform | None:
    identity = resource.extra_identity
    if "os" not in identity or "architecture" not in identity:
        return None
    return Platform.of(identity["os"], identity["architecture"])


def _other_sources(
    shop: Workshop, there: ComponentDescriptor, resource: Resource
) -> tuple[str, ...]:
    try:
        data = read_all(shop.destination.blob(there, resource), MAX_BYTES, resource.name)
        found = Provenance.parse(data, name=resource.name)
    except OcmPkgError:
        # Made by another tool, or gone: the comparison after the build will tell.
        return ()
    now = shop.inputs
    pairs = (
        ("commit", found.commit, now.commit if now.is_fixed else None),
        ("project file", found.config, now.config),
        ("requirements", found.lock, now.lock),
    )
    return tuple(
        f"{what}: there {before or 'none'}, here {here or 'none'}"
        for what, before, here in pairs
        if before != here
    )


def _taken(shop: Workshop, detail: Sequence[str]) -> AlreadyExistsError:
    return AlreadyExistsError(
        f"{shop.name} is in {shop.repository} already, with other content",
        hint="raise the version",
        detail=detail,
    )
