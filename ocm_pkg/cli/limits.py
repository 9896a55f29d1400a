"""``--limit NAME=VALUE``: the limits that a user may raise or lower. docs/limits.md lists all."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from ocm_pkg.cli.sizes import size_of
from ocm_pkg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

COUNTS = ("components", "reference-depth", "signatures")
SIZES = ("program-size", "archive-size", "document-size", "cache-size")


def parse(texts: Iterable[str]) -> dict[str, int]:
    """Return the limits that were given, by name; the last one of a name counts.

    A size is written ``500MB`` or ``16GiB``. Raises ``UsageError`` for an unknown name, and for a
    value that is none or zero.
    """
    limits = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in (*COUNTS, *SIZES):
            near = difflib.get_close_matches(name, (*COUNTS, *SIZES), n=1)
            raise UsageError(
                f"--limit {text!r} names no limit",
                hint=f"did you mean {near[0]}?" if near else f"known: {', '.join(COUNTS + SIZES)}",
            )
        is_count = value.isascii() and value.isdigit() and len(value) <= 9
        number = size_of(value) if name in SIZES else int(value) if is_count else 0
        if number < 1:
            raise UsageError(
                f"--limit {text!r} has no value above zero", hint=f"write --limit {name}=NUMBER"
            )
        limits[name] = number
    return limits
