"""A plugin in another process as a repository: the Protocols of ``ports`` over a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ocm_pkg.contract.capabilities import Capability, Kind
from ocm_pkg.contract.messages import encode_object
from ocm_pkg.errors import (
    AlreadyExistsError,
    ComponentVersionNotFoundError,
    InvalidDocumentError,
    PluginCallError,
    ResourceNotFoundError,
    escaped,
)
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.descriptor import ComponentDescriptor, DigestSpec, Resource
from ocm_pkg.model.document import read_document
from ocm_pkg.model.identity import show
from ocm_pkg.model.reference import ComponentRef
from ocm_pkg.model.version import is_version, sort_versions
from ocm_pkg.plugin.caller import Caller, expected_digest, is_no_endpoint, recorded_digest
from ocm_pkg.plugin.client import CallStatusError
from ocm_pkg.plugin.specs import check_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.model.descriptor import Source
    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.plugin.caller import CredentialSource
    from ocm_pkg.plugin.instance import PluginInstance
    from ocm_pkg.ports import Blob, ElementT

_DESCRIPTOR = "application/vnd.ocm.software.component-descriptor.v2+json"


class RepositoryProviderProxy:
    """Opens repositories of one type through a plugin; implements ``ports.RepositoryProvider``."""

    def __init__(
        self,
        instance: PluginInstance,
        type_name: str,
        *,
        credentials: CredentialSource | None = None,
    ) -> None:
        self._instance = instance
        self._type = type_name
        self._credentials = credentials

    def open(self, spec: RepositorySpec, *, create: bool = False) -> RepositoryProxy:  # noqa: ARG002 - the contract has no such member: it is the plugin's own affair
        """Return the repository; the plugin is started with its first call.

        Raises ``InvalidDocumentError`` if the plugin's schema refuses the spec.
        """
        plain = spec.to_spec()
        names = {plain["type"]} & set(_names(self._instance, self._type))
        # The plugin is sent a name that it declared, whatever spelling the user took.
        plain["type"] = plain["type"] if names else self._type
        check_spec(self._instance.plugin, Kind.COMPONENT_VERSION_REPOSITORY, self._type, plain)
        return RepositoryProxy(self._instance, self._type, plain, credentials=self._credentials)


class RepositoryProxy:
    """A repository that a plugin serves; implements ``ports.Repository``."""

    def __init__(
        self,
        instance: PluginInstance,
        type_name: str,
        spec: Mapping[str, Any],
        *,
        credentials: CredentialSource | None = None,
    ) -> None:
        self._caller = Caller(instance, Kind.COMPONENT_VERSION_REPOSITORY, credentials=credentials)
        self._type = type_name
        self._spec = dict(spec)
        self._identified = credentials is None
        self._credentials: Mapping[str, Any] | None = None

    def get(self, component: str, version: str) -> ComponentDescriptor:
        """Return the descriptor, or raise ``ComponentVersionNotFoundError``.

        The answer must be the component version that was asked for, and valid.
        """
        self._need(Capability.READ_COMPONENT_VERSION_REPOSITORY)
        _check_name(component, version)
        what = f"{component}:{version}"
        try:
            _, response = self._caller.send(
                "get",
                query=self._query(name=component, version=version),
                credentials=self._authorised(),
            )
        except CallStatusError as error:
            if error.status != 404 or is_no_endpoint(error):
                raise
            raise ComponentVersionNotFoundError(
                f"{what} is not in {self._shown}",
                hint="list the versions: ocm-pkg get cv REPOSITORY//COMPONENT",
                detail=(error.message,),
            ) from error
        try:
            descriptor = ComponentDescriptor.parse(
                response.body, _DESCRIPTOR, name=f"{what} from plugin {self._caller.plugin}"
            )
        except InvalidDocumentError as error:
            raise self._caller.refused(f"its descriptor is not valid: {error.message}") from error
        if (descriptor.name, descriptor.version) != (component, version):
            raise self._caller.refused(
                f"it was asked for {what}, and answered with "
                f"{escaped(f'{descriptor.name}:{descriptor.version}', 300)}"
            )
        return descriptor

    def versions(self, component: str) -> list[str]:
        """Return the versions of ``component``, newest first; empty if there are none."""
        self._need(Capability.READ_COMPONENT_VERSION_REPOSITORY)
        _check_name(component)
        try:
            found = self._caller.call(
                "versions", query=self._query(name=component), credentials=self._authorised()
            )
        except CallStatusError as error:
            if error.status != 404 or is_no_endpoint(error):
                raise
            return []
        wrong = [text for text in found if not is_version(text)]
        if wrong:
            raise self._caller.refused(f"{escaped(wrong[0], 100)!r} is not a version")
        return sort_versions(found)

    def blob(self, descriptor: ComponentDescriptor, element: Resource | Source) -> Blob:
        """Return the content of a resource or source, verified by the digest it has there."""
        self._need(Capability.READ_COMPONENT_VERSION_REPOSITORY)
        _check_belongs(descriptor, element)
        kind = _kind_of(element)
        identity = {"version": element.version, **element.identity}
        answer = self._caller.call(
            f"local_{kind}",
            query=self._query(
                identity=encode_object(identity),
                name=descriptor.name,
                version=descriptor.version,
            ),
            credentials=self._authorised(),
        )
        return self._caller.received(
            answer["location"],
            media_type=element.access.media_type,
            digest=expected_digest(element),
        )

    def put_blob(self, component: str, version: str, element: ElementT, blob: Blob) -> ElementT:
        """Store content ahead of its component version; return the element with its access."""
        self._need(Capability.WRITE_COMPONENT_VERSION_REPOSITORY)
        _check_name(component, version)
        kind = _kind_of(element)
        with self._caller.handed_over(blob, recorded_digest(element)) as location:
            answer = self._caller.call(
                f"put_local_{kind}",
                body={
                    "repository": self._spec,
                    "name": component,
                    "version": version,
                    f"{kind}Location": location,
                    kind: element.to_json(),
                },
                credentials=self._authorised(),
            )
        return self._with_access(element, answer)

    def add(self, descriptor: ComponentDescriptor, *, replace: bool = False) -> None:
        """Commit a component version.

        The contract has no word for ``replace``: unless it is set, the version is looked up
        first, and ``AlreadyExistsError`` raised if it is there with another descriptor.
        """
        self._need(Capability.WRITE_COMPONENT_VERSION_REPOSITORY)
        if not replace and self._is_there(descriptor):
            return
        try:
            self._caller.call(
                "add",
                body={"repository": self._spec, "descriptor": descriptor.to_json()},
                credentials=self._authorised(),
            )
        except CallStatusError as error:
            if error.status != 409:
                raise
            raise AlreadyExistsError(
                f"{descriptor.name}:{descriptor.version} exists in {self._shown}: {error.text}",
                hint="publish under a new version",
            ) from error

    @property
    def _shown(self) -> str:
        return f"the {escaped(self._type, 100)} repository of plugin {self._caller.plugin}"

    def _query(self, **parameters: str) -> dict[str, str]:
        # The reads of the v2 contract do not say which repository is meant; ours do.
        return {**parameters, "repository": encode_object(self._spec)}

    def _authorised(self) -> Mapping[str, Any] | None:
        if not self._identified:
            self._credentials = self._caller.credentials_for(self._spec)
            self._identified = True
        return self._credentials

    def _need(self, capability: Capability) -> None:
        if not self._may(capability):
            able = "write" if "write" in capability else "read"
            raise PluginCallError(
                f"plugin {self._caller.plugin} cannot {able} repositories of type "
                f"{escaped(self._type, 100)}: it has no {capability}",
                hint="see what it can do: ocm-pkg plugin capabilities NAME",
            )

    def _may(self, capability: Capability) -> bool:
        return self._caller.instance.plugin.capabilities.allows(capability, self._type)

    def _is_there(self, descriptor: ComponentDescriptor) -> bool:
        """Whether this very descriptor is stored; another of its version is an error.

        Plugins of the Go SDK answer 500 for what is missing, so an error says nothing here.
        """
        if not self._may(Capability.READ_COMPONENT_VERSION_REPOSITORY):
            return False
        try:
            if descriptor.version not in self.versions(descriptor.name):
                return False
            stored = self.get(descriptor.name, descriptor.version)
        except (CallStatusError, ComponentVersionNotFoundError):
            return False
        if stored == descriptor:
            return True
        raise AlreadyExistsError(
            f"{descriptor.name}:{descriptor.version} exists in {self._shown} with other content",
            hint="publish under a new version, or replace it",
        )

    def _with_access(self, element: ElementT, answer: Mapping[str, Any]) -> ElementT:
        """Return ``element`` with the access, and the digest, that the plugin gave it.

        All else stays as it was: plugins are known to drop members that they don't know.
        """
        if answer.get("name") != element.name:
            raise self._caller.refused(f"it answered with another element than {element.name!r}")
        update: dict[str, Any] = {
            "access": read_document(
                AccessSpec, answer.get("access"), what="the access of its answer"
            )
        }
        if _kind_of(element) == "resource" and answer.get("digest") and not _digest_of(element):
            update["digest"] = read_document(
                DigestSpec, answer["digest"], what="the digest of its answer"
            )
        return element.model_copy(update=update)


def _check_name(component: str, version: str | None = None) -> None:
    """Raise ``InvalidReferenceError`` for what is no name or version: no plugin is sent it."""
    ComponentRef(None, component, version)


def _check_belongs(descriptor: ComponentDescriptor, element: Resource | Source) -> None:
    """Raise if ``element`` is of another component version: its content could be another too."""
    elements: tuple[Resource | Source, ...] = (
        *descriptor.component.resources,
        *descriptor.component.sources,
    )
    if not any(
        one.identity == element.identity and one.access == element.access for one in elements
    ):
        raise ResourceNotFoundError(
            f"{descriptor.name}:{descriptor.version} has no element "
            f"{show(element.identity)} with that access",
            hint="take the element from the descriptor itself",
        )


def _kind_of(element: object) -> str:
    return "resource" if isinstance(element, Resource) else "source"


def _digest_of(element: object) -> DigestSpec | None:
    return element.digest if isinstance(element, Resource) else None


def _names(instance: PluginInstance, type_name: str) -> tuple[str, ...]:
    entry = instance.plugin.capabilities.find(Kind.COMPONENT_VERSION_REPOSITORY, type_name)
    return entry.names if entry else (type_name,)
