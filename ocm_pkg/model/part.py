"""``part.json``: what one build machine contributes to a release."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ocm_pkg.errors import UsageError
from ocm_pkg.model.documents import BUILT
from ocm_pkg.model.members import FORMAT_VERSION, Members
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.shape import NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.model.digest import Digest

FILE_NAME = "part.json"
MAX_BYTES = 4 * 1024 * 1024
"""How long the file may be."""


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """A document beside a binary: its name in ``documents.BUILT``; ``size`` is in bytes."""

    name: str
    digest: Digest
    size: int

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``documents``."""
        return {"name": self.name, "digest": str(self.digest), "size": self.size}


@dataclass(frozen=True, slots=True)
class BuiltTarget:
    """One binary that was built: what it is, and with which tools. ``size`` is in bytes.

    ``program`` is the path of the program in the archive of shape ``dir``, else None.
    ``documents`` are sorted by their names.
    """

    platform: Platform
    digest: Digest
    size: int
    shape: str
    builder: str
    glibc: str | None = None
    program: str | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    documents: tuple[DocumentEntry, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``targets``."""
        return {
            "platform": str(self.platform),
            "digest": str(self.digest),
            "size": self.size,
            "shape": self.shape,
            "glibc": self.glibc,
            "builder": self.builder,
            **({"program": self.program} if self.program else {}),
            "tools": dict(sorted(self.tools.items())),
            **({"documents": self._documents()} if self.documents else {}),
        }

    def _documents(self) -> list[dict[str, Any]]:
        return [document.to_json() for document in self.documents]


@dataclass(frozen=True, slots=True)
class Part:
    """What was built, from which sources: only parts that agree on all of that may be joined.

    ``config`` is the digest of the project file, ``lock`` of the requirements that went into the
    binaries; ``commit`` and ``lock`` are None where there is none.
    """

    component: str
    version: str
    commit: str | None
    config: Digest
    lock: Digest | None
    targets: tuple[BuiltTarget, ...]

    def encode(self) -> bytes:
        """Return the file: targets sorted, so that equal parts have equal bytes."""
        document = {
            "formatVersion": FORMAT_VERSION,
            "component": self.component,
            "version": self.version,
            "commit": self.commit,
            "config": str(self.config),
            "lock": str(self.lock) if self.lock else None,
            "targets": [target.to_json() for target in sorted(self.targets, key=_order)],
        }
        return json.dumps(document, indent=1).encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes, *, name: str) -> Part:
        """Read the file, or raise ``InvalidDocumentError`` that names the member."""
        members = Members.of_document(data, name)
        part = cls(
            component=members.text("component"),
            version=members.text("version"),
            commit=members.optional_text("commit"),
            config=members.digest("config"),
            lock=members.optional_digest("lock"),
            targets=tuple(_target(entry) for entry in members.objects("targets")),
        )
        members.end()
        platforms = [target.platform for target in part.targets]
        if len(set(platforms)) != len(platforms):
            raise members.error("targets", "has a platform twice")
        return part


def _order(target: BuiltTarget) -> Platform:
    return target.platform


def _target(members: Members) -> BuiltTarget:
    target = BuiltTarget(
        platform=platform_member(members, "platform"),
        digest=members.digest("digest"),
        size=members.integer("size"),
        shape=members.text("shape"),
        builder=members.text("builder"),
        glibc=members.optional_text("glibc"),
        program=members.optional_text("program"),
        tools=members.texts("tools"),
        documents=_documents(members),
    )
    members.end()
    if target.shape not in NAMES:
        raise members.error("shape", f"must be one of {', '.join(NAMES)}")
    if (target.shape == "dir") != (target.program is not None):
        raise members.error("program", "must be there for the shape dir, and for no other")
    return target


def _documents(members: Members) -> tuple[DocumentEntry, ...]:
    """Take the documents, which older reports don't have."""
    found: dict[str, DocumentEntry] = {}
    for entry in members.optional_objects("documents"):
        document = DocumentEntry(entry.text("name"), entry.digest("digest"), entry.integer("size"))
        entry.end()
        if document.name not in BUILT:
            raise entry.error("name", f"must be one of {', '.join(BUILT)}")
        if document.name in found:
            raise members.error("documents", f"has {document.name} twice")
        found[document.name] = document
    return tuple(document for _name, document in sorted(found.items()))


def platform_member(members: Members, member: str) -> Platform:
    """Take a platform, or raise ``InvalidDocumentError``."""
    text = members.text(member)
    try:
        return Platform.parse(text)
    except UsageError as error:
        raise members.error(member, f"is no platform: {error.message}") from error
