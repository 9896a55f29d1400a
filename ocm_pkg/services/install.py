"""Install one plugin: verify, select, fetch, check, try, commit.

Nothing runs before the signature and every digest it covers were checked, and the bytes that are
installed are the very bytes that were hashed: there is one download, and none after it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.contract.embedded import check_embedded
from ocm_pkg.errors import DigestMismatchError, OcmPkgError, UntrustedError
from ocm_pkg.fs.atomic import commit_folder, make_folder, staged_folder, storage_errors, write_file
from ocm_pkg.fs.contentstore import keep_content
from ocm_pkg.fs.filestate import record, state_of
from ocm_pkg.fs.installation import (
    PROGRAM,
    RECEIPT,
    Generation,
    Installation,
    checked_name,
    name_for,
)
from ocm_pkg.fs.staging import Bounds, check_program, stage, stage_launcher
from ocm_pkg.fs.watched import Reading, watched
from ocm_pkg.model.digest import Digest, algorithm_of, digest_of
from ocm_pkg.model.identity import show
from ocm_pkg.model.published import NoProgress, component_digest
from ocm_pkg.model.receipt import InstalledResource, Receipt, ReceiptSignature
from ocm_pkg.model.select import select_resource
from ocm_pkg.model.shape import LABEL, shape_of
from ocm_pkg.store.digester import GENERIC_BLOB, is_excluded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    from ocm_pkg.fs.installation import Place
    from ocm_pkg.fs.staging import Staged
    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource
    from ocm_pkg.model.identity import Identity
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.published import Progress
    from ocm_pkg.model.receipt import InstalledFile
    from ocm_pkg.model.shape import ShapeInfo
    from ocm_pkg.ports import FailPoint, Probe, Repository
    from ocm_pkg.signing.trust import Signer, TrustPolicy

MAX_PROGRAM = 4 * 1024**3
LOCK_TIMEOUT = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What to install.

    ``source``: text of the repository, for the receipt. ``name``: installed name (default: the last
    segment of the component). ``resource``, ``identity``: narrow down the resource. Without any
    signature it must be ``allow_unsigned``; one that is there must be good and trusted.
    """

    component: str
    version: str
    source: str
    platform: Platform
    name: str | None = None
    resource: str | None = None
    identity: Identity = field(default_factory=dict)
    allow_unsigned: bool = False
    max_size: int = MAX_PROGRAM


@dataclass(frozen=True, slots=True)
class _Verified:
    """What passed the checks that need no content."""

    order: Order
    name: str
    descriptor: ComponentDescriptor
    digest: Digest
    resource: Resource
    promised: Digest | None
    shape: ShapeInfo
    signature: ReceiptSignature | None

    @property
    def what(self) -> str:
        return f"{self.order.component}:{self.order.version}, resource {self.resource.name!r}"


def install(
    order: Order,
    *,
    repository: Repository,
    trust: TrustPolicy,
    place: Place,
    probe: Probe | None,
    now: datetime,
    descriptor: ComponentDescriptor | None = None,
    progress: Progress | None = None,
    lock_timeout: float = LOCK_TIMEOUT,
    fail_point: FailPoint = lambda _step: None,
) -> Installation:
    """Install a plugin, or return what is there already if it is the same.

    ``descriptor`` is the one that ``repository`` gave for the order, if it was asked already.
    ``probe`` runs the staged program once; None leaves that out, for one of another platform. After
    any error what was installed before is as it was, and nothing new is left. Raises
    ``UntrustedError``, ``SignatureError``, ``DigestMismatchError``, ``WrongBinaryError`` (exit 4);
    ``NoMatchingPlatformError`` and others not found (3); ``AlreadyExistsError`` if something else
    has the name (8); ``LocalStorageError`` (1); a ``PluginError`` of the probe (7).
    """
    verified = _verify(order, descriptor, repository, trust, place, now)
    name = verified.name
    fail_point("install.verified")
    with place.locked(lock_timeout):
        place.tidy()
        place.check_free(name)
        current = place.installed(name)
        before = current.receipt() if current else None
        if current and before and _is_same(verified, before):
            there = Installation(place.plugins / name, before, place.state(current), changed=False)
            if there.state == "ok":
                return there
        place.check_writable()
        hears = progress or NoProgress()
        installer = _Installer(verified, place, before, now, hears, fail_point)
        try:
            with storage_errors(f"installing {name}", place.data):
                receipt = installer.run(repository, probe)
        finally:
            _tidy(place)
        fail_point("install.done")
    return Installation(place.plugins / name, receipt, "ok", changed=True)


