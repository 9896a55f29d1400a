"""Row R44 by command: a CTF or an OCI layout that somebody else wrote, as a source."""

from __future__ import annotations

import io
import json
import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from tests.fakes import rawctf
from tests.fakes.arena import NAME, REF
from tests.fakes.served import served

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.arena import Arena

CONTENT = b"run"
EVIL = [
    "sha256:../../../outside/precious",
    "sha256:" + "A" * 64,
    "../../outside:" + "0" * 64,
    "sha256:" + "0" * 63,
    "",
    7,
]


def source(arena: Arena) -> Path:
    """Write a good CTF; return the file of the content."""
    resource = rawctf.resource("hello", CONTENT)
    rawctf.store(arena.ctf, NAME, "1.0.0", rawctf.descriptor(NAME, resources=[resource]), [CONTENT])
    arena.accepted("sign", "cv", REF, "--key", arena.key("test-key-a.private.pem"))
    return rawctf.path_of(arena.ctf, rawctf.digest_of(CONTENT))


def tagged(index: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of the component version; what it was before it was signed has no tag."""
    return next(one for one in index["artifacts"] if one.get("tag"))


def commands(arena: Arena, url: str) -> list[tuple[object, ...]]:
    """Return commands that read a component version and its content."""
    return [
        ("download", "resource", REF, "--identity", "name=hello", "--output", "out"),
        ("transfer", "cv", REF, "./copy"),
        ("transfer", "cv", REF, url),
        ("verify", "cv", REF, "--key", arena.key("test-key-a.public.pem")),
    ]


def all_refused(arena: Arena, *code: int) -> None:
    """Check that each command is refused, and that nothing of it arrives in a registry."""
    with served() as registry:
        for command in commands(arena, registry.url):
            arena.refused(*command, code=code, seconds=5)
        assert [one for one in registry.requests if one[0] == "PUT" and "1.0.0" in one[1]] == []


def test_R44_twin_a_good_folder_is_read(arena: Arena) -> None:
    source(arena)
    with served() as registry:
        for command in commands(arena, registry.url):
            arena.accepted(*command)
    assert (arena.work / "out").read_bytes() == CONTENT


def link(path: Path, arena: Arena) -> None:
    (arena.work / "elsewhere").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(arena.work / "elsewhere")


def fifo(path: Path, _arena: Arena) -> None:
    path.unlink()
    os.mkfifo(path)


def device(path: Path, _arena: Arena) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def folder(path: Path, _arena: Arena) -> None:
    path.unlink()
    path.mkdir()


def longer(path: Path, _arena: Arena) -> None:
    path.write_bytes(path.read_bytes() + b"!")


def shorter(path: Path, _arena: Arena) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def changed(path: Path, _arena: Arena) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"!")


CHANGES = [link, fifo, device, folder, longer, shorter, changed]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("which", ["content", "descriptor", "manifest"])
def test_R44_a_blob_that_is_no_file_or_another_is_refused(
    arena: Arena, which: str, change: Callable[[Path, Arena], None]
) -> None:
    path = source(arena)
    if which != "content":
        entry = tagged(json.loads((arena.ctf / "artifact-index.json").read_text()))
        path = rawctf.path_of(arena.ctf, entry["digest"])
        if which == "descriptor":
            layer = json.loads(path.read_text())["layers"][0]
            path = rawctf.path_of(arena.ctf, layer["digest"])
    change(path, arena)
    all_refused(arena, 2, 4)


@pytest.mark.parametrize("digest", EVIL)
@pytest.mark.parametrize("member", ["index", "layers", "config", "access"])
def test_R44_a_digest_that_leads_out_of_the_folder_is_refused(
    arena: Arena, member: str, digest: Any
) -> None:
    source(arena)
    index = arena.ctf / "artifact-index.json"
    value = json.loads(index.read_text())
    entry = tagged(value)
    if member == "access":
        # The layer stays as it was.
        rawctf.change(
            arena.ctf,
            NAME,
            "1.0.0",
            lambda one: one["component"]["resources"][0]["access"].update(localReference=digest),
        )
    elif member == "index":
        entry["digest"] = digest
    else:
        manifest = json.loads(rawctf.path_of(arena.ctf, entry["digest"]).read_text())
        part = manifest["layers"][0] if member == "layers" else manifest["config"]
        part["digest"] = digest
        data = json.dumps(manifest).encode()
        rawctf.path_of(arena.ctf, rawctf.digest_of(data)).write_bytes(data)
        entry["digest"] = rawctf.digest_of(data)
    if member != "access":
        index.write_text(json.dumps(value))
    all_refused(arena, 2, 3, 4)


@pytest.mark.parametrize("size", [2, 4, 0, -1, 1 << 62, "3", None])
@pytest.mark.parametrize("which", [0, 1])
def test_R44_a_size_that_lies_is_refused(arena: Arena, size: Any, which: int) -> None:
    source(arena)
    index = arena.ctf / "artifact-index.json"
    value = json.loads(index.read_text())
    entry = tagged(value)
    manifest = json.loads(rawctf.path_of(arena.ctf, entry["digest"]).read_text())
    manifest["layers"][which]["size"] = size
    data = json.dumps(manifest).encode()
    rawctf.path_of(arena.ctf, rawctf.digest_of(data)).write_bytes(data)
    entry["digest"] = rawctf.digest_of(data)
    index.write_text(json.dumps(value))
    all_refused(arena, 2, 3, 4)


@pytest.mark.parametrize("what", ["artifact-index.json", "blobs"])
def test_R44_an_index_or_a_folder_that_is_a_link_is_refused(arena: Arena, what: str) -> None:
    source(arena)
    (arena.ctf / what).rename(arena.outside / what)
    (arena.ctf / what).symlink_to(arena.outside / what)
    all_refused(arena, 2, 3, 4)


def layout(tampered: Callable[[dict[str, Any]], object]) -> bytes:
    """Return an OCI layout in a tar, as a resource's content, which ``tampered`` may change."""
    layer, config = b"the layer", b"{}"
    files: dict[str, Any] = {}
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": described(config, "application/vnd.oci.image.config.v1+json"),
        "layers": [described(layer, "application/vnd.oci.image.layer.v1.tar")],
    }
    data = json.dumps(value).encode()
    for one in (layer, config, data):
        files[f"blobs/sha256/{digest_of(one).hex}"] = one
    files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    files["index.json"] = {
        "schemaVersion": 2,
        "manifests": [described(data, media.OCI_MANIFEST)],
    }
    tampered(files)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, one in files.items():
            info = tarfile.TarInfo(name)
            content = json.dumps(one).encode() if isinstance(one, dict) else one
            if isinstance(content, tuple):
                info.type, info.linkname = content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def described(data: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(digest_of(data)), "size": len(data)}


