"""What the steps of a release work with, and what they ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.errors import BuildError, ConflictError, OcmPkgError
from ocm_pkg.fs.atomic import TEMPORARY_PREFIX, remove_tree
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.model.published import same_content
from ocm_pkg.services.package import read_part
from ocm_pkg.services.transfer import transfer
from ocm_pkg.store import ctfindex
from ocm_pkg.store.copying import existing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from ocm_pkg.flows.packaging import Packaging
    from ocm_pkg.model.descriptor import ComponentDescriptor
    from ocm_pkg.model.part import Part
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.published import Moving
    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.model.releasestate import ReleaseInputs
    from ocm_pkg.plugin.contract_results import ContractResult
    from ocm_pkg.ports import Repository
    from ocm_pkg.services.build import PlannedTarget
    from ocm_pkg.services.check import Checked
    from ocm_pkg.services.sign import Key
    from ocm_pkg.signing.form import Request
    from ocm_pkg.signing.trust import TrustPolicy


@dataclass(frozen=True, slots=True)
class Signing:
    """With what a release is signed; ``trust`` accepts the signatures of ``key``."""

    key: Key
    request: Request
    trust: TrustPolicy
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Staging:
    """The CTF in ``folder`` in which a release is made; ``open`` opens it, or makes it."""

    folder: Path
    name: str
    open: Callable[[], Repository]


@dataclass(frozen=True, slots=True)
class Workshop:
    """What the steps work with.

    ``build`` builds the targets of ``rows`` that can be built here; ``contract`` runs what was
    built through the plugin contract. ``target`` says which repository ``destination`` is.
    """

    checked: Checked
    inputs: ReleaseInputs
    packaging: Packaging
    rows: Sequence[PlannedTarget]
    build: Callable[[Sequence[PlannedTarget]], Part]
    contract: Callable[[Part], Sequence[ContractResult]]
    staging: Staging
    signing: Signing
    destination: Repository
    target: RepositorySpec
    scratch: Callable[[], AbstractContextManager[Path]]
    moving: Callable[[], AbstractContextManager[Moving]]

    @property
    def name(self) -> str:
        """The component version, for people."""
        return f"{self.inputs.component}:{self.inputs.version}"

    @property
    def repository(self) -> str:
        """The destination, for people."""
        return str(self.target)

    @property
    def is_partial(self) -> bool:
        """Whether targets may be missing."""
        return self.packaging.partial or not self.packaging.project.require.all_targets

    def staged(self) -> ComponentDescriptor | None:
        """Return the component version as far as it was made; None if there is none."""
        if not self.staging.folder.is_dir():
            return None
        return existing(self.staging.open(), self.inputs.component, self.inputs.version)

    def published(self) -> ComponentDescriptor | None:
        """Return what the destination has under the name and version."""
        return existing(self.destination, self.inputs.component, self.inputs.version)


def part_of(shop: Workshop) -> Part | None:
    """Return the report of what was built from the very sources; None if there is none."""
    try:
        part = read_part(shop.packaging.out)
    except OcmPkgError:
        return None
    return None if differences(shop.inputs, part) else part


def missing_targets(shop: Workshop, part: Part) -> tuple[Platform, ...]:
    """Return the project's targets that ``part`` hasn't, sorted."""
    wanted = {target.platform for target in shop.packaging.project.targets}
    return tuple(sorted(wanted - {target.platform for target in part.targets}))


def clear(staging: Staging) -> None:
    """Remove what an earlier release has left there; raise ``ConflictError`` for anything else."""
    folder = staging.folder
    # A release that was killed may have left a CTF without its index.
    ours = {ctfindex.NAME, ctfindex.BLOBS}
    with storage_errors(f"looking into {staging.name}", folder.parent):
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if any(name not in ours and not name.startswith(TEMPORARY_PREFIX) for name in names):
        raise ConflictError(
            f"{staging.name} is no CTF, and releases are prepared there",
            hint="choose another folder with --out",
        )
    remove_tree(folder)


def refuse_other_content(shop: Workshop) -> None:
    """Raise ``AlreadyExistsError`` if the destination has the version with other content."""
    there = shop.published()
    made = shop.staged()
    if there is None or made is None or same_content(there, made):
        return
    transfer(
        shop.inputs.component,
        shop.inputs.version,
        source=shop.staging.open(),
        destination=shop.destination,
        repository=shop.repository,
        dry_run=True,
    )


def with_published(shop: Workshop, staging: Repository) -> ComponentDescriptor:
    """Return what was made, with the signatures that the destination has of the same content."""
    made = staging.get(shop.inputs.component, shop.inputs.version)
    there = shop.published()
    if there is None or not there.signatures or not same_content(there, made):
        return made
    joined = made
    for signature in there.signatures:
        joined = joined.with_signature(signature, replace=True)
    if joined != made:
        staging.add(joined, replace=True)
    return joined


def differences(inputs: ReleaseInputs, part: Part) -> tuple[str, ...]:
    """Return what of ``part`` comes from other sources than ``inputs``, for people."""
    return inputs.differences(
        type(inputs)(
            component=part.component,
            version=part.version,
            commit=part.commit,
            config=part.config,
            lock=part.lock,
            signer=inputs.signer,
            signature=inputs.signature,
        )
    )


def lacking_targets(shop: Workshop, missing: Sequence[Platform]) -> BuildError:
    """Return the error for targets that nobody has built."""
    reasons = {row.target.platform: row.missing for row in shop.rows}
    return BuildError(
        f"{shop.name} can't be released without {listed(missing)}",
        hint="build them on their machines, join all with `ocm-pkg merge DIR... --out DIR`, then "
        "`ocm-pkg release --from-step package --out DIR`; or require: {all-targets: false}",
        detail=[f"{platform}: {reasons.get(platform) or 'was not built'}" for platform in missing],
    )


def listed(platforms: Iterable[Platform]) -> str:
    """Return the names of platforms in one line."""
    return ", ".join(map(str, platforms)) or "nothing"
