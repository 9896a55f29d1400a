"""Reads the members of a JSON object of our own, one by one; what is left over is refused.

For documents on hot paths, where a pydantic model would cost more than the reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import Digest
from ocm_pkg.model.jsontext import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ocm_pkg.model.document import JSONObject, JSONValue

FORMAT_VERSION = 1


class Members:
    """One object of the document ``name``; ``path`` is where it is in there.

    Each method takes a member away and raises ``InvalidDocumentError`` if it is missing (unless
    it is read as ``optional``) or of another type. ``end`` refuses what nobody took.
    """

    def __init__(self, value: JSONValue, name: str, path: str = "") -> None:
        self._name = name
        self._path = path
        if not isinstance(value, dict):
            raise self.error("", "is no object")
        self._left = dict(value)

    @classmethod
    def of_document(cls, data: bytes, name: str) -> Members:
        """Parse a JSON document that starts with ``formatVersion: 1``."""
        members = cls(parse_json(data, name=name), name)
        version = members.integer("formatVersion")
        if version != FORMAT_VERSION:
            raise InvalidDocumentError(
                f"{name} has formatVersion {version}, this ocm-pkg reads {FORMAT_VERSION}",
                hint="update ocm-pkg",
                at=name,
            )
        return members

    def error(self, member: str, problem: str) -> InvalidDocumentError:
        """Return the error for a member of this object."""
        where = ".".join(part for part in (self._path, member) if part) or "the document"
        return InvalidDocumentError(
            f"{self._name}: {where} {problem}", hint="make it again", at=self._name
        )

    def _take(self, member: str) -> JSONValue:
        if member not in self._left:
            raise self.error(member, "is missing")
        return self._left.pop(member)

    def text(self, member: str) -> str:
        """Return a text."""
        value = self._take(member)
        if not isinstance(value, str):
            raise self.error(member, "is no text")
        return value

    def optional_text(self, member: str) -> str | None:
        """Return a text, or None if it is ``null`` or missing."""
        if self._left.get(member) is None:
            self._left.pop(member, None)
            return None
        return self.text(member)

    def integer(self, member: str) -> int:
        """Return an integer that is not negative."""
        value = self._take(member)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.error(member, "is no integer from 0")
        return value

    def digest(self, member: str) -> Digest:
        """Return a digest."""
        return self.to_digest(member, self.text(member))

    def optional_digest(self, member: str) -> Digest | None:
        """Return a digest, or None if it is ``null`` or missing."""
        text = self.optional_text(member)
        return None if text is None else self.to_digest(member, text)

    def to_digest(self, member: str, text: str) -> Digest:
        """Return the digest that ``text`` is; the error names ``member``."""
        try:
            return Digest.parse(text)
        except InvalidDocumentError as error:
            raise self.error(member, f"is no digest: {error.message}") from error

    def mapping(self, member: str) -> JSONObject:
        """Return an object as it is."""
        value = self._take(member)
        if not isinstance(value, dict):
            raise self.error(member, "is no object")
        return value

    def texts(self, member: str) -> Mapping[str, str]:
        """Return an object whose values are all texts."""
        texts: dict[str, str] = {}
        for key, value in self.mapping(member).items():
            if not isinstance(value, str):
                raise self.error(f"{member}.{key}", "is no text")
            texts[key] = value
        return texts

    def object(self, member: str) -> Members:
        """Return the members of an object."""
        return Members(self._take(member), self._name, self._join(member))

    def optional_object(self, member: str) -> Members | None:
        """Return the members of an object, or None if it is ``null`` or missing."""
        if self._left.get(member) is None:
            self._left.pop(member, None)
            return None
        return self.object(member)

    def objects(self, member: str) -> Iterator[Members]:
        """Return the members of each object of a list."""
        values = self._take(member)
        if not isinstance(values, list):
            raise self.error(member, "is no list")
        for index, value in enumerate(values):
            yield Members(value, self._name, self._join(f"{member}[{index}]"))

    def optional_objects(self, member: str) -> Iterator[Members]:
        """Return the members of each object of a list; nothing if it is ``null`` or missing."""
        if self._left.get(member) is None:
            self._left.pop(member, None)
            return iter(())
        return self.objects(member)

    def _join(self, member: str) -> str:
        return f"{self._path}.{member}" if self._path else member

    def end(self) -> None:
        """Refuse every member that was not taken."""
        if self._left:
            raise self.error(min(self._left), "is not known here")
