"""A CTF folder written without any code of the product: every document as the test wants it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.ocm.software.component.config.v1+json"
JSON = "application/vnd.ocm.software.component-descriptor.v2+json"
YAML = "application/vnd.ocm.software.component-descriptor.v2+yaml"
BINARY = "application/octet-stream"


def digest_of(data: bytes) -> str:
    """Return ``sha256:`` and the hex digest."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def local_access(content: bytes, **members: Any) -> dict[str, Any]:
    """Return the access to a blob with this content."""
    access = {"type": "localBlob/v1", "localReference": digest_of(content), "mediaType": BINARY}
    return {**access, **members}


def resource(name: str, content: bytes, **members: Any) -> dict[str, Any]:
    """Return a resource with its digest; a member that is ``...`` is left out."""
    value = {
        "name": name,
        "version": "1.0.0",
        "type": "ocmPlugin",
        "relation": "local",
        "access": local_access(content),
        "digest": {
            "hashAlgorithm": "SHA-256",
            "normalisationAlgorithm": "genericBlobDigest/v1",
            "value": hashlib.sha256(content).hexdigest(),
        },
        **members,
    }
    return {key: member for key, member in value.items() if member is not ...}


def descriptor(name: str, version: str = "1.0.0", **members: Any) -> dict[str, Any]:
    """Return a descriptor; ``members`` are those of the component."""
    component = {
        "name": name,
        "version": version,
        "provider": "example.com",
        "repositoryContexts": [],
        "resources": [],
        "sources": [],
        "componentReferences": [],
        **members,
    }
    return {"meta": {"schemaVersion": "v2"}, "component": component}


def store(
    ctf: Path,
    name: str,
    version: str,
    value: bytes | Mapping[str, Any],
    contents: Iterable[bytes] = (),
    media_type: str = JSON,
) -> None:
    """Store a component version under a name and version, whatever its descriptor says."""
    layers = [(BINARY, content) for content in contents]
    _store(ctf, name, version, value, media_type, [_blob(ctf, *one) for one in layers])


def read(ctf: Path, name: str, version: str) -> dict[str, Any]:
    """Return a descriptor that is stored as JSON."""
    value: dict[str, Any] = json.loads(_read(ctf, _manifest(ctf, name, version)["layers"][0]))
    return value


def change(
    ctf: Path, name: str, version: str, how: Callable[[dict[str, Any]], object]
) -> dict[str, Any]:
    """Change a descriptor in place, and everything that has a digest of it; return it."""
    value = read(ctf, name, version)
    how(value)
    replace(ctf, name, version, value)
    return value


def replace(ctf: Path, name: str, version: str, value: bytes | Mapping[str, Any]) -> None:
    """Put another descriptor in a descriptor's place; its content stays."""
    layers = _manifest(ctf, name, version)["layers"]
    _store(ctf, name, version, value, layers[0]["mediaType"], layers[1:])


def swap(ctf: Path, name: str, version: str, old: bytes, new: bytes) -> None:
    """Exchange content together with its layer and its access; ``digest`` stays as it was."""

    def access(value: dict[str, Any]) -> None:
        for one in value["component"]["resources"]:
            if one["access"].get("localReference") == digest_of(old):
                one["access"]["localReference"] = digest_of(new)

    value = read(ctf, name, version)
    access(value)
    layers = [
        _blob(ctf, one["mediaType"], new) if one["digest"] == digest_of(old) else one
        for one in _manifest(ctf, name, version)["layers"]
    ]
    _store(ctf, name, version, value, layers[0]["mediaType"], layers[1:])


def path_of(ctf: Path, digest: str) -> Path:
    """Return the file of a blob."""
    return ctf / "blobs" / digest.replace(":", ".", 1)


def _store(
    ctf: Path,
    name: str,
    version: str,
    value: bytes | Mapping[str, Any],
    media_type: str,
    contents: list[dict[str, Any]],
) -> None:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    layer = _blob(ctf, media_type, data)
    config = _blob(ctf, _CONFIG, json.dumps({"componentDescriptorLayer": layer}).encode())
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config}
    top = _blob(ctf, _MANIFEST, json.dumps({**manifest, "layers": [layer, *contents]}).encode())
    entry = {"repository": f"component-descriptors/{name}", "tag": version.replace("+", ".build-")}
    others = [one for one in _entries(ctf) if entry.items() - one.items()]
    entry |= {"digest": top["digest"], "mediaType": _MANIFEST}
    index = {"schemaVersion": 1, "artifacts": [*others, entry]}
    (ctf / "artifact-index.json").write_text(json.dumps(index))


def _blob(ctf: Path, media_type: str, data: bytes) -> dict[str, Any]:
    (ctf / "blobs").mkdir(parents=True, exist_ok=True)
    path = path_of(ctf, digest_of(data))
    if not path.exists():
        path.write_bytes(data)
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def _entries(ctf: Path) -> list[dict[str, Any]]:
    index = ctf / "artifact-index.json"
    if not index.exists():
        return []
    found: list[dict[str, Any]] = json.loads(index.read_text())["artifacts"]
    return found


def _manifest(ctf: Path, name: str, version: str) -> dict[str, Any]:
    wanted = (f"component-descriptors/{name}", version.replace("+", ".build-"))
    [top] = [one for one in _entries(ctf) if (one["repository"], one.get("tag")) == wanted]
    manifest: dict[str, Any] = json.loads(_read(ctf, top))
    return manifest


def _read(ctf: Path, entry: Mapping[str, Any]) -> bytes:
    return path_of(ctf, entry["digest"]).read_bytes()
