"""Write a plugin of the Open Component Model in Python.

    from ocm_pkg.sdk import Content, NotFound, Plugin, serve

    plugin = Plugin("example.com/plugins/hello")


    @plugin.component_version_repository("HelloRepository/v1", aliases=["HelloRepository"])
    class Hello:
        def __init__(self, spec, credentials):
            self.file = spec.get("file", "/etc/hostname")

        def versions(self, name):
            return ["1.0.0"]

        def get(self, name, version):
            if version not in self.versions(name):
                raise NotFound(f"{name} has no version {version}")
            component = {"name": name, "version": version, "provider": "example.com"}
            return {"meta": {"schemaVersion": "v2"}, "component": component}

        def local_resource(self, name, version, identity):
            access = {"type": "localBlob/v1", "mediaType": "text/plain"}
            return Content(self.file, {**identity, "type": "text", "access": access})


    if __name__ == "__main__":
        raise SystemExit(serve(plugin))

The program answers both contracts: ``capabilities``, ``server --config JSON`` (ADR 0001) and
``--config JSON`` (the v2 library). A class with ``add`` can be written to as well; see
``WritableRepository``. ``Plugin`` has the other kinds that can be served: content behind accesses,
digests, lists of components, credentials. ``raise NotFound``, ``Unauthorized``, ``Conflict`` or
``Invalid`` (or any ``ValueError``) to answer a call with 404, 401, 409 or 400; any other exception
is a 500, with its message to the caller and its traceback to the log.
"""

from __future__ import annotations

from ocm_pkg.errors import AuthenticationError as Unauthorized
from ocm_pkg.errors import ConflictError as Conflict
from ocm_pkg.errors import NotFoundError as NotFound
from ocm_pkg.errors import UsageError as Invalid
from ocm_pkg.sdk.main import serve
from ocm_pkg.sdk.plugin import (
    ComponentLister,
    Content,
    CredentialRepository,
    Credentials,
    Descriptor,
    DigestProcessor,
    Element,
    Plugin,
    ReadableRepository,
    ReadableResources,
    Spec,
    WritableRepository,
    WritableResources,
)

__all__ = [
    "ComponentLister",
    "Conflict",
    "Content",
    "CredentialRepository",
    "Credentials",
    "Descriptor",
    "DigestProcessor",
    "Element",
    "Invalid",
    "NotFound",
    "Plugin",
    "ReadableRepository",
    "ReadableResources",
    "Spec",
    "Unauthorized",
    "WritableRepository",
    "WritableResources",
    "serve",
]
