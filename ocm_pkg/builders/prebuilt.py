"""The builder for a binary that was made elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.builders.result import take

if TYPE_CHECKING:
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import Target
    from ocm_pkg.ports import BuildJob, BuiltBinary


class PrebuiltBuilder:
    """Takes the file that the target's ``path`` names, for any platform, on any machine."""

    def missing(self, target: Target, host: Platform) -> str | None:  # noqa: ARG002
        """Return None: a file can be copied anywhere."""
        return None

    def build(self, job: BuildJob) -> BuiltBinary:
        """Copy the file, or raise a ``BuildError`` if it is missing or for another platform."""
        return take(job, job.folder / str(job.target.path), {})
