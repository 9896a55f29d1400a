"""From what was built to a component version in a repository: construct it, then store it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.fs.inputs import Workplace
from ocm_pkg.model.constructor import parse_constructor
from ocm_pkg.services.construct import construct
from ocm_pkg.services.package import prepare
from ocm_pkg.services.publish import publish

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.project import PluginProject
    from ocm_pkg.model.provenance import SourceLocation
    from ocm_pkg.model.published import Moving, Published
    from ocm_pkg.ports import Repository
    from ocm_pkg.services.package import Package
    from ocm_pkg.services.publish import Policy


@dataclass(frozen=True, slots=True)
class Packaging:
    """What is packaged: the project in ``folder``, and what was built of it in ``out``.

    ``config`` and ``lock`` are the digests of the project file and the requirements as they are
    now, ``location`` is where the sources are kept. With ``partial`` targets may be missing.
    """

    project: PluginProject
    version: str
    config: Digest
    lock: Digest | None
    folder: Path
    out: Path
    location: SourceLocation
    partial: bool = False


def package(
    what: Packaging,
    *,
    repository: Repository,
    source: str,
    scratch: Path,
    policy: Policy = "abort-and-fail",
    dry_run: bool = False,
    moving: Moving | None = None,
) -> tuple[Package, Published]:
    """Make the component version and store it in ``repository``, whose text is ``source``.

    ``scratch`` is an empty private folder. Raises what ``prepare`` and ``publish`` raise.
    """
    prepared = prepare(
        what.project,
        version=what.version,
        config=what.config,
        lock=what.lock,
        folder=what.folder,
        out=what.out,
        partial=what.partial,
        location=what.location,
    )
    constructor = parse_constructor(prepared.data, name=prepared.path.name, variables={})
    (made,) = construct(constructor, Workplace(prepared.path.parent, scratch))
    published = publish(
        made.descriptor,
        made.contents,
        repository=repository,
        source=source,
        policy=policy,
        dry_run=dry_run,
        moving=moving,
    )
    return prepared, published
