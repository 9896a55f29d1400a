"""The index of a CTF, ``artifact-index.json``: which repositories have which tags; pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import Digest
from ocm_pkg.model.jsontext import Limits, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAME = "artifact-index.json"
BLOBS = "blobs"
MAX_SIZE = 64 * 1024 * 1024
_LIMITS = Limits(size=MAX_SIZE, nodes=8_000_000)
_MEMBERS = frozenset({"schemaVersion", "artifacts"})
_ENTRY = frozenset({"repository", "tag", "digest", "mediaType"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A manifest in a repository; without a tag it is only reached by its digest."""

    repository: str
    digest: Digest
    tag: str | None = None
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """All entries, in the order in which they were added."""

    entries: tuple[Entry, ...] = ()

    @classmethod
    def parse(cls, data: bytes, name: str) -> Index:
        """Read an index, or raise ``InvalidDocumentError``.

        Members that the format does not have are refused: they would be lost when it is written.
        """
        value = parse_json(data, name=name, limits=_LIMITS)
        if not isinstance(value, dict):
            raise InvalidDocumentError(f"{name} is not an object")
        if value.get("schemaVersion") != 1 or value["schemaVersion"] is True:
            raise InvalidDocumentError(
                f"{name} does not have schema version 1", hint="no other version is known"
            )
        _refuse_unknown(value, _MEMBERS, name)
        artifacts = value.get("artifacts")
        if artifacts is None:
            artifacts = []
        if not isinstance(artifacts, list):
            raise InvalidDocumentError(f"{name}: artifacts is not a list")
        return cls(
            tuple(_entry(each, f"{name}: artifacts[{n}]") for n, each in enumerate(artifacts))
        )

    def encode(self) -> bytes:
        """Return the bytes to write."""
        artifacts = []
        for entry in self.entries:
            value = {"repository": entry.repository}
            if entry.tag is not None:
                value["tag"] = entry.tag
            value["digest"] = str(entry.digest)
            if entry.media_type is not None:
                value["mediaType"] = entry.media_type
            artifacts.append(value)
        document = {"schemaVersion": 1, "artifacts": artifacts}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    def find(self, repository: str, reference: str) -> Entry | None:
        """Return the entry with a tag or digest; the last one, should there be several."""
        for entry in reversed(self.entries):
            if entry.repository == repository and reference in (entry.tag, str(entry.digest)):
                return entry
        return None

    def tags(self, repository: str) -> tuple[str, ...]:
        """Return the tags of a repository."""
        found = (entry.tag for entry in self.entries if entry.repository == repository)
        return tuple(dict.fromkeys(tag for tag in found if tag is not None))

    def repositories(self) -> list[str]:
        """Return the names of all repositories, sorted."""
        return sorted({entry.repository for entry in self.entries})

    def with_tag(self, tagged: Entry, untagged: Iterable[Entry] = ()) -> Index:
        """Return the index with one more tag.

        An entry that had the tag stays without it, as the reference does it, so what it names can
        still be reached by digest. ``untagged`` entries are added where their digest is not known
        in their repository.
        """
        kept: dict[tuple[str, Digest, str | None], Entry] = {}
        for entry in self.entries:
            if (entry.repository, entry.tag) == (tagged.repository, tagged.tag):
                entry = Entry(entry.repository, entry.digest, None, entry.media_type)  # noqa: PLW2901
            kept.setdefault((entry.repository, entry.digest, entry.tag), entry)
        known = {(entry.repository, entry.digest) for entry in kept.values()}
        added = [each for each in untagged if (each.repository, each.digest) not in known]
        kept.pop((tagged.repository, tagged.digest, None), None)
        return Index((*kept.values(), *dict.fromkeys(added), tagged))


def _entry(value: object, what: str) -> Entry:
    if not isinstance(value, dict):
        raise InvalidDocumentError(f"{what} is not an object")
    _refuse_unknown(value, _ENTRY, what)
    texts = {member: value.get(member) for member in _ENTRY}
    for member, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise InvalidDocumentError(f"{what}: {member} is not text")
    repository, digest = texts["repository"], texts["digest"]
    if not repository or not digest:
        raise InvalidDocumentError(f"{what} lacks its repository or digest")
    try:
        parsed = Digest.parse(digest)
    except InvalidDocumentError as error:
        raise InvalidDocumentError(f"{what}: {error.message}", hint=error.hint) from error
    return Entry(repository, parsed, texts["tag"] or None, texts["mediaType"] or None)


def _refuse_unknown(value: Mapping[str, object], known: frozenset[str], what: str) -> None:
    for member in value:
        if member not in known:
            raise InvalidDocumentError(
                f"{what} has the unknown member {member[:60]!r}",
                hint=f"the format has only {', '.join(sorted(known))}",
            )
