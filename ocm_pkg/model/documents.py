"""The documents beside a binary: which there are, and what they are called where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.model.shape import TAR_GZIP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.part import BuiltTarget
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import PluginProject

CYCLONEDX = "application/vnd.cyclonedx+json"
IN_TOTO = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """One kind of document. ``name`` is also the type of its resource.

    The OCM specification has the type ``sbom``; the others are names of our own.
    """

    name: str
    suffix: str
    media_type: str

    def file_name(self, project: PluginProject, platform: Platform) -> str:
        """Return ``RESOURCE.OS-ARCH`` with the kind's suffix: the file beside the binary."""
        return f"{project.resource}.{platform.os}-{platform.architecture}{self.suffix}"

    def resource_name(self, resource: str) -> str:
        """Return the name of the resource beside the plugin's ``resource``."""
        return f"{resource}-{self.name}"


SBOM = DocumentKind("sbom", ".cdx.json", CYCLONEDX)
LICENCES = DocumentKind("licences", ".licences.tar.gz", TAR_GZIP)
PROVENANCE = DocumentKind("provenance", ".provenance.json", IN_TOTO)

BUILT: Mapping[str, DocumentKind] = {kind.name: kind for kind in (SBOM, LICENCES)}
"""The documents that a builder can leave."""

KINDS: Mapping[str, DocumentKind] = {**BUILT, PROVENANCE.name: PROVENANCE}
"""All documents of a component version."""


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """One file of a target as the report has it. ``size`` is in bytes."""

    name: str
    digest: Digest
    size: int
    executable: bool


def files_of(project: PluginProject, target: BuiltTarget) -> tuple[BuiltFile, ...]:
    """Return what was built of a target: the binary, then its documents."""
    name = project.binary_name(target.platform, target.shape)
    binary = BuiltFile(name, target.digest, target.size, executable=target.shape != "dir")
    documents = (
        BuiltFile(
            BUILT[document.name].file_name(project, target.platform),
            document.digest,
            document.size,
            executable=False,
        )
        for document in target.documents
    )
    return (binary, *documents)
