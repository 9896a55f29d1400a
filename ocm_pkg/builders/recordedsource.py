"""The sources that provenance names: where they are, and whether they are what was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.builders.checkout import checked_commit, named_origin, recorded_origin
from ocm_pkg.builders.source import load_project, lock_of, resolve_version
from ocm_pkg.errors import (
    BuildError,
    ConfigError,
    IntegrityError,
    InvalidDocumentError,
    escaped,
)
from ocm_pkg.model.innerpath import problem_of

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.builders.checkout import Origin
    from ocm_pkg.builders.source import ProjectSource
    from ocm_pkg.model.provenance import Provenance


def origin_of(said: Provenance, source: str | None, folder: Path) -> Origin:
    """Return where the recorded commit is: in ``source``, relative to ``folder``, if it is given.

    Raises ``BuildError`` if no commit was recorded, ``ConfigError`` without any repository, and
    what ``recorded_origin`` and ``named_origin`` raise.
    """
    if said.commit is None:
        raise BuildError(
            f"{said.component}:{said.version} names no commit that it was built from",
            hint="ask its provider to build it from a commit, with no change left uncommitted",
        )
    commit = checked_commit(said.commit)
    if source is not None:
        return named_origin(source, commit, folder)
    if said.location.repository is None:
        raise ConfigError(
            f"{said.component}:{said.version} names no repository that commit {commit} is in",
            hint="name a repository that has it: --source DIR or --source URL",
        )
    return recorded_origin(said.location.repository, commit)


def project_in(checkout: Path, said: Provenance) -> ProjectSource:
    """Return the project that was built, in a checkout of the recorded commit.

    Raises ``IntegrityError`` if it is not there, or is not what was recorded: its component,
    version, project file (without what isn't built) and lock.
    """
    inside = said.location.folder
    if inside != "." and (problem := problem_of(inside)):
        raise InvalidDocumentError(
            f"the recorded project folder {escaped(inside, 200)} {problem}",
            hint="tell its provider; nothing was built",
        )
    folder = (checkout / inside).resolve()
    if not folder.is_dir() or not folder.is_relative_to(checkout.resolve()):
        raise IntegrityError(
            f"commit {said.commit} has no folder {escaped(inside, 200)}",
            hint="tell its provider; nothing was built",
        )
    source = load_project(folder)
    is_literal = source.project.version.source in ("literal", "pyproject")
    for member, recorded, there in (
        ("component", said.component, source.project.component),
        ("version", said.version, resolve_version(source, {}) if is_literal else said.version),
        ("project file", said.config, source.config),
        ("lock", said.lock, lock_of(source)),
    ):
        if recorded != there:
            raise IntegrityError(
                f"{said.component}:{said.version} was not built from commit {said.commit}:"
                f" its {member} is recorded as {recorded or 'none'}, there it is"
                f" {there or 'none'}",
                hint="tell its provider; nothing was built",
            )
    return source
