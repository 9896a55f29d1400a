"""Files of a project that are in no commit, and so can't be built again from one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.builders.gitsource import ask_git

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_MAX_OUTPUT = 16 * 1024 * 1024


def untracked(
    folder: Path, environ: Mapping[str, str], *, apart_from: Sequence[Path] = ()
) -> tuple[str, ...]:
    """Return the files below ``folder`` that git neither knows nor was told to ignore, sorted.

    What is in one of the folders ``apart_from`` is left out. Without git, or outside of a
    repository, there are none.
    """
    words = ("ls-files", "--others", "--exclude-standard", "-z")
    printed = ask_git(folder, environ, *words, max_output=_MAX_OUTPUT)
    names = (name.decode(errors="replace") for name in (printed or b"").split(b"\0") if name)
    return tuple(
        sorted(
            name
            for name in names
            if not any((folder / name).is_relative_to(other) for other in apart_from)
        )
    )
