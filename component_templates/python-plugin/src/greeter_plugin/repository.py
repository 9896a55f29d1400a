"""A repository with one component version, made from its own specification."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from ocm_pkg.sdk import Content, NotFound

VERSION = "1.0.0"


@cache
def folder() -> Path:
    """Return the folder for content; it is removed when the plugin ends."""
    path = tempfile.mkdtemp(prefix="greeter-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


class Greeter:
    """Answers for a specification like `{"type": "GreeterRepository/v1", "greeting": "Hello"}`."""

    def __init__(self, spec: dict[str, Any], credentials: dict[str, Any] | None = None) -> None:
        self.credentials = credentials
        self.content = f"{spec.get('greeting', 'Hello')}\n".encode()

    def versions(self, name: str) -> list[str]:
        """Return the versions of a component."""
        return [VERSION]

    def get(self, name: str, version: str) -> dict[str, Any]:
        """Return the component descriptor."""
        if version != VERSION:
            raise NotFound(f"{name} has no version {version}", hint=f"there is {VERSION}")
        return {
            "meta": {"schemaVersion": "v2"},
            "component": {
                "name": name,
                "version": version,
                "provider": "example.com",
                "repositoryContexts": [],
                "resources": [self.resource()],
                "sources": [],
                "componentReferences": [],
            },
        }

    def resource(self) -> dict[str, Any]:
        """Return the greeting's entry in the descriptor."""
        digest = hashlib.sha256(self.content).hexdigest()
        return {
            "name": "greeting",
            "version": VERSION,
            "type": "plainText",
            "relation": "local",
            "access": {
                "type": "localBlob/v1",
                "localReference": f"sha256:{digest}",
                "mediaType": "text/plain",
            },
            "digest": {
                "hashAlgorithm": "SHA-256",
                "normalisationAlgorithm": "genericBlobDigest/v1",
                "value": digest,
            },
        }

    def local_resource(self, name: str, version: str, identity: dict[str, str]) -> Content:
        """Return a file with the content of a resource; the caller leaves it there."""
        if version != VERSION or identity.get("name") != "greeting":
            raise NotFound(f"{name} {version} has no resource {identity}")
        resource = self.resource()
        path = folder() / resource["digest"]["value"]
        if not path.exists():
            with tempfile.NamedTemporaryFile(dir=folder(), delete=False) as file:
                file.write(self.content)
            Path(file.name).replace(path)
        return Content(path, resource)

    def local_source(self, name: str, version: str, identity: dict[str, str]) -> Content:
        """Return a file with the content of a source: there are none."""
        raise NotFound(f"{name} {version} has no source {identity}")
