"""Build, sign, distribute, install and run plugins of the Open Component Model.

What this package gives is imported when it is first used, so ``from ocm_pkg.sdk import serve``
loads nothing but the sdk. Type checkers read ``__init__.pyi``.
"""

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
