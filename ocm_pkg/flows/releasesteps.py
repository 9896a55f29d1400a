"""The steps of a release: check, build, test, package, sign, publish.

The component version is made, signed and verified in a CTF of its own, and goes to its destination
at the end: there is nothing unsigned there at any time, and nothing if a step fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.errors import ConfigError, OcmPkgError, PluginCallError
from ocm_pkg.flows.packaging import package
from ocm_pkg.flows.release import Outcome
from ocm_pkg.flows.workshop import (
    clear,
    differences,
    lacking_targets,
    listed,
    missing_targets,
    refuse_other_content,
    with_published,
)
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.documents import files_of
from ocm_pkg.model.published import component_digest
from ocm_pkg.services.check import check
from ocm_pkg.services.package import read_part
from ocm_pkg.services.sign import sign
from ocm_pkg.services.transfer import transfer
from ocm_pkg.services.verify import verify

if TYPE_CHECKING:
    from ocm_pkg.flows.release import Step
    from ocm_pkg.flows.workshop import Workshop
    from ocm_pkg.model.descriptor import ComponentDescriptor
    from ocm_pkg.model.releasestate import ReleaseState
    from ocm_pkg.plugin.contract_results import ContractResult
    from ocm_pkg.services.build import PlannedTarget


def steps_of(shop: Workshop) -> tuple[Step, ...]:
    """Return the steps in their order."""
    return (
        CheckStep(shop),
        BuildStep(shop),
        ContractStep(shop),
        PackageStep(shop),
        SignStep(shop),
        PublishStep(shop),
    )


class _Plain:
    """A step that leaves nothing of its own, so that the state alone says whether it was done."""

    def lacking(self, _state: ReleaseState) -> str | None:
        """Return None: there is nothing that could be lacking."""
        return None

    def adopted(self, state: ReleaseState) -> ReleaseState:
        """Return the state as it is: what was not done is not said to be done."""
        return state


@dataclass(frozen=True, slots=True)
class CheckStep(_Plain):
    """Looks at project file and sources; what is in dist is looked at by the steps that use it."""

    shop: Workshop
    name: str = "check"
    repeats: bool = True

    def plan(self) -> str:
        """Say what is checked."""
        return "would check the project file and the sources"

    def run(self, state: ReleaseState) -> Outcome:
        """Raise ``ConfigError`` with every finding."""
        findings = check(self.shop.checked)
        if findings:
            raise ConfigError(
                f"the check has {len(findings)} finding{'s' if findings[1:] else ''}",
                hint="ocm-pkg check",
                detail=[f"{one.at}: {one.message}; fix: {one.fix}" for one in findings],
            )
        return Outcome(state.with_step(self.name), "no findings")


@dataclass(frozen=True, slots=True)
class BuildStep:
    """Builds the targets that this machine can; with what is there already it must be all."""

    shop: Workshop
    name: str = "build"
    repeats: bool = False

    def plan(self) -> str:
        """Name the targets."""
        return f"would build {listed(row.target.platform for row in self._possible())}"

    def lacking(self, state: ReleaseState) -> str | None:
        """Compare the report, and whether the files are there, with what is released."""
        out, project = self.shop.packaging.out, self.shop.packaging.project
        try:
            part = read_part(out)
        except OcmPkgError as error:
            return error.message
        if state.part is not None and state.part != digest_of(part.encode()):
            return f"{out} was built again"
        if changed := differences(self.shop.inputs, part):
            return f"what is in {out} was built from other sources: {'; '.join(changed)}"
        for target in part.targets:
            for file in files_of(project, target):
                if not (out / file.name).is_file():
                    return f"{out / file.name} is not there"
        missing = missing_targets(self.shop, part)
        if missing and not self.shop.is_partial:
            return f"{out} has no binary for {listed(missing)}"
        return None

    def adopted(self, state: ReleaseState) -> ReleaseState:
        """Return the state with the report that is there."""
        part = read_part(self.shop.packaging.out)
        return state.with_step(self.name, part=digest_of(part.encode()))

    def run(self, state: ReleaseState) -> Outcome:
        """Build; raise ``BuildError`` if a target is missing then."""
        part = self.shop.build(self._possible())
        missing = missing_targets(self.shop, part)
        if missing and not self.shop.is_partial:
            raise lacking_targets(self.shop, missing)
        built = f"{listed(target.platform for target in part.targets)}"
        without = f", without {listed(missing)}" if missing else ""
        return Outcome(
            state.with_step(self.name, part=digest_of(part.encode())), f"{built}{without}"
        )

    def _possible(self) -> list[PlannedTarget]:
        return [row for row in self.shop.rows if row.missing is None]


@dataclass(frozen=True, slots=True)
class ContractStep(_Plain):
    """Runs every binary that runs here through the plugin contract."""

    shop: Workshop
    name: str = "test"
    repeats: bool = False

    def plan(self) -> str:
        """Say what would be run."""
        return "would run every binary that runs here through the plugin contract"

    def run(self, state: ReleaseState) -> Outcome:
        """Raise ``PluginCallError`` with every check that failed."""
        results = self.shop.contract(read_part(self.shop.packaging.out))
        failed = [one for one in results if one.result == "failed"]
        if failed:
            raise PluginCallError(
                f"the plugin for {listed(one.platform for one in failed)} fails the contract run",
                hint="see all checks with `ocm-pkg test`",
                detail=[
                    f"{one.platform}: {check.check}: {check.detail}"
                    for one in failed
                    for check in one.checks
                    if check.result == "failed"
                ],
            )
        told = [f"{one.platform} {_result(one)}" for one in results]
        return Outcome(state.with_step(self.name), "; ".join(told))


@dataclass(frozen=True, slots=True)
class PackageStep:
    """Makes the component version, in the staging CTF."""

    shop: Workshop
    name: str = "package"
    repeats: bool = False

    def plan(self) -> str:
        """Name the component version."""
        return f"would make the component version {self.shop.name}"

    def lacking(self, state: ReleaseState) -> str | None:
        """Compare the component version in the staging CTF with the state."""
        try:
            made = self.shop.staged()
        except OcmPkgError as error:
            return error.message
        if made is None:
            return f"{self.shop.staging.name} has no {self.shop.name}"
        if state.digest is not None and component_digest(made) != state.digest:
            return f"{self.shop.name} in {self.shop.staging.name} has other content"
        return None

    def adopted(self, state: ReleaseState) -> ReleaseState:
        """Return the state with the digest of what is there."""
        made = self.shop.staged()
        digest = state.digest if made is None else component_digest(made)
        return state.with_step(self.name, digest=digest)

    def run(self, state: ReleaseState) -> Outcome:
        """Make it anew; raise ``AlreadyExistsError`` if the destination has other content."""
        shop = self.shop
        clear(shop.staging)
        with shop.scratch() as scratch, shop.moving() as how:
            prepared, published = package(
                shop.packaging,
                repository=shop.staging.open(),
                source=shop.staging.name,
                scratch=scratch,
                policy="replace",
                moving=how,
            )
        # What goes to the destination is compared now: nothing is signed in vain.
        refuse_other_content(shop)
        count = len(prepared.targets)
        what = f"{count} {'binary' if count == 1 else 'binaries'}, {published.digest}"
        return Outcome(state.with_step(self.name, digest=published.digest), what)


@dataclass(frozen=True, slots=True)
class SignStep:
    """Signs the component version, in the staging CTF, and verifies it."""

    shop: Workshop
    name: str = "sign"
    repeats: bool = False

    def plan(self) -> str:
        """Name signature and key."""
        return f"would sign {self.shop.name} as {self._signature!r} with {self._by}"

    @property
    def _signature(self) -> str:
        return self.shop.signing.request.name

    @property
    def _by(self) -> str:
        return f"key {getattr(self.shop.signing.key, 'fingerprint', 'unknown')}"

    def lacking(self, _state: ReleaseState) -> str | None:
        """Check the signature."""
        try:
            made = self.shop.staged()
            if made is None or made.signature(self._signature) is None:
                return f"{self.shop.name} has no signature {self._signature!r} yet"
            self._check(made)
        except OcmPkgError as error:
            return error.message
        return None

    def adopted(self, state: ReleaseState) -> ReleaseState:
        """Return the state with the step."""
        return state.with_step(self.name)

    def _check(self, made: ComponentDescriptor) -> None:
        signing = self.shop.signing
        signing.trust.check(made, names=[self._signature], now=signing.now())

    def run(self, state: ReleaseState) -> Outcome:
        """Sign, unless the very content was signed and published with this key before."""
        shop, signing = self.shop, self.shop.signing
        staging = shop.staging.open()
        descriptor = with_published(shop, staging)
        signed = descriptor.signature(self._signature) is not None
        if not signed:
            descriptor = sign(
                repository=staging,
                descriptor=descriptor,
                key=signing.key,
                now=signing.now(),
                request=signing.request,
            ).descriptor
        with shop.moving() as how:
            verify(
                repository=staging,
                descriptor=descriptor,
                trust=signing.trust,
                now=signing.now(),
                names=[self._signature],
                moving=how,
            )
        done = "signed already" if signed else "signed"
        return Outcome(
            state.with_step(self.name, digest=component_digest(descriptor)),
            f"{done} as {self._signature!r} with {self._by}",
        )


@dataclass(frozen=True, slots=True)
class PublishStep(_Plain):
    """Sends the component version to its destination."""

    shop: Workshop
    name: str = "publish"
    repeats: bool = True

    def plan(self) -> str:
        """Name the destination."""
        return f"would publish {self.shop.repository}//{self.shop.name}"

    def run(self, state: ReleaseState) -> Outcome:
        """Copy it; the same content again is no change."""
        with self.shop.moving() as how:
            (published,) = transfer(
                self.shop.inputs.component,
                self.shop.inputs.version,
                source=self.shop.staging.open(),
                destination=self.shop.destination,
                repository=self.shop.repository,
                moving=how,
            )
        where = f"{self.shop.repository}//{self.shop.name}"
        done = "published" if published.written else "there already, nothing sent:"
        return Outcome(state.with_step(self.name, digest=published.digest), f"{done} {where}")


def _result(one: ContractResult) -> str:
    return f"{one.result} ({one.detail})" if one.detail else one.result
