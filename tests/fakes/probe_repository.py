"""A plugin on the SDK that answers what the reference's recorded plugin answered."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

from ocm_pkg.sdk import Content, NotFound, Plugin, Unauthorized, serve

RESOURCE = {
    "name": "app-binary",
    "version": "1.4.0",
    "extraIdentity": {"os": "linux", "architecture": "amd64"},
    "type": "ocmPlugin",
    "relation": "local",
    "access": {"type": "ProbeAccess/v1", "ref": "blob/1"},
    "digest": {
        "hashAlgorithm": "SHA-256",
        "normalisationAlgorithm": "genericBlobDigest/v1",
        "value": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    },
}
SOURCE = {
    "name": "app-binary-src",
    "version": "1.4.0",
    "type": "git",
    "access": {"type": "ProbeAccess/v1", "ref": "blob/1"},
}
DESCRIPTOR = {
    "meta": {"schemaVersion": "v2"},
    "component": {
        "name": "acme.org/demo/app",
        "version": "1.4.0",
        "provider": "acme.org",
        "repositoryContexts": [],
        "resources": [RESOURCE],
        "sources": [SOURCE],
        "componentReferences": [],
    },
}

plugin = Plugin("acme.org/plugins/probe")


@plugin.component_version_repository("ProbeRepository/v1", aliases=["ProbeRepository"])
class Probe:
    """Holds one component version; spec members make it misbehave."""

    def __init__(self, spec, credentials):
        self.spec = spec
        if spec.get("needsCredentials") and credentials is None:
            raise Unauthorized("credentials are needed")

    @staticmethod
    def identity(spec):
        host = urlsplit(spec.get("baseUrl", "")).hostname
        return {"type": "ProbeIdentity/v1", "hostname": host} if host else None

    def versions(self, name):
        sys.stdout.write("a stray line\n")
        sys.stdout.flush()
        return ["1.0.0", "1.4.0"] if name == "acme.org/demo/app" else []

    def get(self, name, version):
        if (name, version) != ("acme.org/demo/app", "1.4.0"):
            raise NotFound(f"{name} has no version {version}")
        return DESCRIPTOR

    def add(self, descriptor):
        if descriptor["component"]["name"] != "acme.org/demo/app":
            raise ValueError("not my component")

    def local_resource(self, name, version, _identity):
        self.get(name, version)
        return Content(__file__, RESOURCE, "application/vnd.acme.blob")

    def local_source(self, name, version, _identity):
        self.get(name, version)
        return Content(Path(__file__), SOURCE, "application/vnd.acme.blob")

    def put_local_resource(self, _name, _version, resource, path, _media_type):
        assert path.read_bytes() == b"hello-plugin-payload"
        return {**resource, "digest": RESOURCE["digest"]}

    def put_local_source(self, _name, _version, source, path, _media_type):
        assert path.read_bytes() == b"hello-plugin-payload"
        return source

    def check_health(self):
        if self.spec.get("sick"):
            raise OSError("disk full")


if __name__ == "__main__":
    raise SystemExit(serve(plugin))
