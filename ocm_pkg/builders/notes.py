"""What was built before, so that a build that would change nothing can be left out."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.fs.atomic import make_folder, write_file
from ocm_pkg.fs.blob import FileBlob, read_all

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.part import BuiltTarget
    from ocm_pkg.ports import BuildJob

_FORM = re.compile(rb"1 ([0-9a-f]{64}) ([0-9a-f]{64})\n")
_MAX_BYTES = 1024


def inputs_digest(job: BuildJob, config: Digest, own: str, inputs: Mapping[str, str]) -> str:
    """Return one digest of all that the binary of ``job`` is made from.

    ``config`` is the digest of the project file, ``own`` what this program is.
    """
    return _digest([repr(job.target), job.version, str(config), own, dict(inputs)])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class BuildNotes:
    """Notes in ``folder``, one for each place that a binary was put in: of what, and what it was.

    They can be removed at any time: everything is then built again.
    """

    folder: Path

    def is_kept(self, place: Path, inputs: str, entry: BuiltTarget) -> bool:
        """Whether what ``entry`` reports is what was put in ``place``, made of the same inputs."""
        return self._recall(place) == (inputs, _digest(entry.to_json()))

    def _recall(self, place: Path) -> tuple[str, str] | None:
        """Return the digests that were noted of the inputs, and of the entry; None if none."""
        note = self._note(place)
        with contextlib.suppress(OcmPkgError):
            found = _FORM.fullmatch(read_all(FileBlob(note), _MAX_BYTES, str(note)))
            if found is not None:
                return found[1].decode(), found[2].decode()
        return None

    def note(self, place: Path, inputs: str, entry: BuiltTarget) -> None:
        """Note what was put in ``place``; where nothing can be written, nothing is noted."""
        with contextlib.suppress(OcmPkgError):
            make_folder(self.folder)
            write_file(self._note(place), f"1 {inputs} {_digest(entry.to_json())}\n".encode())

    def _note(self, place: Path) -> Path:
        return self.folder / hashlib.sha256(str(place.resolve()).encode()).hexdigest()
