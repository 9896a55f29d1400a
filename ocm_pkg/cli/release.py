"""``release``: check, build, test, package, sign and publish, as one command."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ocm_pkg.cli.build import out_folder, out_option, project_folder, project_option
from ocm_pkg.cli.building import build_targets, builders_of, checked_of
from ocm_pkg.cli.built import relative
from ocm_pkg.cli.options import command, dry_run_option, output_option
from ocm_pkg.cli.package import CTF, destination, packaging_of
from ocm_pkg.cli.publish import configured_target
from ocm_pkg.cli.publishing import moving
from ocm_pkg.errors import FileMissingError, UsageError
from ocm_pkg.model.releasestate import STEPS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ocm_pkg.builders.source import ProjectSource
    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.flows.release import Release, Released, StepReport
    from ocm_pkg.flows.workshop import Signing, Workshop
    from ocm_pkg.model.part import Part
    from ocm_pkg.model.releasestate import ReleaseInputs
    from ocm_pkg.plugin.contract_results import ContractResult
    from ocm_pkg.services.build import PlannedTarget
    from ocm_pkg.services.sign import Key
    from ocm_pkg.signing.trust import TrustPolicy

STAGING = "release.ctf"
_FILE = click.Path(path_type=Path)


@command()
@project_option
@click.option(
    "--to",
    metavar="REPOSITORY",
    help="Where it goes (default: publish.to of the project file, else the folder ctf there).",
)
@out_option
@click.option(
    "--key",
    type=_FILE,
    metavar="FILE",
    help="Private key (default: sign.key of the project file, else as with `sign cv`).",
)
@click.option("--password-file", type=_FILE, metavar="FILE", help="Password of the private key.")
@click.option(
    "--signature",
    metavar="NAME",
    help="Its name (default: sign.name of the project file, else default).",
)
@click.option(
    "--from-step",
    type=click.Choice(STEPS),
    help="Start there; what the earlier steps make must be there.",
)
@click.option("--partial", is_flag=True, help="Release what there is, though targets are missing.")
@click.option("--allow-dirty", is_flag=True, help="Release though files are in no commit.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Targets to build at the same time.")
@dry_run_option()
@output_option("text", "json", "yaml")
def release(context: Context, directory: str, output: str, **wanted: Any) -> None:  # noqa: ANN401
    """Check, build, test, package, sign and publish this project.

    After a failure the same command goes on where it was stopped, unless the sources have changed.
    Nothing is at the destination before all of it is there, signed and verified.
    """
    from ocm_pkg.builders.source import load_project
    from ocm_pkg.flows.preflight import require_committed, require_room, require_targets
    from ocm_pkg.flows.release import planned
    from ocm_pkg.flows.release import release as run

    source = load_project(project_folder(context, directory))
    out = out_folder(context, source.folder, wanted["out"]).resolve()
    shop = _workshop(context, source, out, wanted)
    builds = STEPS.index(wanted["from_step"] or STEPS[0]) <= STEPS.index("build")
    if not wanted["allow_dirty"]:
        key = _key_file(context, source, wanted["key"])
        require_committed(shop, _untracked(context, shop, key) if builds else ())
    require_targets(shop, builds=builds)
    require_room(shop)
    do = planned if wanted["dry_run"] else run
    _show(context, shop, do(_job(context, source, shop), wanted["from_step"]), output)


def _workshop(
    context: Context, source: ProjectSource, out: Path, wanted: dict[str, Any]
) -> Workshop:
    from ocm_pkg.flows.workshop import Staging, Workshop
    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.services.build import plan

    project = source.project
    builders = builders_of(context, project)
    signing = _signing(context, source, wanted)
    staging = RepositorySpec("ctf", str(out / STAGING))
    target = configured_target(context, source) if wanted["to"] is None else None
    target = target or destination(context, source.folder, wanted["to"])
    if target.kind == "ctf" and (context.cwd / target.location).resolve() == out / STAGING:
        raise UsageError(f"{target} is where releases are prepared", hint="choose another --to")

    def build(rows: Sequence[PlannedTarget]) -> Part:
        return build_targets(context, source, rows, builders, out, wanted["jobs"])

    def contract(part: Part) -> Sequence[ContractResult]:
        from ocm_pkg.plugin.contract_results import binaries_in, contract_results
        from ocm_pkg.plugin.emulation import Machine

        return contract_results(
            binaries_in(out, part, project), machine=Machine(context.platform, context.environ)
        )

    return Workshop(
        # What is in dist is looked at by the steps that use it.
        checked=checked_of(context, source, out / STAGING),
        inputs=_inputs(context, source, signing),
        packaging=packaging_of(context, source, out, partial=wanted["partial"]),
        rows=plan(project, host=context.platform, builders=builders),
        build=build,
        contract=contract,
        staging=Staging(
            out / STAGING,
            relative(out / STAGING, context.cwd),
            lambda: context.repository(staging, create=True),
        ),
        signing=signing,
        destination=context.repository(target, create=True),
        target=target,
        scratch=lambda: context.scratch(staging),
        moving=lambda: moving(context),
    )


def _signing(context: Context, source: ProjectSource, wanted: dict[str, Any]) -> Signing:
    """Load the key: without one nothing is begun."""
    from ocm_pkg.cli.signature import signer_of
    from ocm_pkg.flows.workshop import Signing

    name = wanted["signature"] or source.project.sign.name
    file = _key_file(context, source, wanted["key"])
    try:
        key, request = signer_of(context, file, wanted["password_file"], name)
    except FileMissingError as error:
        raise FileMissingError(
            f"a release is signed, and there is no key: {error.message}",
            hint="make one with `ocm-pkg key new`, or name it: --key FILE, or sign: {key: FILE} in"
            " the project file",
        ) from error
    for warning in key.warnings:
        context.out.warn(warning)
    return Signing(key, request, _trust(key, context.now()), context.now)


def _trust(key: Key, now: datetime) -> TrustPolicy:
    """Return the policy that accepts what ``key`` signs, and nothing else."""
    from ocm_pkg.model.digest import digest_of
    from ocm_pkg.signing.gpgsign import GpgSigningKey, make_value, public_half
    from ocm_pkg.signing.keys import PublicKey, SigningKey
    from ocm_pkg.signing.trust import TrustPolicy

    if isinstance(key, SigningKey):
        public = PublicKey(key.key.public_key(), key.fingerprint, "the key of this release")
        return TrustPolicy((public,))
    if isinstance(key, GpgSigningKey):
        # Only signing something shows whether the password is right.
        make_value(digest_of(b""), key, now)
        return TrustPolicy(gpg_keys=(public_half(key),))
    raise UsageError("a release is signed with a key", hint="name its file: --key FILE")


def _key_file(context: Context, source: ProjectSource, key: Path | None) -> Path | None:
    """Return the key of the command or of the project file: in the project, at home, anywhere."""
    text = source.project.sign.key
    if key is not None or text is None:
        return key
    return context.home / text[2:] if text.startswith("~/") else source.folder / text


def _inputs(context: Context, source: ProjectSource, signing: Signing) -> ReleaseInputs:
    from ocm_pkg.builders.source import commit_of, lock_of, resolve_version
    from ocm_pkg.model.releasestate import ReleaseInputs

    return ReleaseInputs(
        component=source.project.component,
        version=resolve_version(source, context.environ),
        commit=commit_of(source.folder, context.environ),
        config=source.config,
        lock=lock_of(source),
        signer=str(getattr(signing.key, "fingerprint", "")),
        signature=signing.request.name,
    )


def _untracked(context: Context, shop: Workshop, key: Path | None) -> tuple[str, ...]:
    """Return the project's files that are in no commit, but for the key, and what commands make."""
    from ocm_pkg.builders.uncommitted import untracked

    folder = shop.packaging.folder
    made = [shop.packaging.out, folder / CTF]
    if shop.target.kind == "ctf":
        made.append(context.cwd / shop.target.location)
    if key is not None:
        made.append(context.cwd / key)
    return untracked(folder, context.environ, apart_from=[path.resolve() for path in made])


