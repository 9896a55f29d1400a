"""The SBOM of a binary: which packages are in it, as a CycloneDX 1.6 document.

``cyclonedx-bom`` says what there is to say of the packages of an environment. Here it is reduced
to those that are in the binary, and to what is the same whenever and wherever it is made.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.jsontext import parse_json

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.document import JSONValue

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_KEPT = ("type", "name", "version", "description", "licenses", "purl")
_LOCK_LINE = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*==", re.MULTILINE)
_SEPARATORS = re.compile(r"[-_.]+")


@dataclass(frozen=True, slots=True)
class SbomSubject:
    """The binary that an SBOM is of.

    ``python`` is the version of the Python in it, ``sdk`` that of the sdk of ``ocm_pkg`` in it
    (None without); ``tool`` the version of ``cyclonedx-bom``.
    """

    component: str
    version: str
    python: str
    sdk: str | None
    tool: str

    @property
    def reference(self) -> str:
        """How the document refers to the plugin."""
        return f"{self.component}@{self.version}"


def package_name(name: str) -> str:
    """Return a package's name in the one spelling that all of its spellings stand for."""
    return _SEPARATORS.sub("-", name).lower()


def pinned(lock: str) -> frozenset[str]:
    """Return the packages that a requirements file pins."""
    return frozenset(package_name(name) for name in _LOCK_LINE.findall(lock))


def sbom_of(
    answer: bytes, subject: SbomSubject, packages: Collection[str], *, name: str
) -> dict[str, Any]:
    """Return the SBOM: the plugin, its Python, and those of ``packages`` that ``answer`` knows.

    ``answer`` is what ``cyclonedx-py environment`` prints, ``packages`` are names as
    ``package_name`` makes them. Raises ``InvalidDocumentError`` for an answer of another form.
    """
    document = parse_json(answer, name=name)
    if not isinstance(document, dict) or document.get("bomFormat") != "CycloneDX":
        raise InvalidDocumentError(f"{name} is no CycloneDX document", at=name)
    found: dict[str, Mapping[str, JSONValue]] = {}
    for value in sorted(_objects(document.get("components")), key=_order):
        key = package_name(str(value.get("name")))
        if key in packages:
            found.setdefault(key, value)
    entries = [_entry(value) for _key, value in sorted(found.items())]
    if subject.sdk is not None:
        entries.append(_named("library", "ocm-pkg", subject.sdk, "pypi", "Apache-2.0"))
    entries.append(_named("platform", "python", subject.python, "generic", "PSF-2.0"))
    entries.sort(key=lambda entry: str(entry["bom-ref"]))
    references = {str(value.get("bom-ref")): _reference(value) for value in found.values()}
    needs = {
        references[str(value.get("ref"))]: value.get("dependsOn")
        for value in _objects(document.get("dependencies"))
        if str(value.get("ref")) in references
    }
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": subject.reference,
                "name": subject.component,
                "version": subject.version,
            },
            "tools": {"components": [_tool(subject.tool)]},
        },
        "components": entries,
        "dependencies": [
            {
                "ref": subject.reference,
                "dependsOn": [str(entry["bom-ref"]) for entry in entries],
            },
            *(_needs(str(entry["bom-ref"]), needs, references) for entry in entries),
        ],
    }


def with_hash(document: Mapping[str, Any], digest: Digest) -> dict[str, Any]:
    """Return an SBOM of ``sbom_of`` that names the digest (sha256) of the binary."""
    metadata = document["metadata"]
    hashes = [{"alg": "SHA-256", "content": digest.hex}]
    component = {**metadata["component"], "hashes": hashes}
    return {**document, "metadata": {**metadata, "component": component}}


def encode(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of an SBOM: equal documents have equal bytes."""
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def _objects(value: JSONValue) -> list[Mapping[str, JSONValue]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _order(value: Mapping[str, JSONValue]) -> tuple[str, str]:
    return str(value.get("name")), str(value.get("version"))


def _reference(value: Mapping[str, JSONValue]) -> str:
    return f"{package_name(str(value.get('name')))}@{value.get('version')}"


def _entry(value: Mapping[str, JSONValue]) -> dict[str, Any]:
    entry: dict[str, Any] = {key: value[key] for key in _KEPT if key in value}
    entry["bom-ref"] = _reference(value)
    links = [
        link
        for link in _objects(value.get("externalReferences"))
        if not str(link.get("url")).startswith("file:")
    ]
    return {**entry, **({"externalReferences": links} if links else {})}


def _named(kind: str, name: str, version: str, purl: str, licence: str) -> dict[str, Any]:
    return {
        "type": kind,
        "bom-ref": f"{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:{purl}/{name}@{version}",
        "licenses": [{"license": {"id": licence}}],
    }


def _tool(version: str) -> dict[str, Any]:
    return {
        "type": "application",
        "group": "CycloneDX",
        "name": "cyclonedx-py",
        "version": version,
    }


def _needs(
    reference: str, needs: Mapping[str, JSONValue], references: Mapping[str, str]
) -> dict[str, Any]:
    value = needs.get(reference)
    items = map(str, value) if isinstance(value, list) else ()
    others = {references[item] for item in items if item in references}
    return {"ref": reference, **({"dependsOn": sorted(others)} if others else {})}
