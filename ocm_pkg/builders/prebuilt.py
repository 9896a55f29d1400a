"""The builder for a binary that was made elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.builders.inputs import file_contents, folder_contents
from ocm_pkg.builders.result import take

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import Target
    from ocm_pkg.ports import BuildJob, BuiltBinary


class PrebuiltBuilder:
    """Takes the file that the target's ``path`` names, for any platform, on any machine."""

    def missing(self, target: Target, host: Platform) -> str | None:  # noqa: ARG002
        """Return None: a file can be copied anywhere."""
        return None

    def inputs(self, job: BuildJob) -> Mapping[str, str]:
        """Return the content of the file, or of all in the folder."""
        made = job.folder / str(job.target.path)
        if job.target.shape == "dir":
            return folder_contents(made, job.folder)
        return file_contents([made], job.folder)

    def build(self, job: BuildJob) -> BuiltBinary:
        """Copy the file, or raise a ``BuildError`` if it is missing or for another platform."""
        return take(job, job.folder / str(job.target.path), {})
