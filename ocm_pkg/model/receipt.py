"""Receipts: what was installed, from where, signed by whom, and every file of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ocm_pkg.model.members import FORMAT_VERSION, Members
from ocm_pkg.model.part import platform_member
from ocm_pkg.model.shape import NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.platform import Platform


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """One file, and how it looked when it was installed.

    ``sha256`` is 64 hex digits, ``mode`` the permission bits. Times, inode and device tell a
    changed file without reading it. ``link`` is where a symbolic link leads, None for a file; its
    digest is that of this text.
    """

    path: str
    sha256: str
    size: int
    mode: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int
    link: str | None = None


@dataclass(frozen=True, slots=True)
class InstalledResource:
    """The resource of the component version that was unpacked."""

    name: str
    identity: Mapping[str, str]
    digest: Digest


@dataclass(frozen=True, slots=True)
class ReceiptSignature:
    """Which signature was accepted: its name, the key that made it, the rule that allowed it."""

    name: str
    signer: str
    rule: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was installed under ``name``.

    ``program`` is relative to the data folder, the paths of ``files`` to the folder of the
    resource. ``signature`` is None if it was installed unsigned on demand. ``installed`` is an
    RFC 3339 time; ``previous`` the version that this one replaced.
    """

    name: str
    component: str
    version: str
    platform: Platform
    resource: InstalledResource
    descriptor: Digest
    source: str
    signature: ReceiptSignature | None
    shape: str
    program: str
    files: tuple[InstalledFile, ...]
    installed: str
    previous: str | None = None
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    consent: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes, name: str) -> Receipt:
        """Read a receipt; ``name`` is the file, for errors. Raises ``InvalidDocumentError``."""
        members = Members.of_document(data, name)
        receipt = cls(
            name=members.text("name"),
            component=members.text("component"),
            version=members.text("version"),
            platform=platform_member(members, "platform"),
            resource=_resource(members.object("resource")),
            descriptor=members.digest("descriptor"),
            source=members.text("source"),
            signature=_signature(members.optional_object("signature")),
            shape=members.text("shape"),
            program=members.text("program"),
            files=tuple(_file(entry) for entry in members.objects("files")),
            installed=members.text("installed"),
            previous=members.optional_text("previous"),
            capabilities=members.mapping("capabilities"),
            consent=members.mapping("consent"),
        )
        members.end()
        if receipt.shape not in NAMES:
            raise members.error("shape", f"must be one of {', '.join(NAMES)}")
        return receipt

    def encode(self) -> bytes:
        """Return the file."""
        return json.dumps(self.to_json(), indent=1).encode() + b"\n"

    def to_json(self) -> dict[str, Any]:
        """Return the document as plain data."""
        signature = self.signature
        return {
            "formatVersion": FORMAT_VERSION,
            "name": self.name,
            "component": self.component,
            "version": self.version,
            "platform": str(self.platform),
            "resource": {
                "name": self.resource.name,
                "identity": dict(self.resource.identity),
                "digest": str(self.resource.digest),
            },
            "descriptor": str(self.descriptor),
            "source": self.source,
            "signature": signature
            and {"name": signature.name, "signer": signature.signer, "rule": signature.rule},
            "shape": self.shape,
            "program": self.program,
            "files": [_file_json(file) for file in self.files],
            "capabilities": dict(self.capabilities),
            "consent": dict(self.consent),
            "installed": self.installed,
            "previous": self.previous,
        }


def _resource(members: Members) -> InstalledResource:
    resource = InstalledResource(
        name=members.text("name"),
        identity=members.texts("identity"),
        digest=members.digest("digest"),
    )
    members.end()
    return resource


def _signature(members: Members | None) -> ReceiptSignature | None:
    if members is None:
        return None
    signature = ReceiptSignature(
        name=members.text("name"),
        signer=members.text("signer"),
        rule=members.optional_text("rule"),
    )
    members.end()
    return signature


def _file(members: Members) -> InstalledFile:
    mode = members.text("mode")
    if not mode or len(mode) > 5 or set(mode) - set("01234567"):
        raise members.error("mode", "is no octal number")
    file = InstalledFile(
        path=members.text("path"),
        sha256=members.text("sha256"),
        size=members.integer("size"),
        mode=int(mode, 8),
        mtime_ns=members.integer("mtime_ns"),
        ctime_ns=members.integer("ctime_ns"),
        inode=members.integer("inode"),
        device=members.integer("device"),
        link=members.optional_text("link"),
    )
    members.end()
    return file


def _file_json(file: InstalledFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "sha256": file.sha256,
        "size": file.size,
        "mode": f"{file.mode:04o}",
        "mtime_ns": file.mtime_ns,
        "ctime_ns": file.ctime_ns,
        "inode": file.inode,
        "device": file.device,
        **({"link": file.link} if file.link is not None else {}),
    }
