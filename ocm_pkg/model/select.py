"""The one resource of a component version that fits a type, a name and a platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.errors import (
    AmbiguousResourceError,
    NoMatchingPlatformError,
    ResourceNotFoundError,
    UsageError,
)
from ocm_pkg.model import identity as identities
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.types import PLUGIN_RESOURCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource
    from ocm_pkg.model.identity import Identity

_MOST_SHOWN = 20


def select_resource(
    descriptor: ComponentDescriptor,
    *,
    platform: Platform,
    type: str = PLUGIN_RESOURCE,  # noqa: A002 - the member's name in a descriptor
    name: str | None = None,
    identity: Identity | None = None,
) -> Resource:
    """Return the resource of ``type`` for ``platform``.

    ``name`` and ``identity`` (which may have ``version``) narrow the choice. Common spellings of
    a platform are understood (``macos``, ``x86_64``, any case); a resource that doesn't say both
    ``os`` and ``architecture`` fits no platform. Raises ``ResourceNotFoundError``,
    ``NoMatchingPlatformError`` or ``AmbiguousResourceError``, each with the candidates.
    """
    component = f"{descriptor.name} {descriptor.version}"
    of_type = [resource for resource in descriptor.component.resources if resource.type == type]
    wanted = {**(identity or {}), **({"name": name} if name is not None else {})}
    named = [resource for resource in of_type if identities.matches(wanted, _attributes(resource))]
    if not named:
        raise ResourceNotFoundError(
            f"{component} has no resource of type {type}"
            + (f" with {identities.show(wanted)}" if wanted else ""),
            hint=f"it has {_show(of_type)}" if of_type else "it is no plugin",
        )
    fitting = [resource for resource in named if platform_of(resource.extra_identity) == platform]
    if not fitting:
        raise NoMatchingPlatformError(
            f"{component} has no {type} for {platform}; it has {_offered(named)}",
            hint="choose another with --platform OS/ARCH, or ask its provider to build this one",
        )
    if len(fitting) > 1:
        raise AmbiguousResourceError(
            f"{component} has {len(fitting)} resources of type {type} for {platform}:"
            f" {_show(fitting)}",
            hint="choose one with --resource NAME or --identity K=V",
        )
    return fitting[0]


def platform_of(extra_identity: Mapping[str, str]) -> Platform | None:
    """Return the platform that an ``extraIdentity`` names; None if it names none that is known."""
    try:
        return Platform.of(extra_identity["os"], extra_identity["architecture"])
    except (KeyError, UsageError):
        return None


def _attributes(resource: Resource) -> dict[str, str]:
    return {"version": resource.version, **resource.identity}


def _show(resources: Sequence[Resource]) -> str:
    shown = [identities.show(resource.identity) for resource in resources[:_MOST_SHOWN]]
    if len(resources) > _MOST_SHOWN:
        shown.append(f"and {len(resources) - _MOST_SHOWN} more")
    return "; ".join(shown)


def _offered(resources: Sequence[Resource]) -> str:
    """Return the platforms on offer; a resource without a known one by its identity."""
    offered = {str(platform_of(item.extra_identity) or _show([item])) for item in resources}
    shown = sorted(offered)[:_MOST_SHOWN]
    if len(offered) > _MOST_SHOWN:
        shown.append(f"and {len(offered) - _MOST_SHOWN} more")
    return ", ".join(shown)
