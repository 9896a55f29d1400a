"""Provenance: from what, how and with which tools a binary was built.

The document is an in-toto Statement v1 with a SLSA provenance v1 predicate. It has no times and
no names of machines: who builds the same again elsewhere gets the same document.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ocm_pkg.model.digest import Digest
from ocm_pkg.model.jsontext import parse_json
from ocm_pkg.model.members import Members
from ocm_pkg.model.part import platform_member

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ocm_pkg.model.part import BuiltTarget, Part
    from ocm_pkg.model.platform import Platform

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://ocm-pkg.dev/build/v1"
BUILDER = "https://ocm-pkg.dev/builder/v1"
MAX_BYTES = 4 * 1024 * 1024
"""How long a document may be."""

REQUIREMENTS = "requirements"
_FILES = {"python-digest": "python", "libpython-digest": "libpython"}
_IMAGE = re.compile(r"(?P<name>[^@]+)@(?P<digest>sha(?:256|512):[0-9a-f]+)")


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """Where a project is kept: the URL of its repository, and its folder in there.

    ``repository`` is None if it has no URL that others could use; ``folder`` is ``.`` at the top.
    """

    repository: str | None = None
    folder: str = "."


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where one binary comes from.

    ``file`` is the name that it was built under. ``config`` is the digest of the project file,
    ``lock`` of all requirements. ``commit`` is None if the sources are in no commit as they were
    built. ``tools`` are as in the report of the build.
    """

    file: str
    digest: Digest
    component: str
    version: str
    platform: Platform
    builder: str
    shape: str
    config: Digest
    location: SourceLocation
    commit: str | None
    lock: Digest | None
    tools: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, part: Part, target: BuiltTarget, *, file: str, location: SourceLocation
    ) -> Provenance:
        """Return the provenance of ``target``, which was built as ``file``."""
        return cls(
            file=file,
            digest=target.digest,
            component=part.component,
            version=part.version,
            platform=target.platform,
            builder=target.builder,
            shape=target.shape,
            config=part.config,
            location=location,
            commit=clean_commit(part),
            lock=part.lock,
            tools=target.tools,
        )

    def encode(self) -> bytes:
        """Return the document: equal values have equal bytes."""
        return json.dumps(self.to_json(), indent=1, sort_keys=True).encode() + b"\n"

    def to_json(self) -> dict[str, Any]:
        """Return the statement as plain data."""
        return {
            "_type": STATEMENT,
            "subject": [{"name": self.file, "digest": _digest(self.digest)}],
            "predicateType": PREDICATE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": {
                        "component": self.component,
                        "version": self.version,
                        "platform": str(self.platform),
                        "builder": self.builder,
                        "shape": self.shape,
                        "config": str(self.config),
                        "project": self.location.folder,
                        "source": {
                            "repository": self.location.repository,
                            "commit": self.commit,
                        },
                    },
                    "internalParameters": {"tools": dict(self.tools)},
                    "resolvedDependencies": list(self._dependencies()),
                },
                "runDetails": {"builder": self._builder()},
            },
        }

    def _builder(self) -> dict[str, Any]:
        version = {name: self.tools[name] for name in ("ocm-pkg",) if name in self.tools}
        return {"id": BUILDER, **({"version": version} if version else {})}

    def _dependencies(self) -> Iterator[dict[str, Any]]:
        if self.location.repository is not None and self.commit is not None:
            uri = self.location.repository
            yield {
                "name": "source",
                "uri": f"{uri if uri.startswith('git:') else f'git+{uri}'}@{self.commit}",
                "digest": {"gitCommit": self.commit},
            }
        if self.lock is not None:
            yield {"name": REQUIREMENTS, "digest": _digest(self.lock)}
        for tool, name in _FILES.items():
            if tool in self.tools:
                yield {"name": name, "digest": _digest(Digest.parse(self.tools[tool]))}
        if match := _IMAGE.fullmatch(self.tools.get("image", "")):
            yield {
                "name": "image",
                "uri": f"oci://{match[0]}",
                "digest": _digest(Digest.parse(match["digest"])),
            }

    @classmethod
    def parse(cls, data: bytes, *, name: str) -> Provenance:
        """Read a document that ``encode`` wrote; members that others added are passed over.

        Raises ``InvalidDocumentError``, also for provenance of another kind of build.
        """
        statement = Members(parse_json(data, name=name), name)
        _require(statement, "_type", STATEMENT)
        _require(statement, "predicateType", PREDICATE)
        subjects = list(statement.objects("subject"))
        if len(subjects) != 1:
            raise statement.error("subject", "must be one file")
        definition = statement.object("predicate").object("buildDefinition")
        _require(definition, "buildType", BUILD_TYPE)
        parameters = definition.object("externalParameters")
        source = parameters.object("source")
        return cls(
            file=subjects[0].text("name"),
            digest=_read_digest(subjects[0]),
            component=parameters.text("component"),
            version=parameters.text("version"),
            platform=platform_member(parameters, "platform"),
            builder=parameters.text("builder"),
            shape=parameters.text("shape"),
            config=parameters.digest("config"),
            location=SourceLocation(source.optional_text("repository"), parameters.text("project")),
            commit=source.optional_text("commit"),
            lock=_lock(definition),
            tools=_tools(definition),
        )


def clean_commit(part: Part) -> str | None:
    """Return the commit that a part was built from; None if its sources are in no commit."""
    dirty = part.commit is not None and part.commit.endswith("-dirty")
    return None if dirty else part.commit


def _digest(digest: Digest) -> dict[str, str]:
    return {digest.algorithm: digest.hex}


def _require(members: Members, member: str, value: str) -> None:
    if members.text(member) != value:
        raise members.error(member, f"is not {value}")


def _read_digest(members: Members) -> Digest:
    digests = members.object("digest")
    for algorithm in ("sha256", "sha512"):
        text = digests.optional_text(algorithm)
        if text is not None:
            return digests.to_digest(algorithm, f"{algorithm}:{text}")
    raise members.error("digest", "has neither sha256 nor sha512")


def _lock(definition: Members) -> Digest | None:
    for entry in definition.objects("resolvedDependencies"):
        if entry.optional_text("name") == REQUIREMENTS:
            return _read_digest(entry)
    return None


def _tools(definition: Members) -> Mapping[str, str]:
    """Take the tools; digests among them must be digests."""
    tools = definition.object("internalParameters")
    found = tools.texts("tools")
    for name in _FILES:
        if name in found:
            tools.to_digest(f"tools.{name}", found[name])
    return found
