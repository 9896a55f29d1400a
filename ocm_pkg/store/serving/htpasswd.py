"""Passwords of a ``htpasswd`` file: bcrypt entries, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING

from ocm_pkg.errors import ConfigError
from ocm_pkg.fs.blob import FileBlob, read_all

if TYPE_CHECKING:
    from pathlib import Path

_ENTRY = re.compile(rb"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_MAX_COST = 15
"""A check at this cost takes a few seconds; each step more doubles it."""

_MAX_SIZE = 1024 * 1024
_LONGEST = 72
"""bcrypt takes no more bytes of a password."""

_REMEMBERED = 1024
_AT_ONCE = 2
"""How many checks may keep the machine busy; the others wait."""


class Passwords:
    """Who may enter. What was right is remembered, as a keyed hash: bcrypt is slow on purpose."""

    def __init__(self, entries: dict[bytes, bytes]) -> None:
        self._entries = entries
        costs = [int(entry[4:6]) for entry in entries.values()]
        self._nobody = b"$2b$%02d$" % max(costs, default=10) + b"." * 53
        self._key = os.urandom(32)
        self._right: dict[bytes, None] = {}
        self._lock = Lock()
        self._checks = BoundedSemaphore(_AT_ONCE)

    @classmethod
    def read(cls, path: Path) -> Passwords:
        """Read a file, or raise ``ConfigError``: only bcrypt entries are taken."""
        entries: dict[bytes, bytes] = {}
        data = read_all(FileBlob(path), _MAX_SIZE, str(path))
        for number, line in enumerate(data.splitlines(), 1):
            if not line.strip() or line.startswith(b"#"):
                continue
            user, colon, entry = line.strip().partition(b":")
            match = _ENTRY.fullmatch(entry)
            if not colon or not user or match is None:
                raise ConfigError(
                    f"{path} has an entry that is not bcrypt",
                    at=f"{path}:{number}",
                    hint=f"make it with htpasswd -B {path} USER",
                )
            if not 4 <= int(match[1]) <= _MAX_COST:
                raise ConfigError(
                    f"{path} has an entry of bcrypt cost {int(match[1])}",
                    at=f"{path}:{number}",
                    hint=f"use a cost up to {_MAX_COST}: htpasswd -B -C 12 {path} USER",
                )
            entries[user] = entry
        if not entries:
            raise ConfigError(f"{path} has no entries", hint=f"add one: htpasswd -B {path} USER")
        return cls(entries)

    def accepts(self, header: str | None) -> bool:
        """Whether an ``Authorization`` header has a user and the right password."""
        found = _basic(header)
        if found is None:
            return False
        user, password = found
        proof = hmac.digest(self._key, b"%d:%b:%b" % (len(user), user, password), "sha256")
        with self._lock:
            if proof in self._right:
                return True
        if not self._check(user, password):
            return False
        with self._lock:
            if len(self._right) >= _REMEMBERED:
                self._right.clear()
            self._right[proof] = None
        return True

    def _check(self, user: bytes, password: bytes) -> bool:
        import bcrypt

        entry = self._entries.get(user)
        try:
            with self._checks:
                right = bcrypt.checkpw(password[:_LONGEST], entry or self._nobody)
        except ValueError:
            return False
        return right and entry is not None


def _basic(header: str | None) -> tuple[bytes, bytes] | None:
    scheme, _, text = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        plain = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    user, colon, password = plain.partition(b":")
    return (user, password) if colon else None
