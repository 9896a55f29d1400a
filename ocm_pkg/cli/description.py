"""A component version as ``describe cv`` shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ocm_pkg.cli.sizes import human_size
from ocm_pkg.errors import InvalidDocumentError, OcmPkgError, escaped
from ocm_pkg.model.identity import show
from ocm_pkg.model.published import component_digest
from ocm_pkg.model.shape import LABEL as SHAPE_LABEL
from ocm_pkg.model.shape import shape_of
from ocm_pkg.store.attachments import TITLE, attachments
from ocm_pkg.store.copying import stored_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocm_pkg.model.descriptor import ComponentDescriptor, Label, Resource, Signature, Source
    from ocm_pkg.ports import Repository

_MOST_SHOWN = 120


def description(descriptor: ComponentDescriptor, repository: Repository) -> dict[str, Any]:
    """Return the facts as plain data; a size that isn't known without fetching is null."""
    component = descriptor.component
    return {
        "component": descriptor.name,
        "version": descriptor.version,
        "provider": component.provider,
        "creationTime": component.creation_time,
        "digest": str(component_digest(descriptor)),
        "platforms": _platforms(component.resources),
        "labels": _labels(component.labels),
        "resources": [
            _element(one, descriptor, repository)
            | {"relation": one.relation, "digest": one.digest and one.digest.value}
            | _packing(one)
            for one in component.resources
        ],
        "sources": [_element(one, descriptor, repository) for one in component.sources],
        "references": [
            {
                "name": one.name,
                "component": one.component_name,
                "version": one.version,
                "digest": one.digest and one.digest.value,
            }
            for one in component.component_references
        ],
        "signatures": [_signature(one) for one in descriptor.signatures],
        "attachments": _attachments(descriptor, repository),
    }


def _attachments(
    descriptor: ComponentDescriptor, repository: Repository
) -> list[dict[str, Any]] | None:
    """Return what refers to it; null where the repository doesn't say."""
    try:
        found = attachments(repository, descriptor.name, descriptor.version)
    except OcmPkgError:
        return None
    return [
        {
            "artifactType": one.artifact_type,
            "digest": str(one.digest),
            "title": one.annotations.get(TITLE),
        }
        for one in found
    ]


def _platforms(resources: Sequence[Resource]) -> list[str]:
    identities = (one.extra_identity for one in resources)
    return sorted(
        {
            f"{identity['os']}/{identity['architecture']}"
            for identity in identities
            if "os" in identity and "architecture" in identity
        }
    )


def _labels(labels: Sequence[Label]) -> list[dict[str, Any]]:
    return [
        {"name": label.name, "value": label.value, "signing": bool(label.signing)}
        for label in labels
    ]


def _element(
    element: Resource | Source, descriptor: ComponentDescriptor, repository: Repository
) -> dict[str, Any]:
    access = element.access
    size = None
    if access.is_local_blob:
        try:
            size = stored_size(repository, descriptor.name, access.local_reference)
        except OcmPkgError:
            size = None
    return {
        "name": element.name,
        "version": element.version,
        "type": element.type,
        "identity": dict(element.extra_identity),
        "access": access.type,
        "mediaType": access.media_type,
        "size": size,
        "labels": _labels(element.labels),
    }


def _packing(resource: Resource) -> dict[str, Any]:
    """Return how a plugin is packed and what it needs; null if that isn't said."""
    try:
        info = (
            shape_of(resource) if any(one.name == SHAPE_LABEL for one in resource.labels) else None
        )
    except InvalidDocumentError:
        info = None
    return {"shape": info and info.shape, "glibc": info and info.glibc}


def _signature(signature: Signature) -> dict[str, Any]:
    return {
        "name": signature.name,
        "algorithm": signature.signature.algorithm,
        "normalisation": signature.digest.normalisation_algorithm,
        "digest": signature.digest.value,
        "issuer": signature.signature.issuer,
        "signer": _signer(signature),
    }


def _signer(signature: Signature) -> str | None:
    """Return the subject of the certificate that came with a signature; not verified here."""
    if signature.signature.media_type != "application/x-pem-file":
        return None
    from ocm_pkg.signing.certificates import subject
    from ocm_pkg.signing.handlers import read_value

    try:
        chain = read_value(signature.signature, what=f"signature {signature.name!r}").chain
    except OcmPkgError:
        return None
    return subject(chain[0]) if chain else None


def description_text(value: Mapping[str, Any]) -> str:
    """Return the facts as lines."""
    lines = [
        f"Component:  {value['component']}",
        f"Version:    {value['version']}",
        f"Provider:   {value['provider']}",
        f"Digest:     {value['digest']}",
    ]
    if value["creationTime"]:
        lines.append(f"Created:    {value['creationTime']}")
    if value["platforms"]:
        lines.append(f"Platforms:  {', '.join(value['platforms'])}")
    lines += _label_lines(value["labels"], "")
    for title in ("resources", "sources"):
        if value[title]:
            lines.append(f"{title.capitalize()}:")
        for element in value[title]:
            lines += _element_lines(element)
    if value["references"]:
        lines.append("References:")
    lines += [
        f"  {one['name']} -> {one['component']}:{one['version']}  {_short(one['digest'])}"
        for one in value["references"]
    ]
    lines.append("Signatures:" if value["signatures"] else "Signatures: none")
    lines += [_signature_line(one) for one in value["signatures"]]
    if value["attachments"]:
        lines.append("Attached, not signed with it:")
    lines += [
        f"  {one['title'] or one['digest']}: {one['artifactType'] or 'no type'}"
        for one in value["attachments"] or ()
    ]
    return "\n".join(escaped(line) for line in lines)


def _element_lines(element: Mapping[str, Any]) -> list[str]:
    name = show({"name": element["name"], **element["identity"]})
    facts = [element["type"], element["version"], element["mediaType"] or element["access"]]
    facts += [human_size(element["size"]), _short(element.get("digest"))]
    if element.get("glibc"):
        facts.append(f"needs glibc {element['glibc']}")
    return [f"  {name}", f"    {', '.join(facts)}", *_label_lines(element["labels"], "    ")]


def _label_lines(labels: Sequence[Mapping[str, Any]], indent: str) -> list[str]:
    return [
        f"{indent}label {label['name']}{' (signed)' if label['signing'] else ''}: "
        f"{_shown(label['value'])[:_MOST_SHOWN]}"
        for label in labels
    ]


def _shown(value: object) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _signature_line(one: Mapping[str, Any]) -> str:
    who = one["signer"] or one["issuer"]
    by = f" by {who}" if who else ""
    return f"  {one['name']}: {one['algorithm']}, {one['normalisation']}{by} (not verified here)"


def _short(digest: str | None) -> str:
    return f"{digest[:12]}…" if digest else "no digest"
