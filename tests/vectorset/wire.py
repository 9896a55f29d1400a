"""The common transport format, read and written without any code of the product."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.vectorset import documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFESTS = (_INDEX, "application/vnd.oci.image.manifest.v1+json")
_REPOSITORY = "component-descriptors/"


def sha256(data: bytes) -> str:
    """Return ``sha256:`` and the hex digest."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def is_manifest(media_type: str | None) -> bool:
    """Whether a blob of this type is the manifest or index of an OCI artifact."""
    return media_type in _MANIFESTS


@dataclass(frozen=True)
class Stored:
    """A component version as it is stored: the bytes of its descriptor, and its digests."""

    data: bytes
    layers: tuple[str, ...]

    @property
    def descriptor(self) -> Any:
        """The descriptor as plain data."""
        return documents.load(descriptor_text(self.data))


def stored(ctf: Path, component: str, version: str) -> Stored:
    """Read a component version from a CTF folder."""
    wanted = (_REPOSITORY + component, tag_of(version))
    entries = json.loads((ctf / "artifact-index.json").read_bytes())["artifacts"]
    top = next(one for one in entries if (one["repository"], one.get("tag")) == wanted)
    value = json.loads(blob(ctf, top["digest"]))
    parts = []
    if "config" not in value:
        parts = [one["digest"] for one in value["manifests"][1:]]
        value = json.loads(blob(ctf, value["manifests"][0]["digest"]))
    config = json.loads(blob(ctf, value["config"]["digest"]))
    digest = config["componentDescriptorLayer"]["digest"]
    parts += [one["digest"] for one in value["layers"] if one["digest"] != digest]
    return Stored(blob(ctf, digest), tuple(sorted(set(parts))))


def tag_of(version: str) -> str:
    """Return the tag of a version."""
    return version.replace("+", ".build-", 1)


def descriptor_text(data: bytes) -> bytes:
    """Return the JSON or YAML in a descriptor layer, which may be a tar with one file."""
    if data[257:262] != b"ustar":
        return data
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = tar.extractfile("component-descriptor.yaml")
        assert found is not None
        return found.read()


def blob(ctf: Path, digest: str) -> bytes:
    """Return a blob of a CTF folder, whatever its bytes are."""
    return (ctf / "blobs" / digest.replace(":", ".", 1)).read_bytes()


def blobs(ctf: Path) -> dict[str, bytes]:
    """Return all blobs of a CTF folder by their own digests, and those in its OCI layouts."""
    found: dict[str, bytes] = {}
    for path in sorted((ctf / "blobs").iterdir()):
        data = path.read_bytes()
        found[sha256(data)] = data
        found.update((sha256(inner), inner) for inner in _inner(data))
    return found


def _inner(data: bytes) -> Iterator[bytes]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                stream = tar.extractfile(member) if member.isreg() else None
                if stream is not None:
                    yield stream.read()
    except tarfile.TarError:
        return


def write(
    ctf: Path, contents: Mapping[str, bytes], component: str, tag: str, top: Mapping[str, str]
) -> list[str]:
    """Write a CTF of one component version; return the digests of blobs that are not there."""
    (ctf / "blobs").mkdir(parents=True)
    entry = {"repository": _REPOSITORY + component, "tag": tag, **top}
    index = {"schemaVersion": 1, "artifacts": [entry]}
    (ctf / "artifact-index.json").write_text(json.dumps(index))
    missing = []
    waiting = [(top["digest"], top["mediaType"])]
    while waiting:
        digest, media_type = waiting.pop()
        data = contents.get(digest)
        if data is None:
            missing.append(digest)
            continue
        (ctf / "blobs" / digest.replace(":", ".", 1)).write_bytes(data)
        if is_manifest(media_type):
            waiting += _children(json.loads(data))
    return missing


def _children(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    children = [manifest["config"]] if "config" in manifest else []
    children += [*manifest.get("layers", ()), *manifest.get("manifests", ())]
    return [(one["digest"], one["mediaType"]) for one in children]


def layout_problem(path: Path, manifest: str) -> str:
    """Return what is wrong with the OCI layout tar of ``manifest`` in a file; empty: nothing."""
    try:
        with tarfile.open(path) as tar:
            files = {
                one.name.removeprefix("./"): (tar.extractfile(one) or io.BytesIO()).read()
                for one in tar
                if one.isreg()
            }
        if json.loads(files["oci-layout"])["imageLayoutVersion"] != "1.0.0":
            return "its version is not 1.0.0"
        entries = json.loads(files["index.json"])["manifests"]
        if [one["digest"] for one in entries] != [manifest]:
            return f"its index is not for {manifest}"
        waiting = [(manifest, entries[0]["mediaType"])]
        while waiting:
            digest, media_type = waiting.pop()
            data = files[f"blobs/{digest.replace(':', '/', 1)}"]
            if sha256(data) != digest:
                return f"the bytes of {digest} have another digest"
            if is_manifest(media_type):
                waiting += _children(json.loads(data))
    except (tarfile.TarError, KeyError, ValueError) as error:
        return f"it is no OCI layout: {error!r}"
    return ""
