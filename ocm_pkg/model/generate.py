"""From a project and what was built of it to a component constructor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ocm_pkg.model.project import DESCRIPTION_LABEL
from ocm_pkg.model.shape import TAR_GZIP
from ocm_pkg.model.types import PLUGIN_RESOURCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocm_pkg.model.document import JSONValue
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import PluginProject

FILE_NAME = "component-constructor.yaml"


@dataclass(frozen=True, slots=True)
class BuiltResource:
    """A binary to deliver: ``path`` is relative to the constructor, ``label`` the shape label."""

    platform: Platform
    path: str
    media_type: str
    label: Mapping[str, Any]


def constructor_for(
    project: PluginProject,
    version: str,
    binaries: Sequence[BuiltResource],
    assets: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the constructor as plain data, in the form that the reference tools read too.

    One resource per binary, told apart by ``os`` and ``architecture``; then the project's assets,
    each from the gzipped tar that ``assets`` names for it, relative to the constructor.
    """
    component: dict[str, Any] = {
        "name": project.component,
        "version": version,
        "provider": {"name": _literal(project.provider)},
    }
    if labels := _labels(project):
        component["labels"] = labels
    component["resources"] = [
        _plugin(project.resource, version, binary)
        for binary in sorted(binaries, key=lambda binary: binary.platform)
    ]
    for asset in project.assets:
        component["resources"].append(
            {
                "name": asset.name,
                "version": version,
                "type": _literal(asset.type),
                "relation": "local",
                "input": _file((assets or {})[asset.name], TAR_GZIP),
            }
        )
    return {"components": [component]}


def _plugin(name: str, version: str, binary: BuiltResource) -> dict[str, Any]:
    return {
        "name": name,
        "version": version,
        "type": PLUGIN_RESOURCE,
        "relation": "local",
        "extraIdentity": binary.platform.identity,
        "labels": [dict(binary.label)],
        "input": _file(binary.path, binary.media_type),
    }


def _file(path: str, media_type: str) -> dict[str, str]:
    return {"type": "file", "path": path, "mediaType": media_type}


def _labels(project: PluginProject) -> list[dict[str, Any]]:
    labels = [
        {"name": name, "value": _literal(value)} for name, value in sorted(project.labels.items())
    ]
    if project.description is not None:
        value = _literal(project.description)
        labels.insert(0, {"name": DESCRIPTION_LABEL, "value": value})
    return labels


def _literal(value: JSONValue) -> JSONValue:
    """Return a value whose dollars a constructor doesn't take for variables."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [_literal(item) for item in value]
    if isinstance(value, dict):
        return {key: _literal(item) for key, item in value.items()}
    return value