def preview(
    order: Order,
    *,
    repository: Repository,
    trust: TrustPolicy,
    place: Place,
    now: datetime,
    descriptor: ComponentDescriptor | None = None,
) -> dict[str, Any]:
    """Verify everything but the content, write nothing; return what ``install`` would report.

    ``verified`` has the checks that were made; errors as in ``install``.
    """
    verified = _verify(order, descriptor, repository, trust, place, now)
    place.check_writable()
    signature = verified.signature
    digest = verified.promised or verified.resource.access.local_reference
    return {
        "name": verified.name,
        "component": order.component,
        "version": order.version,
        "platform": str(order.platform),
        "path": str(place.plugins / verified.name),
        "digest": str(digest),
        "signature": signature and {"name": signature.name, "signer": signature.signer},
        "source": order.source,
        "verified": ["signature"] if signature else [],
    }


def _tidy(place: Place) -> None:
    """Clean up without hiding the outcome: what is left now is removed by the next command."""
    try:
        place.tidy()
    except OcmPkgError as error:
        _log.warning("cleaning up in %s: %s", place.data, error)


def _verify(
    order: Order,
    given: ComponentDescriptor | None,
    repository: Repository,
    trust: TrustPolicy,
    place: Place,
    now: datetime,
) -> _Verified:
    """Check all that needs no content: the name, the signature, the resource and its digest."""
    name = name_for(order.component) if order.name is None else checked_name(order.name)
    place.check_free(name)
    wanted = (order.component, order.version)
    descriptor = given
    if descriptor is None or (descriptor.name, descriptor.version) != wanted:
        descriptor = repository.get(*wanted)
    signers: tuple[Signer, ...] = ()
    if descriptor.signatures or not order.allow_unsigned:
        signers = trust.check(descriptor, now=now)
    resource = select_resource(
        descriptor, platform=order.platform, name=order.resource, identity=order.identity or None
    )
    promised = _promised_digest(resource, order)
    if promised is None and not order.allow_unsigned:
        raise UntrustedError(
            f"{_what(order, resource)} has no digest, so no signature covers its content",
            hint="ask its provider to publish it with digests",
        )
    used = [ReceiptSignature(one.name, one.fingerprint, one.trusted_as) for one in signers[:1]]
    return _Verified(
        order=order,
        name=name,
        descriptor=descriptor,
        digest=component_digest(descriptor),
        resource=resource,
        promised=promised,
        shape=_shape(resource, order, is_signed=bool(signers)),
        signature=used[0] if used else None,
    )


def _what(order: Order, resource: Resource) -> str:
    return f"{order.component}:{order.version}, resource {show(resource.identity)},"


def _promised_digest(resource: Resource, order: Order) -> Digest | None:
    """Return the digest of the content that the descriptor states, if it states one.

    What is said to be excluded from signatures, or to have no content, promises nothing.
    """
    stated = resource.digest
    if stated is None or resource.access.is_none or is_excluded(stated):
        return None
    if stated.normalisation_algorithm != GENERIC_BLOB:
        raise UntrustedError(
            f"{_what(order, resource)} has the digest {stated.normalisation_algorithm[:60]!r}, "
            "which does not cover the bytes of a program",
            hint=f"ask its provider to publish it with {GENERIC_BLOB}",
        )
    return Digest(algorithm_of(stated.hash_algorithm), stated.value)


def _shape(resource: Resource, order: Order, *, is_signed: bool) -> ShapeInfo:
    for label in resource.labels:
        if label.name == LABEL and is_signed and not label.signing:
            raise UntrustedError(
                f"{_what(order, resource)} has a label {LABEL} that its signature does not cover",
                hint="ask its provider to set signing: true on it",
            )
    return shape_of(resource)


def _is_same(verified: _Verified, receipt: Receipt) -> bool:
    return (
        receipt.component == verified.order.component
        and receipt.version == verified.order.version
        and receipt.platform == verified.order.platform
        and receipt.descriptor == verified.digest
        and receipt.signature == verified.signature
        and dict(receipt.resource.identity) == dict(verified.resource.extra_identity)
        and receipt.resource.name == verified.resource.name
    )


