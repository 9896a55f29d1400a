"""The index of a CTF, ``artifact-index.json``: which repositories have which tags; pure.

Every index is checked whole, whoever asks for what. One in the common form, which is what this
package and both reference tools write, is checked by one pass of a regular expression, and then
searched as text: an ``Entry`` is only made of what is asked for. Any other is parsed as JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ocm_pkg.errors import AlreadyExistsError, InvalidDocumentError
from ocm_pkg.model.digest import Digest
from ocm_pkg.model.jsontext import Limits, parse_json
from ocm_pkg.store import ctfscan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NAME = "artifact-index.json"
BLOBS = "blobs"
MAX_SIZE = 64 * 1024 * 1024
_FEW = 8
"""So many searches of a text cost less than to build its entries."""

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
class Tagging:
    """A tag to set; ``parts`` are manifests to list without a tag if they aren't listed.

    Without ``replace`` it is an error if the tag is there and stands for something else.
    """

    entry: Entry
    parts: tuple[Entry, ...] = ()
    replace: bool = True

    def changes(self, there: Entry | None, where: str) -> bool:
        """Whether something is to be done if the tag stands for ``there`` now.

        Raises ``AlreadyExistsError`` if it may not be done; ``where`` names the CTF.
        """
        if there is None:
            return True
        if there.digest == self.entry.digest:
            return False
        if self.replace:
            return True
        raise AlreadyExistsError(
            f"{self.entry.repository}:{self.entry.tag} is in {where} with other content",
            hint="choose another version, or replace it",
        )


class Index:
    """All entries, in the order in which they were added."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._text: bytes | None = None
        self._given = tuple(entries)
        self._searches = 0

    @classmethod
    def parse(cls, data: bytes, name: str) -> Index:
        """Read an index, or raise ``InvalidDocumentError``.

        Members that the format does not have are refused: they would be lost when it is written.
        """
        if len(data) <= MAX_SIZE and ctfscan.is_common(data):
            index = cls()
            index._text = data
            return index
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
        return cls(_entry(each, f"{name}: artifacts[{n}]") for n, each in enumerate(artifacts))

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """All entries."""
        if self._text is None:
            return self._given
        return tuple(_scanned(each) for each in ctfscan.entries(self._text))

    def encode(self) -> bytes:
        """Return the bytes to write."""
        if self._text is not None:
            return self._text
        document = {"schemaVersion": 1, "artifacts": [_value(each) for each in self.entries]}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    def find(self, repository: str, reference: str) -> Entry | None:
        """Return the entry with a tag or digest; the last one, should there be several."""
        self._searches += 1
        if self._text is None or self._searches > _FEW:
            return self._places.get((repository, reference))
        found = ctfscan.find(self._text, repository, reference)
        return None if found is None else _scanned(found)

    @cached_property
    def _places(self) -> dict[tuple[str, str], Entry]:
        """Return the entries by repository and tag, and by repository and digest."""
        places = {}
        for entry in self.entries:
            places[entry.repository, str(entry.digest)] = entry
            if entry.tag is not None:
                places[entry.repository, entry.tag] = entry
        return places

    def tags(self, repository: str) -> tuple[str, ...]:
        """Return the tags of a repository."""
        if self._text is not None:
            return ctfscan.tags(self._text, repository)
        found = (entry.tag for entry in self.entries if entry.repository == repository)
        return tuple(dict.fromkeys(tag for tag in found if tag is not None))

    def repositories(self) -> list[str]:
        """Return the names of all repositories, sorted."""
        if self._text is not None:
            return ctfscan.repositories(self._text)
        return sorted({entry.repository for entry in self.entries})

    def with_tags(self, taggings: Sequence[Tagging], where: str) -> Index:
        """Return the index with more tags, set one after the other; itself if nothing changes.

        An entry that had a tag stays without it, as the reference does it, so what it names can
        still be reached by digest. Raises ``AlreadyExistsError``, as ``Tagging.changes`` does.
        """
        appended = self._appended(taggings)
        if appended is not None:
            return appended
        editor = _Editor(self.entries)
        changes = [editor.set(tagging, where) for tagging in taggings]
        return Index(editor.entries()) if any(changes) else self

    def with_manifest(self, entry: Entry) -> Index:
        """Return the index with an entry without a tag; itself if its digest is there."""
        if self.find(entry.repository, str(entry.digest)) is not None:
            return self
        if self._text is not None:
            text = ctfscan.append(self._text, Index([entry]).encode())
            if text is not None:
                index = Index()
                index._text = text
                return index
        return Index((*self.entries, entry))

    def without_tag(self, repository: str, tag: str) -> Index:
        """Return the index without a tag; what it stood for stays. Itself if there is none."""
        editor = _Editor(self.entries)
        return Index(editor.entries()) if editor.untag(repository, tag) else self

    def without(self, repository: str, digest: Digest) -> Index:
        """Return the index without all entries of a digest; itself if there are none."""
        gone = (repository, digest)
        kept = [each for each in self.entries if (each.repository, each.digest) != gone]
        return self if len(kept) == len(self.entries) else Index(kept)

    def _appended(self, taggings: Sequence[Tagging]) -> Index | None:
        """Return the index with entries at its end, if nothing in it or in them is touched."""
        if self._text is None or not taggings:
            return None
        added = [entry for tagging in taggings for entry in (*tagging.parts, tagging.entry)]
        digests = [str(entry.digest).encode() for entry in added]
        tags = {(tagging.entry.repository, tagging.entry.tag) for tagging in taggings}
        if len(set(digests)) < len(digests) or len(tags) < len(taggings):
            return None
        if any(digest in self._text for digest in digests):
            return None
        if any(tag is None or self.find(repository, tag) for repository, tag in tags):
            return None
        text = ctfscan.append(self._text, Index(added).encode())
        if text is None:
            return None
        index = Index()
        index._text = text
        return index


