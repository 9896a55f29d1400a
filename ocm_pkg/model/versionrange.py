"""Ranges of versions: ``>=1.0.0 <2.0.0``, ``^1.2``, ``~1.2``, ``1.x``, ``1 - 2``, ``A || B``.

The rules are those of the constraints that the reference tools use (Masterminds/semver). A range
accepts pre-releases only if one of the constraints that must hold together names one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg._typing import override
from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.version import Version, is_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_LENGTH = 1000

_NUMBER = r"(?:0|[1-9][0-9]*|[xX*])"
_PART = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_PARTIAL = rf"v?({_NUMBER})(?:\.({_NUMBER}))?(?:\.({_NUMBER}))?(-{_PART})?(?:\+{_PART})?"
_ONE = re.compile(rf"(!=|>=|=>|<=|=<|~>|=|>|<|~|\^)?\s*{_PARTIAL}(?![0-9A-Za-z.*+-])")
_HYPHEN = re.compile(rf"(?<!\S)({_PARTIAL})\s+-\s+({_PARTIAL})(?=[\s,]|$)")
_HYPHEN_END = 6
_BETWEEN = re.compile(r"\s*,\s*|\s+")
_SAME = {"=>": ">=", "=<": "<=", "~>": "~", "": "="}
_HINT = "write a range such as >=1.0.0 <2.0.0, ^1.2 or 1.x"


@dataclass(frozen=True, slots=True)
class _Constraint:
    """One operator and version; ``numbers`` says how many numbers were given (0 to 3)."""

    operator: str
    version: Version
    numbers: int

    def holds(self, version: Version) -> bool:
        return _CHECKS[self.operator](version, self)

    @property
    def has_pre(self) -> bool:
        return self.version.pre is not None


@dataclass(frozen=True, slots=True)
class VersionRange:
    """Which versions are wanted; ``text`` is what it was read from."""

    text: str
    _choices: tuple[tuple[_Constraint, ...], ...]

    @classmethod
    def parse(cls, text: str) -> VersionRange:
        """Read a range, or raise ``InvalidDocumentError``. Empty text means every release."""
        if len(text) > MAX_LENGTH:
            raise InvalidDocumentError("a version range is too long", hint=_HINT)
        return cls(text, tuple(_all_of(part, text) for part in text.split("||")))

    def contains(self, version: str | Version) -> bool:
        """Whether the version is in the range; what is no version never is."""
        if isinstance(version, str):
            if not is_version(version):
                return False
            version = Version.parse(version)
        return any(_all_hold(constraints, version) for constraints in self._choices)

    @override
    def __str__(self) -> str:
        return self.text


def _all_hold(constraints: tuple[_Constraint, ...], version: Version) -> bool:
    if version.pre is not None and not any(one.has_pre for one in constraints):
        return False
    return all(one.holds(version) for one in constraints)


def _all_of(part: str, text: str) -> tuple[_Constraint, ...]:
    """Return the constraints of a list with blanks or commas between them."""
    rewritten = _HYPHEN.sub(_from_to, part).strip()
    if not rewritten:
        if text.strip():
            raise _improper(text)
        rewritten = "*"
    found: list[_Constraint] = []
    position = 0
    while True:
        match = _ONE.match(rewritten, position)
        if match is None:
            raise _improper(text)
        found.append(_constraint(match, text))
        if match.end() == len(rewritten):
            return tuple(found)
        between = _BETWEEN.match(rewritten, match.end())
        if between is None:
            raise _improper(text)
        position = between.end()


def _from_to(match: re.Match[str]) -> str:
    return f">={match[1]} <={match[_HYPHEN_END]}"


def _constraint(match: re.Match[str], text: str) -> _Constraint:
    operator, *parts, pre = match.groups()
    numbers: list[str] = []
    for part in parts:
        if part is None or part in "xX*":
            break
        numbers.append(part)
    full = ".".join([*numbers, "0", "0", "0"][:3]) + (pre or "")
    if not is_version(full):
        raise _improper(text)
    operator = operator or ""
    return _Constraint(_SAME.get(operator, operator), Version.parse(full), len(numbers))


def _improper(text: str) -> InvalidDocumentError:
    return InvalidDocumentError(f"{text[:80]!r} is not a version range", hint=_HINT)


def _equal(version: Version, wanted: _Constraint) -> bool:
    if wanted.numbers < 3:
        return _tilde(version, wanted)
    return version.precedence == wanted.version.precedence


def _not_equal(version: Version, wanted: _Constraint) -> bool:
    if wanted.numbers in (0, 3):
        return version.precedence != wanted.version.precedence
    if version.numbers[: wanted.numbers] != wanted.version.numbers[: wanted.numbers]:
        return True
    # `!=4.1-alpha` excludes the versions 4.1.* that have this very pre-release.
    return wanted.numbers == 2 and version.pre != wanted.version.pre


def _greater(version: Version, wanted: _Constraint) -> bool:
    if wanted.numbers in (1, 2):
        return version.numbers[: wanted.numbers] > wanted.version.numbers[: wanted.numbers]
    return version.precedence > wanted.version.precedence


def _at_most(version: Version, wanted: _Constraint) -> bool:
    if wanted.numbers == 3:
        return version.precedence <= wanted.version.precedence
    if wanted.numbers == 0:
        return version.numbers[:2] <= (0, 0)
    return version.numbers[: wanted.numbers] <= wanted.version.numbers[: wanted.numbers]


def _less(version: Version, wanted: _Constraint) -> bool:
    return version.precedence < wanted.version.precedence


def _at_least(version: Version, wanted: _Constraint) -> bool:
    return version.precedence >= wanted.version.precedence


def _tilde(version: Version, wanted: _Constraint) -> bool:
    """At least that, and the same minor version; ``~0.0.0`` accepts everything, as ``*`` does."""
    if not _at_least(version, wanted):
        return False
    if wanted.version.numbers == (0, 0, 0) and wanted.numbers in (0, 3):
        return True
    kept = 1 if wanted.numbers == 1 else 2
    return version.numbers[:kept] == wanted.version.numbers[:kept]


def _caret(version: Version, wanted: _Constraint) -> bool:
    """At least that, and the first number that is not 0 (or the last one given) is the same."""
    if not _at_least(version, wanted):
        return False
    numbers = wanted.version.numbers
    if wanted.numbers == 0:
        return True
    leading = next((index for index, number in enumerate(numbers) if number), 2)
    kept = min(leading + 1, wanted.numbers)
    return version.numbers[:kept] == numbers[:kept]


_CHECKS: Mapping[str, Callable[[Version, _Constraint], bool]] = {
    "=": _equal,
    "!=": _not_equal,
    ">": _greater,
    "<": _less,
    ">=": _at_least,
    "<=": _at_most,
    "~": _tilde,
    "^": _caret,
}