class _Installer:
    """The steps that need the lock: content to the store, a generation, the link."""

    def __init__(
        self,
        verified: _Verified,
        place: Place,
        before: Receipt | None,
        now: datetime,
        progress: Progress,
        fail_point: FailPoint,
    ) -> None:
        self._verified = verified
        self._place = place
        self._before = before
        self._now = now
        self._progress = progress
        self._fail_point = fail_point

    def run(self, repository: Repository, probe: Probe | None) -> Receipt:
        """Do all steps; return the receipt."""
        with staged_folder(self._place.data, 0o755) as folder:
            staged, embedded = self._fetch(repository, folder)
            self._fail_point("install.fetched")
            capabilities = self._try(folder / "content", staged, probe)
            check_embedded(embedded, capabilities if probe else None, self._verified.what)
            self._fail_point("install.probed")
            blob_digest = staged.digests["sha256"]
            target = self._place.content(blob_digest)
            stored, files = keep_content(
                folder / "content", target, staged.files, fail_point=self._fail_point
            )
            self._fail_point("install.stored")
            place = [one.path for one in staged.files].index(staged.program)
            program = f"store/{stored.name}/{files[place].path}"
            receipt = self._receipt(program, blob_digest, files, capabilities)
            generation = self._generation(folder, receipt)
            self._fail_point("install.generation")
            self._place.commit(folder, generation, self._verified.name, self._fail_point)
        return receipt

    def _fetch(self, repository: Repository, folder: Path) -> tuple[Staged, bytes]:
        """Write the content to ``folder``/content, hashing every byte on the way.

        A launcher is unpacked there once its own digest was checked; returned with it is the
        answer to ``capabilities`` that it carries, empty for other shapes.
        """
        verified = self._verified
        blob = repository.blob(verified.descriptor, verified.resource)
        promised = verified.promised
        bounds = Bounds(
            what=verified.what,
            algorithms={"sha256", promised.algorithm if promised else "sha256"},
            limit=verified.order.max_size,
            fail_point=self._fail_point,
        )
        is_launcher = verified.shape.shape == "launcher"
        content = folder / ("launcher" if is_launcher else "content")
        moving = self._progress.moving(verified.name, blob.size)
        with storage_errors(f"writing {content}", folder), moving as moved:
            watching = watched(blob, Reading(moved))
            staged = stage(watching, content, verified.name, verified.shape, bounds)
        if promised is not None and (got := staged.digests[promised.algorithm]) != promised:
            raise DigestMismatchError(
                f"{verified.what} is not what was signed: expected {promised}, got {got}",
                hint="the repository was changed; install it from where it was published",
            )
        if not is_launcher:
            return staged, b""
        check_program(content / staged.program, verified.order.platform, verified.what)
        with storage_errors(f"unpacking {verified.what}", folder):
            file = content / staged.program
            opened = stage_launcher(file, folder / "content", staged.digests, bounds)
        return opened.content, opened.capabilities

    def _try(self, content: Path, staged: Staged, probe: Probe | None) -> Mapping[str, Any]:
        """Check the header and run the program once; return its capabilities."""
        program = content / staged.program
        check_program(program, self._verified.order.platform, self._verified.what)
        if probe is None:
            return {}
        capabilities = probe(program).to_json()
        with storage_errors(f"reading {program}", content):
            if state_of(content, staged.files) != "ok" or any(
                record(content, one.path, one.sha256, one.link) != one for one in staged.files
            ):
                raise DigestMismatchError(
                    f"{self._verified.what} changed its own files when it was tried",
                    hint="don't use this plugin",
                )
        return capabilities

    def _receipt(
        self,
        program: str,
        blob_digest: Digest,
        files: tuple[InstalledFile, ...],
        capabilities: Mapping[str, Any],
    ) -> Receipt:
        verified, before = self._verified, self._before
        previous = before.version if before else None
        if before and before.version == verified.order.version:
            previous = before.previous
        resource = verified.resource
        return Receipt(
            name=verified.name,
            component=verified.order.component,
            version=verified.order.version,
            platform=verified.order.platform,
            resource=InstalledResource(
                resource.name, dict(resource.extra_identity), verified.promised or blob_digest
            ),
            descriptor=verified.digest,
            source=verified.order.source,
            signature=verified.signature,
            shape=verified.shape.shape,
            program=program,
            files=files,
            capabilities=capabilities,
            installed=self._now.isoformat().replace("+00:00", "Z"),
            previous=previous,
        )

    def _generation(self, staged: Path, receipt: Receipt) -> Generation:
        data = receipt.encode()
        name = f"{receipt.version}-{digest_of(data).hex[:12]}"
        folder = self._place.generations.resolve() / receipt.name / name
        if folder.exists():
            return Generation(folder)  # Its name has the digest of its receipt: it is the same.
        prepared = staged / "generation"
        with storage_errors(f"writing {folder}", self._place.data):
            prepared.mkdir()
            prepared.chmod(0o755)
            write_file(prepared / RECEIPT, data)
            (prepared / PROGRAM).symlink_to(Path("..", "..", "..", receipt.program))
            make_folder(folder.parent)
            commit_folder(prepared, folder, fail_point=self._fail_point)
        return Generation(folder)
