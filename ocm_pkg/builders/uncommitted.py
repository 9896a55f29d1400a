"""Files of a project that are in no commit, and so can't be built again from one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from ocm_pkg.fs.process import ProgramError, child_environment, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TIMEOUT = 30.0
_MAX_OUTPUT = 16 * 1024 * 1024


def untracked(
    folder: Path, environ: Mapping[str, str], *, apart_from: Sequence[Path] = ()
) -> tuple[str, ...]:
    """Return the files below ``folder`` that git neither knows nor was told to ignore, sorted.

    What is in one of the folders ``apart_from`` is left out. Without git, or outside of a
    repository, there are none.
    """
    git = shutil.which("git", path=environ.get("PATH"))
    if git is None:
        return ()
    try:
        done = run(
            [git, "-C", str(folder), "ls-files", "--others", "--exclude-standard", "-z"],
            env=child_environment(environ, {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}),
            timeout=_TIMEOUT,
            max_output=_MAX_OUTPUT,
        )
    except ProgramError:
        return ()
    if done.returncode:
        return ()
    names = (name.decode(errors="replace") for name in done.stdout.split(b"\0") if name)
    return tuple(
        sorted(
            name
            for name in names
            if not any((folder / name).is_relative_to(other) for other in apart_from)
        )
    )