class _Editor:
    """Sets tags, each in constant time."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries: dict[int, Entry] = {}
        self._places: dict[Entry, int] = {}
        self._tags: dict[tuple[str, str], set[int]] = {}
        self._known: set[tuple[str, Digest]] = set()
        self._next = 0
        for entry in entries:
            self._add(_key(entry), entry)

    def _add(self, key: Entry, entry: Entry) -> None:
        if key not in self._places:
            self._places[key] = self._next
            self._entries[self._next] = entry
            self._known.add((entry.repository, entry.digest))
            self._next += 1
        if entry.tag is not None:
            self._tags.setdefault((entry.repository, entry.tag), set()).add(self._places[key])

    def _remove(self, place: int) -> Entry:
        entry = self._entries.pop(place)
        del self._places[_key(entry)]
        return entry

    def _untag(self, place: int) -> None:
        old = self._remove(place)
        untagged = Entry(old.repository, old.digest, None, old.media_type)
        if _key(untagged) not in self._places:
            self._places[_key(untagged)] = place
            self._entries[place] = untagged

    def set(self, tagging: Tagging, where: str) -> bool:
        new = tagging.entry
        assert new.tag is not None  # noqa: S101 - for the type checker: a tagging has a tag
        places = self._tags.get((new.repository, new.tag), set())
        there = self._entries[max(places)] if places else None
        if not tagging.changes(there, where):
            return False
        for place in sorted(places):
            self._untag(place)
        places.clear()
        for part in tagging.parts:
            if (part.repository, part.digest) not in self._known:
                self._add(_key(part), part)
        bare = self._places.get(Entry(new.repository, new.digest))
        if bare is not None:
            self._remove(bare)
        self._add(_key(new), new)
        return True

    def untag(self, repository: str, tag: str) -> bool:
        places = self._tags.pop((repository, tag), set())
        for place in sorted(places):
            self._untag(place)
        return bool(places)

    def entries(self) -> Iterator[Entry]:
        return (self._entries[place] for place in sorted(self._entries))


def _key(entry: Entry) -> Entry:
    return Entry(entry.repository, entry.digest, entry.tag)


def _value(entry: Entry) -> dict[str, str]:
    value = {"repository": entry.repository}
    if entry.tag is not None:
        value["tag"] = entry.tag
    value["digest"] = str(entry.digest)
    if entry.media_type is not None:
        value["mediaType"] = entry.media_type
    return value


def _scanned(found: ctfscan.Found) -> Entry:
    return Entry(
        found.repository, Digest.parse(found.digest), found.tag or None, found.media_type or None
    )


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
