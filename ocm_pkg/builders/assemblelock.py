"""Hashed locks, pin by pin: what may be fetched, and how it is known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*==\s*(?P<version>[^\s;]+)"
    r"\s*(?:;\s*(?P<marker>.*?))?\s*"
)
_HASH = re.compile(r"\s--hash=(?P<name>sha256|sha384|sha512):(?P<value>[0-9a-f]{64,128})(?=\s|$)")
_COMMENT = re.compile(r"(^|\s+)#.*$")


@dataclass(frozen=True, slots=True)
class Pin:
    """One requirement of a lock: ``marker`` is its condition, ``hashes`` are ``NAME:VALUE``."""

    name: str
    version: str
    marker: str | None
    hashes: tuple[str, ...]

    @property
    def line(self) -> str:
        """The requirement for pip, without its condition."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash={h}" for h in self.hashes)])


def read_pins(data: bytes, *, name: str) -> tuple[Pin, ...]:
    """Read a lock; names are normalised, options for pip are left out.

    Raises ``ConfigError`` with the line of a requirement that has no hash, or no exact version.
    """
    return tuple(_pin(line, f"{name}:{number}") for number, line in _lines(data))


def normalised(name: str) -> str:
    """Return the name of a distribution as comparisons need it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    """Yield each requirement as one line, with the number of its first."""
    joined, began = "", 0
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        text = _COMMENT.sub("", line)
        began = began if joined else number
        joined += text.removesuffix("\\") + " "
        if not text.endswith("\\"):
            if joined.strip() and not joined.lstrip().startswith("-"):
                yield began, joined.strip()
            joined = ""
    if joined.strip():
        yield began, joined.strip()


def _pin(line: str, at: str) -> Pin:
    hashes = tuple(f"{match['name']}:{match['value']}" for match in _HASH.finditer(line))
    found = _PIN.fullmatch(_HASH.sub("", line))
    if found is None or not hashes:
        what = "has no hash" if found else "is no exact version with a hash"
        raise ConfigError(
            f"the requirement {line[:80]!r} {what}",
            hint="make the lock with: pip-compile --generate-hashes",
            at=at,
        )
    return Pin(normalised(found["name"]), found["version"], found["marker"], hashes)
