"""What the rooms expect of each other: Protocols, and the values they pass.

A repository stores a component version in two steps, as the plugin contract does: ``put_blob``
stores content, ``add`` commits the descriptor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import (
    TYPE_CHECKING,
    Any,
    BinaryIO,
    Protocol,
    TypeAlias,
    TypeVar,
    runtime_checkable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ocm_pkg.contract.capabilities import Capabilities
    from ocm_pkg.model.descriptor import (
        ComponentDescriptor,
        DigestSpec,
        Resource,
        Signature,
        SignatureSpec,
        Source,
    )
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.documents import DocumentKind
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import PluginProject, Target
    from ocm_pkg.model.reference import RepositorySpec

ElementT = TypeVar("ElementT", "Resource", "Source")
Spec: TypeAlias = "Mapping[str, Any]"
"""A typed object of the OCM configuration or of a plugin: ``{"type": ..., ...}``."""

FailPoint: TypeAlias = Callable[[str], None]
"""Called with a step's name before the step; the fault tests stop the process there."""

Probe: TypeAlias = "Callable[[Path], Capabilities]"
"""Runs a staged, already verified binary once and returns what it says it can do."""

Startup: TypeAlias = "Callable[[BuiltBinary, Path], float | None]"
"""Returns the milliseconds that a binary takes to say its capabilities, None if it can't run here.

The path is an empty folder for what has to be unpacked.
"""


class Blob(Protocol):
    """Content that can be read as often as needed; never held in memory whole."""

    @property
    def media_type(self) -> str | None:
        """The media type, if it is known."""

    @property
    def size(self) -> int | None:
        """The size in bytes, if it is known."""

    @property
    def digest(self) -> Digest | None:
        """The digest, if it is known before reading."""

    def open(self, offset: int = 0) -> BinaryIO:
        """Return a new stream from ``offset``.

        If digest and size are known and ``offset`` is 0, the stream ends at ``size`` and raises
        ``DigestMismatchError`` at its end if the content differs: act only on what was read to
        the end.
        """


class Repository(Protocol):
    """Component versions and the content stored with them."""

    def put_blob(self, component: str, version: str, element: ElementT, blob: Blob) -> ElementT:
        """Store content ahead of its component version; return the element with its access."""

    def add(self, descriptor: ComponentDescriptor, *, replace: bool = False) -> None:
        """Commit: the component version becomes visible at once and complete, or not at all.

        Raises ``AlreadyExistsError`` if the version is there with another descriptor, unless
        ``replace``. The same descriptor again changes nothing.
        """

    def get(self, component: str, version: str) -> ComponentDescriptor:
        """Return the descriptor, or raise ``ComponentVersionNotFoundError``."""

    def versions(self, component: str) -> Sequence[str]:
        """Return the versions of ``component``, newest first; empty if there are none."""

    def blob(self, descriptor: ComponentDescriptor, element: Resource | Source) -> Blob:
        """Return the content of a resource or source whose access is in this repository."""


class Batches(Protocol):
    """A repository that can make several component versions visible at once."""

    def batch(self) -> AbstractContextManager[None]:
        """Hold back what is added in the block: all of it is committed at its end, or nothing.

        An error in the block, or of the commit, leaves the repository as it was. What was added
        is seen by its adder at once. A batch in a batch is a part of the outer one.
        """


class RepositoryProvider(Protocol):
    """Opens repositories of the types it knows."""

    def open(self, spec: RepositorySpec, *, create: bool = False) -> Repository:
        """Return the repository; with ``create`` a missing one is made when first written to."""


class ComponentLister(Protocol):
    """Lists what a repository holds."""

    def components(self) -> Sequence[str]:
        """Return the names of all components, sorted."""


class ResourceRepository(Protocol):
    """Content reached by an access that is not a component version's own."""

    def fetch(self, resource: Resource) -> Blob:
        """Return the content of ``resource``."""

    def store(self, resource: Resource, blob: Blob) -> Resource:
        """Store content; return the resource with the access to it."""


class DigestProcessor(Protocol):
    """Completes the digest of a resource from its content."""

    def process(self, resource: Resource) -> Resource:
        """Return the resource with its digest, and its access pinned to it."""


class InputMethod(Protocol):
    """Turns a constructor's input into content."""

    def process(self, element: Mapping[str, Any]) -> tuple[Mapping[str, Any], Blob | None]:
        """Return the element without ``input`` as far as it is known, and its content."""


class BlobTransformer(Protocol):
    """Turns content into other content."""

    def transform(self, blob: Blob, specification: Spec) -> Blob:
        """Return the transformed content."""


class SignatureHandler(Protocol):
    """One signing algorithm."""

    def sign(self, digest: DigestSpec, config: Spec) -> SignatureSpec:
        """Return a signature of the digest."""

    def verify(self, signature: Signature, config: Spec) -> None:
        """Return if the signature is good, or raise ``SignatureError``."""


class CredentialRepository(Protocol):
    """Credentials for consumers, from a configured store."""

    def resolve(self, config: Spec, identity: Mapping[str, str]) -> Mapping[str, Any] | None:
        """Return the credential object for a consumer identity, or nothing."""


@dataclass(frozen=True, slots=True)
class BuildJob:
    """One target to build: where the sources are, and where the result goes.

    ``folder`` is the project's folder, ``output`` the file to leave, ``work`` an empty private
    folder for anything else, ``log`` the file that gets the tool's output. ``version`` is that of
    the component version that the result is for.
    """

    project: PluginProject
    target: Target
    folder: Path
    output: Path
    work: Path
    log: Path
    version: str = ""


@dataclass(frozen=True, slots=True)
class BuiltDocument:
    """A document that a builder left in its work folder: one kind of ``model.documents.BUILT``."""

    kind: DocumentKind
    path: Path


@dataclass(frozen=True, slots=True)
class BuiltBinary:
    """What a builder made: the file, and what is known of it.

    ``program`` is the path of the program in an archive of shape ``dir``. ``glibc`` is the lowest
    version of glibc that it runs on, and ``glibc_file`` what needs that; None if it needs none.
    ``documents`` are of different kinds.
    """

    path: Path
    platform: Platform
    shape: str
    tools: Mapping[str, str] = field(default_factory=dict)
    glibc: str | None = None
    program: str | None = None
    glibc_file: str | None = None
    documents: tuple[BuiltDocument, ...] = ()


class Builder(Protocol):
    """Makes the binary of one target."""

    def missing(self, target: Target, host: Platform) -> str | None:
        """Return why this machine can't build ``target``, in one line; None if it can."""

    def build(self, job: BuildJob) -> BuiltBinary:
        """Build ``job.output``, or raise a ``BuildError`` with the last lines of the log."""


@runtime_checkable
class Fingerprint(Protocol):
    """A builder that knows, before it builds, all that the result depends on."""

    def inputs(self, job: BuildJob) -> Mapping[str, str] | None:
        """Return each input, by a name for people, with text that differs whenever it does.

        Nothing is built or fetched. None if something can't be known: the target is then always
        built. The project file, the target's settings and ``require`` need not be among them.
        Names that begin with ``/`` are of the machine; any other is a source of the project, and a
        build during which it changes fails.
        """
