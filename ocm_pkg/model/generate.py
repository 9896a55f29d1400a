"""From a project and what was built of it to a component constructor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ocm_pkg.model.documents import KINDS
from ocm_pkg.model.project import DESCRIPTION_LABEL
from ocm_pkg.model.shape import TAR_GZIP
from ocm_pkg.model.types import PLUGIN_RESOURCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocm_pkg.model.document import JSONValue
    from ocm_pkg.model.documents import DocumentKind
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import PluginProject

FILE_NAME = "component-constructor.yaml"


@dataclass(frozen=True, slots=True)
class BuiltResource:
    """A binary to deliver: ``path`` is relative to the constructor, ``label`` the shape label.

    ``documents`` has the path of each document by the name of its kind.
    """

    platform: Platform
    path: str
    media_type: str
    label: Mapping[str, Any]
    documents: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GitSource:
    """The commit that everything was built from, and the URL of its repository."""

    repository: str
    commit: str


def constructor_for(
    project: PluginProject,
    version: str,
    binaries: Sequence[BuiltResource],
    assets: Mapping[str, str] | None = None,
    *,
    source: GitSource | None = None,
) -> dict[str, Any]:
    """Return the constructor as plain data, in the form that the reference tools read too.

    One resource per binary, told apart by ``os`` and ``architecture``; one per document of each,
    told apart in the same way; then the project's assets, each from the gzipped tar that
    ``assets`` names for it, relative to the constructor. ``source`` becomes a source.
    """
    component: dict[str, Any] = {
        "name": project.component,
        "version": version,
        "provider": {"name": _literal(project.provider)},
    }
    if labels := _labels(project):
        component["labels"] = labels
    ordered = sorted(binaries, key=lambda binary: binary.platform)
    component["resources"] = [_plugin(project.resource, version, binary) for binary in ordered]
    component["resources"].extend(
        _document(project.resource, version, binary, kind)
        for kind in KINDS.values()
        for binary in ordered
        if kind.name in binary.documents
    )
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
    if source is not None:
        component["sources"] = [_source(version, source)]
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


def _document(
    resource: str, version: str, binary: BuiltResource, kind: DocumentKind
) -> dict[str, Any]:
    return {
        "name": kind.resource_name(resource),
        "version": version,
        "type": kind.name,
        "relation": "local",
        "extraIdentity": binary.platform.identity,
        "input": _file(binary.documents[kind.name], kind.media_type),
    }


def _source(version: str, source: GitSource) -> dict[str, Any]:
    return {
        "name": "source",
        "version": version,
        "type": "git",
        "access": {
            "type": "git",
            "repository": _literal(source.repository),
            "commit": source.commit,
            # The ocm tool of OCM v1 can't transfer a component version whose source has none.
            "ref": "HEAD",
        },
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