LAYER = f"blobs/sha256/{digest_of(b'the layer').hex}"
TAMPERED: dict[str, Callable[[dict[str, Any]], object]] = {
    "entry outside": lambda files: files["index.json"]["manifests"][0].update(
        digest="sha256:../../../outside/precious"
    ),
    "digest in upper case": lambda files: files["index.json"]["manifests"][0].update(
        digest=files["index.json"]["manifests"][0]["digest"].upper()
    ),
    "blob a link": lambda files: files.update({LAYER: (tarfile.SYMTYPE, "/etc/passwd")}),
    "blob a hard link": lambda files: files.update({LAYER: (tarfile.LNKTYPE, "oci-layout")}),
    "blob a fifo": lambda files: files.update({LAYER: (tarfile.FIFOTYPE, "")}),
    "blob longer": lambda files: files.update({LAYER: b"the layer!"}),
    "blob other": lambda files: files.update({LAYER: b"the l4yer"}),
    "blob gone": lambda files: files.pop(LAYER),
    "index gone": lambda files: files.pop("index.json"),
}


@pytest.mark.parametrize("how", [None, *TAMPERED])
def test_R44_a_layout_that_is_not_what_its_digest_says_is_refused(
    arena: Arena, how: str | None
) -> None:
    def untouched(_files: dict[str, Any]) -> None:
        pass

    data = layout(TAMPERED[how] if how else untouched)
    good: dict[str, Any] = {}
    layout(good.update)
    manifest = next(
        name.rpartition("/")[2]
        for name, one in good.items()
        if name.startswith("blobs/") and b"schemaVersion" in one
    )
    resource = rawctf.resource(
        "hello",
        data,
        type="ociImage",
        access=rawctf.local_access(
            data, mediaType="application/vnd.oci.image.manifest.v1+tar+gzip"
        ),
        digest={
            "hashAlgorithm": "SHA-256",
            "normalisationAlgorithm": "ociArtifactDigest/v1",
            "value": manifest,
        },
    )
    rawctf.store(arena.ctf, NAME, "1.0.0", rawctf.descriptor(NAME, resources=[resource]), [data])
    arena.accepted("sign", "cv", REF, "--key", arena.key("test-key-a.private.pem"))
    verify = ("verify", "cv", REF, "--key", arena.key("test-key-a.public.pem"))
    if how is None:
        arena.accepted(*verify)
    else:
        arena.refused(*verify, code=4, seconds=5)
