"""For which operating system and processor a program is made, in the names that OCM plugins use."""

from __future__ import annotations

from dataclasses import dataclass

from ocm_pkg._typing import override
from ocm_pkg.errors import UsageError

OS_ALIASES = {
    "macos": "darwin",
    "osx": "darwin",
    "mac": "darwin",
    "win": "windows",
    "win32": "windows",
}
ARCHITECTURE_ALIASES = {
    "x86_64": "amd64",
    "x64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armv8": "arm64",
    "i386": "386",
    "i686": "386",
    "x86": "386",
    "armv7l": "arm",
    "armhf": "arm",
}
OPERATING_SYSTEMS = frozenset(
    {"linux", "darwin", "windows", "freebsd", "netbsd", "openbsd", "aix", "solaris"}
)
ARCHITECTURES = frozenset(
    {"amd64", "arm64", "386", "arm", "riscv64", "ppc64le", "ppc64", "s390x", "loong64", "mips64le"}
)


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """An operating system and an architecture, in Go's names (``linux``, ``amd64``)."""

    os: str
    architecture: str

    @override
    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}"

    @property
    def identity(self) -> dict[str, str]:
        """The ``extraIdentity`` of a resource made for this platform."""
        return {"architecture": self.architecture, "os": self.os}

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read ``OS/ARCHITECTURE``; common other spellings (``macos``, ``x86_64``) are understood.

        Raises ``UsageError`` for anything else.
        """
        os_name, slash, architecture = text.partition("/")
        if not slash or "/" in architecture:
            raise UsageError(
                f"{text!r} is not a platform", hint="write OS/ARCH, for example linux/amd64"
            )
        return cls.of(os_name, architecture)

    @classmethod
    def of(cls, os_name: str, architecture: str) -> Platform:
        """Return the platform for two names in any common spelling, or raise ``UsageError``."""
        os_name, architecture = os_name.lower(), architecture.lower()
        os_name = OS_ALIASES.get(os_name, os_name)
        architecture = ARCHITECTURE_ALIASES.get(architecture, architecture)
        if os_name not in OPERATING_SYSTEMS:
            raise UsageError(
                f"{os_name!r} is not a known operating system",
                hint=f"known: {', '.join(sorted(OPERATING_SYSTEMS))}",
            )
        if architecture not in ARCHITECTURES:
            raise UsageError(
                f"{architecture!r} is not a known architecture",
                hint=f"known: {', '.join(sorted(ARCHITECTURES))}",
            )
        return cls(os_name, architecture)
