"""Versions of component versions: relaxed semantic versions, their order, their OCI tags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, total_ordering
from typing import TYPE_CHECKING, TypeAlias

from ocm_pkg._typing import override
from ocm_pkg.errors import InvalidDocumentError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LENGTH = 255
MAX_TAG_LENGTH = 128

_NUMBER = r"(0|[1-9][0-9]*)"
_PRE_PART = r"(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_VERSION = re.compile(
    rf"v?{_NUMBER}(?:\.{_NUMBER})?(?:\.{_NUMBER})?"
    rf"(?:-({_PRE_PART}(?:\.{_PRE_PART})*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?"
)
_BUILD_IN_TAG = ".build-"

Precedence: TypeAlias = "tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]"


@total_ordering
@dataclass(frozen=True, eq=False)
class Version:
    """A version with an optional ``v``, one to three numbers, and optional ``-pre`` and ``+build``.

    The order is that of semantic versioning, a missing number counting as 0. Versions of equal
    precedence (``1.0`` and ``v1.0.0``, or different builds) are ordered by their text, so that the
    order is total; only versions with the same text are equal.
    """

    text: str
    numbers: tuple[int, int, int]
    pre: str | None
    build: str | None

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read a version, or raise ``InvalidDocumentError``."""
        match = _VERSION.fullmatch(text) if len(text) <= MAX_LENGTH else None
        if match is None:
            raise InvalidDocumentError(
                f"{text[:80]!r} is not a version",
                hint="a version looks like 1.2.3, v1.2, 1.2.3-rc.1 or 1.2.3+build.5",
            )
        major, minor, patch, pre, build = match.groups()
        return cls(text, (int(major), int(minor or 0), int(patch or 0)), pre, build)

    @cached_property
    def precedence(self) -> Precedence:
        """What semantic versioning compares: two versions of equal precedence are as new."""
        parts = self.pre.split(".") if self.pre is not None else ()
        keys = tuple(
            (False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts
        )
        return (*self.numbers, self.pre is None, keys)

    @override
    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Version) else NotImplemented

    @override
    def __hash__(self) -> int:
        return hash(self.text)

    def __lt__(self, other: Version) -> bool:
        return (self.precedence, self.text) < (other.precedence, other.text)

    @override
    def __str__(self) -> str:
        return self.text


def is_version(text: str) -> bool:
    """Whether ``text`` is a version."""
    return len(text) <= MAX_LENGTH and _VERSION.fullmatch(text) is not None


def sort_versions(texts: Iterable[str]) -> list[str]:
    """Return the versions among ``texts``, newest first; what is no version is left out."""
    versions = [Version.parse(text) for text in texts if is_version(text)]
    return [version.text for version in sorted(versions, reverse=True)]


def tag_of(version: str) -> str:
    """Return the OCI tag of a version: ``+``, which no tag may hold, becomes ``.build-``."""
    tag = Version.parse(version).text.replace("+", _BUILD_IN_TAG, 1)
    if len(tag) > MAX_TAG_LENGTH:
        raise InvalidDocumentError(
            f"the version {version[:60]}... is too long for a tag",
            hint=f"a tag has at most {MAX_TAG_LENGTH} characters",
        )
    return tag


def version_of(tag: str) -> str:
    """Return the version that a tag stands for; it need not be one (see ``is_version``)."""
    return tag.replace(_BUILD_IN_TAG, "+", 1)
