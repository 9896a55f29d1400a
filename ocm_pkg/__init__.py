"""Build, sign, distribute, install and run plugins of the Open Component Model.

What this package gives is imported when it is first used, so ``from ocm_pkg.sdk import serve``
loads nothing but the sdk.
"""

TYPE_CHECKING = False
"""True for type checkers alone: importing ``typing`` would take longer than `--version` does."""

if TYPE_CHECKING:
    from ocm_pkg import errors
    from ocm_pkg.contract.capabilities import Capability
    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.identity import Identity
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.reference import ComponentRef, RepositorySpec
    from ocm_pkg.plugin.manager import PluginManager
    from ocm_pkg.plugin.registry import ImplementedPlugin
    from ocm_pkg.ports import Blob, Repository
    from ocm_pkg.services.build import build
    from ocm_pkg.services.construct import construct
    from ocm_pkg.services.install import install
    from ocm_pkg.services.publish import publish
    from ocm_pkg.services.sign import sign
    from ocm_pkg.services.transfer import transfer
    from ocm_pkg.services.verify import verify
    from ocm_pkg.signing.trust import TrustPolicy
    from ocm_pkg.store.provider import open_repository

__version__ = "0.1.0"

_WHERE = {
    "Blob": "ports",
    "Capability": "contract.capabilities",
    "ComponentDescriptor": "model.descriptor",
    "ComponentRef": "model.reference",
    "Digest": "model.digest",
    "Identity": "model.identity",
    "ImplementedPlugin": "plugin.registry",
    "Platform": "model.platform",
    "PluginManager": "plugin.manager",
    "Repository": "ports",
    "RepositorySpec": "model.reference",
    "Resource": "model.descriptor",
    "TrustPolicy": "signing.trust",
    "build": "services.build",
    "construct": "services.construct",
    "install": "services.install",
    "open_repository": "store.provider",
    "publish": "services.publish",
    "sign": "services.sign",
    "transfer": "services.transfer",
    "verify": "services.verify",
}

__all__ = [
    "Blob",
    "Capability",
    "ComponentDescriptor",
    "ComponentRef",
    "Digest",
    "Identity",
    "ImplementedPlugin",
    "Platform",
    "PluginManager",
    "Repository",
    "RepositorySpec",
    "Resource",
    "TrustPolicy",
    "__version__",
    "build",
    "construct",
    "errors",
    "install",
    "open_repository",
    "publish",
    "sign",
    "transfer",
    "verify",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "errors":
        return import_module("ocm_pkg.errors")
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"ocm_pkg.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return __all__
