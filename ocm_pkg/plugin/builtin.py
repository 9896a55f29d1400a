"""The plugins that come with this program and run in its process.

The OCI plugin can be left out of a frozen program (``build_scripts/freeze.py --without oci``): then
``has_registries`` is false, and a program in the plugin folder does its work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ocm_pkg.contract.capabilities import Capability, Kind
from ocm_pkg.errors import UsageError
from ocm_pkg.plugin.registry import ImplementedPlugin
from ocm_pkg.store import has_registries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ocm_pkg.model.descriptor import Resource
    from ocm_pkg.model.identity import Identity
    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.ports import Blob, ComponentLister, CredentialRepository, Repository, Spec
    from ocm_pkg.store.images import Images
    from ocm_pkg.store.registries import Registries
    from ocm_pkg.store.repository import ComponentRepository

CTF_ID = "ocm.software/ctf-plugin/v1"
OCI_ID = "ocm.software/oci-plugin/v1"

_RESOURCES = (Capability.READ_RESOURCE_REPOSITORY, Capability.WRITE_RESOURCE_REPOSITORY)
_ACCESS_ALIASES = ("OCIArtifact", "ociImage", "OCIImage", "ociBlob", "OCIImageLayer")
_CONSUMER = "OCIRegistry"


def builtin_plugins(
    folder: Path,
    *,
    registries: Callable[[], Registries] | None = None,
    credentials: Callable[[], CredentialRepository] | None = None,
) -> tuple[ImplementedPlugin, ...]:
    """Return the built-in plugins; relative paths of archives are relative to ``folder``.

    ``registries`` opens OCI registries; without it, or in a program without the OCI client, there
    is no OCI plugin. ``credentials`` reads Docker's configuration. Both are called when first
    needed.
    """
    ctf = ImplementedPlugin(
        id=CTF_ID,
        type="ctf",
        capabilities=(Capability.READ_WRITE_COMPONENT_VERSION_REPOSITORY,),
        base=_CTFProvider(folder),
    )
    if registries is None or not has_registries():
        return (ctf,)
    return (ctf, *_oci_plugins(OCIPlugin(registries, credentials), registries))


def _oci_plugins(
    plugin: OCIPlugin, registries: Callable[[], Registries]
) -> tuple[ImplementedPlugin, ...]:
    repository = ImplementedPlugin(
        id=OCI_ID,
        type="oci",
        capabilities=(
            Capability.READ_COMPONENT_VERSION_REPOSITORY,
            Capability.WRITE_COMPONENT_VERSION_REPOSITORY,
            *_RESOURCES,
        ),
        base=plugin,
    )
    lister = ImplementedPlugin(
        id=OCI_ID, type="oci", capabilities=(Kind.COMPONENT_LISTER,), base=_OCIListers(registries)
    )
    resources = ImplementedPlugin(
        id=OCI_ID,
        type="ociArtifact",
        capabilities=(*_RESOURCES, Kind.DIGEST_PROCESSOR_REPOSITORY),
        base=plugin,
        aliases=_ACCESS_ALIASES,
    )
    secrets = ImplementedPlugin(
        id=OCI_ID,
        type=_CONSUMER,
        capabilities=(Capability.CREDENTIAL_REPOSITORY_PLUGIN,),
        base=plugin,
    )
    return (repository, lister, resources, secrets)


class _CTFProvider:
    """Implements ``ports.RepositoryProvider``; the store is imported with the first archive."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, spec: RepositorySpec, *, create: bool = False) -> Repository:
        """Return the repository; with ``create`` a missing one is made when first written to."""
        from ocm_pkg.store.provider import BuiltinProvider

        return BuiltinProvider(self._folder).open(spec, create=create)


class OCIPlugin:
    """Component versions, artifacts and credentials of OCI registries.

    Implements ``RepositoryProvider``, ``ResourceRepository``, ``DigestProcessor`` and
    ``CredentialRepository`` of ``ports``; what it needs is imported with the first call.
    """

    def __init__(
        self,
        registries: Callable[[], Registries],
        credentials: Callable[[], CredentialRepository] | None = None,
    ) -> None:
        self._registries = registries
        self._credentials = credentials

    def open(self, spec: RepositorySpec, *, create: bool = False) -> ComponentRepository:  # noqa: ARG002 - a registry makes repositories itself
        """Return the repository; no connection is made yet."""
        from ocm_pkg.store.repository import ComponentRepository

        return ComponentRepository(self._registries().repository_store(spec))

    def fetch(self, resource: Resource) -> Blob:
        """Return the content of ``resource``, verified as it is read."""
        return self._images().fetch(resource)

    def store(self, resource: Resource, blob: Blob) -> Resource:
        """Store content where the access says; return the resource with the access to it."""
        return self._images().store(resource, blob)

    def process(self, resource: Resource) -> Resource:
        """Return the resource with its digest, and its access pinned to it."""
        from ocm_pkg.store.pinned import pinned

        return pinned(resource, self._images().digest(resource))

    def resolve(self, config: Spec, identity: Identity) -> Mapping[str, Any] | None:
        """Return the credential object for a registry from a ``DockerConfig/v1``, or nothing."""
        return None if self._credentials is None else self._credentials().resolve(config, identity)

    def _images(self) -> Images:
        from ocm_pkg.store.images import Images

        return Images(self._registries().store_of)


class _OCIListers:
    """Opens ``ports.ComponentLister`` for registries."""

    def __init__(self, registries: Callable[[], Registries]) -> None:
        self._registries = registries

    def open(self, spec: RepositorySpec) -> ComponentLister:
        """Return the lister of one repository."""
        from ocm_pkg.store.repository import StoredComponents

        store: Any = self._registries().repository_store(spec)
        if not hasattr(store, "repositories"):
            raise UsageError(
                f"{spec} can't list its components", hint="write REPOSITORY//COMPONENT[:VERSION]"
            )
        return StoredComponents(store)
