"""A program in place of a Python that can't be run here: it only says where its packages are."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from ocm_pkg.fs.oserror import storage_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def stand_in(work: Path, folders: Sequence[Path]) -> str:
    """Write the program into ``work`` and return its path; raise ``LocalStorageError``.

    It prints ``folders`` as a JSON list, whatever it is asked: nobody asks it for more.
    """
    program = work / "say-path"
    said = shlex.quote(json.dumps([str(folder) for folder in folders]))
    with storage_errors(f"writing {program}", work):
        program.write_text(f"#!/bin/sh\nprintf '%s' {said}\n", encoding="utf-8")
        program.chmod(0o755)
    return str(program)
