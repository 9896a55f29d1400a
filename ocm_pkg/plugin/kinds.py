"""The other kinds of plugin: one small class each, with the Protocol of ``ports`` it implements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ocm_pkg._typing import override
from ocm_pkg.contract.capabilities import Capability, Kind
from ocm_pkg.errors import PluginCallError, PluginProtocolError, SignatureError
from ocm_pkg.model.descriptor import Resource, SignatureSpec
from ocm_pkg.model.document import read_document
from ocm_pkg.plugin.caller import Caller, expected_digest, is_no_endpoint
from ocm_pkg.plugin.client import CallStatusError
from ocm_pkg.plugin.proxies import RepositoryProviderProxy
from ocm_pkg.plugin.specs import check_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ocm_pkg.model.descriptor import DigestSpec, Signature
    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.plugin.caller import CredentialSource
    from ocm_pkg.plugin.instance import PluginInstance
    from ocm_pkg.ports import Blob, ComponentLister, Spec

_MOST_PAGES = 10_000


class _Proxy:
    """What all kinds share: a caller, and the type that the plugin was looked up for."""

    kind: Kind

    def __init__(
        self,
        instance: PluginInstance,
        type_name: str,
        *,
        credentials: CredentialSource | None = None,
    ) -> None:
        self._caller = Caller(instance, self.kind, credentials=credentials)
        self._type = type_name

    def _check(self, spec: Spec) -> None:
        check_spec(self._caller.instance.plugin, self.kind, self._type, spec)


class ListerProviderProxy(_Proxy):
    """Opens ``ports.ComponentLister`` for repositories of one type."""

    kind = Kind.COMPONENT_LISTER

    def open(self, spec: RepositorySpec) -> ComponentLister:
        """Return the lister of one repository."""
        plain = spec.to_spec()
        self._check(plain)
        return _Lister(self._caller, plain)


class _Lister:
    def __init__(self, caller: Caller, spec: Spec) -> None:
        self._caller = caller
        self._spec = spec

    def components(self) -> list[str]:
        """Return the names of all components, sorted, from as many pages as there are."""
        credentials = self._caller.credentials_for(self._spec)
        found: set[str] = set()
        last = ""
        for _ in range(_MOST_PAGES):
            body = {"repository": self._spec, "last": last}
            answer = self._caller.call("list", body=body, credentials=credentials)
            found.update(answer["list"])
            header = answer.get("header")
            following = header.get("last") if isinstance(header, dict) else None
            if not following:
                return sorted(found)
            if following == last or not isinstance(following, str):
                raise self._caller.refused("its list of components does not go on")
            last = following
        raise self._caller.refused(f"its list of components has more than {_MOST_PAGES} pages")


class ResourceRepositoryProxy(_Proxy):
    """Implements ``ports.ResourceRepository``."""

    kind = Kind.RESOURCE_REPOSITORY

    def fetch(self, resource: Resource) -> Blob:
        """Return the content of ``resource``, verified by its digest if that is of the content."""
        self._need(Capability.READ_RESOURCE_REPOSITORY)
        access = resource.access.to_json()
        self._check(access)
        answer = self._caller.call(
            "get",
            body={"resource": resource.to_json()},
            credentials=self._caller.credentials_for(access),
        )
        return self._caller.received(
            answer["location"],
            media_type=resource.access.media_type,
            digest=expected_digest(resource),
        )

    def store(self, resource: Resource, blob: Blob) -> Resource:
        """Store content; return the resource with the access to it."""
        self._need(Capability.WRITE_RESOURCE_REPOSITORY)
        access = resource.access.to_json()
        self._check(access)
        credentials = self._caller.credentials_for(access)
        with self._caller.handed_over(blob) as location:
            answer = self._caller.call(
                "add",
                body={"resourceLocation": location, "resource": resource.to_json()},
                credentials=credentials,
            )
        return read_document(Resource, answer["resource"], what="the resource of its answer")

    def _need(self, capability: Capability) -> None:
        plugin = self._caller.instance.plugin
        if not plugin.capabilities.allows(capability, self._type):
            raise PluginCallError(
                f"plugin {plugin.label} has no {capability} for the type {self._type}",
                hint="see what it can do: ocm-pkg plugin capabilities NAME",
            )


class DigestProcessorProxy(_Proxy):
    """Implements ``ports.DigestProcessor``."""

    kind = Kind.DIGEST_PROCESSOR_REPOSITORY

    def process(self, resource: Resource) -> Resource:
        """Return the resource with its digest, and its access pinned to it."""
        access = resource.access.to_json()
        self._check(access)
        answer = self._caller.call(
            "process",
            body={"resource": resource.to_json()},
            credentials=self._caller.credentials_for(access),
        )
        done = read_document(Resource, answer["resource"], what="the resource of its answer")
        if done.digest is None:
            raise self._caller.refused("its answer has no digest")
        return done


class InputMethodProxy(_Proxy):
    """Implements ``ports.InputMethod``."""

    kind = Kind.INPUT_REPOSITORY

    def process(
        self, element: Mapping[str, Any], *, source: bool = False
    ) -> tuple[Mapping[str, Any], Blob | None]:
        """Return the element as the plugin completes it, and its content; see ``ports``."""
        spec = element.get("input") or {}
        self._check(spec)
        name = "source" if source else "resource"
        answer = self._caller.call(
            f"process_{name}",
            body={name: element},
            credentials=self._caller.credentials_for(spec),
        )
        location = answer.get("location")
        blob = self._caller.received(location) if location else None
        if blob is None and not answer.get(name):
            raise self._caller.refused("its answer has neither an element nor content")
        return answer.get(name) or element, blob


class BlobTransformerProxy(_Proxy):
    """Implements ``ports.BlobTransformer``."""

    kind = Kind.BLOB_TRANSFORMER

    def transform(self, blob: Blob, specification: Spec) -> Blob:
        """Return the transformed content."""
        self._check(specification)
        credentials = self._caller.credentials_for(specification)
        with self._caller.handed_over(blob) as location:
            answer = self._caller.call(
                "transform",
                body={"location": location, "specification": specification},
                credentials=credentials,
            )
        return self._caller.received(answer["location"])


class SignatureHandlerProxy(_Proxy):
    """Implements ``ports.SignatureHandler``."""

    kind = Kind.SIGNING_HANDLER

    def sign(self, digest: DigestSpec, config: Spec, *, name: str = "") -> SignatureSpec:
        """Return a signature of the digest; ``name`` is the name it will have."""
        self._check(config)
        body = {"digest": digest.to_json(), "config": config}
        credentials = self._caller.credentials_for(config, "sign_identity", {**body, "name": name})
        answer = self._caller.call("sign", body=body, credentials=credentials)
        return read_document(
            SignatureSpec, answer["signature"], what=f"the signature of {self._caller.plugin}"
        )

    def verify(self, signature: Signature, config: Spec) -> None:
        """Return if the signature is good, or raise ``SignatureError``."""
        self._check(config)
        body = {"signature": signature.to_json(), "config": config}
        credentials = self._caller.credentials_for(config, "verify_identity", body)
        try:
            self._caller.call("verify", body=body, credentials=credentials)
        except CallStatusError as error:
            raise SignatureError(
                f"signature {signature.name!r} does not verify: {error.message}",
                hint="the content or the signature was changed, or the key is another",
                detail=error.detail,
            ) from error


class CredentialRepositoryProxy(_Proxy):
    """Implements ``ports.CredentialRepository``."""

    kind = Kind.CREDENTIAL_REPOSITORY

    def resolve(self, config: Spec, identity: Mapping[str, str]) -> Mapping[str, Any] | None:
        """Return the credential object for a consumer identity, or nothing."""
        credentials = self._caller.credentials_for(config, "consumer_identity", {"config": config})
        return self._resolve({"config": config, "identity": identity}, credentials)

    def _resolve(
        self, body: Mapping[str, Any], credentials: Mapping[str, Any] | None
    ) -> Mapping[str, Any] | None:
        try:
            answer = self._caller.call("resolve", body=body, credentials=credentials)
        except CallStatusError as error:
            if error.status != 404 or is_no_endpoint(error):
                raise
            return None
        return answer or None


class CredentialPluginProxy(CredentialRepositoryProxy):
    """Implements ``ports.CredentialRepository`` for a plugin that needs no configuration."""

    kind = Kind.CREDENTIAL_PLUGIN

    @override
    def resolve(self, config: Spec, identity: Mapping[str, str]) -> Mapping[str, Any] | None:
        """Return the credential object for a consumer identity, or nothing.

        ``config`` is the credential to start from; it is only asked for an identity.
        """
        credentials = self._caller.credentials_for(
            config, "consumer_identity", {"credential": config}
        )
        return self._resolve({"identity": identity}, credentials)


_PROXIES: Mapping[Kind, Callable[..., object]] = {
    Kind.COMPONENT_VERSION_REPOSITORY: RepositoryProviderProxy,
    **{
        proxy.kind: proxy
        for proxy in (
            ListerProviderProxy,
            ResourceRepositoryProxy,
            DigestProcessorProxy,
            InputMethodProxy,
            BlobTransformerProxy,
            SignatureHandlerProxy,
            CredentialRepositoryProxy,
            CredentialPluginProxy,
        )
    },
}


def proxy_for(
    asked: Capability | Kind,
    instance: PluginInstance,
    type_name: str,
    *,
    credentials: CredentialSource | None = None,
) -> object:
    """Return the object that stands for a plugin's capability of a type.

    It has the same Protocol as one that runs in this process. The plugin is not started yet.
    """
    kind = asked if isinstance(asked, Kind) else asked.kind
    if kind is None:
        raise PluginProtocolError(f"the capability {asked} has no endpoints in the contract")
    return _PROXIES[kind](instance, type_name, credentials=credentials)