def _job(context: Context, source: ProjectSource, shop: Workshop) -> Release:
    from ocm_pkg.builders.source import load_project
    from ocm_pkg.flows.release import Listeners, Release
    from ocm_pkg.flows.releasesteps import steps_of

    def now() -> ReleaseInputs:
        return _inputs(context, load_project(source.folder), shop.signing)

    def end(report: StepReport) -> None:
        spent = f" ({report.ms / 1000:.1f} s)" if report.result == "done" else ""
        context.out.step(f"{report.step}: {report.detail}{spent}")

    listeners = Listeners(
        begin=lambda step: context.out.step(f"{step} ..."), end=end, note=context.out.warn
    )
    return Release(
        steps=steps_of(shop),
        inputs=shop.inputs,
        now=now,
        out=shop.packaging.out,
        clock=time.monotonic,
        listeners=listeners,
    )


def _show(context: Context, shop: Workshop, released: Released, output: str) -> None:
    from ocm_pkg.flows.workshop import part_of

    part = part_of(shop)
    reference = f"{shop.repository}//{shop.name}"
    value = {
        "component": shop.inputs.component,
        "version": shop.inputs.version,
        "digest": str(released.state.digest) if released.state.digest else None,
        "repository": shop.repository,
        "steps": [
            {"step": one.step, "result": one.result, "ms": one.ms, "detail": one.detail}
            for one in released.reports
        ],
        "targets": [target.to_json() for target in part.targets] if part else [],
    }
    context.out.data(value, output, text=reference)
