"""What build machines hand over: reports with files, or with a CTF."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.documents import LICENCES, SBOM, files_of
from ocm_pkg.model.part import BuiltTarget, DocumentEntry, Part
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.ctf import CTFStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PLATFORMS = ("darwin/arm64", "linux/amd64", "linux/arm64")
PROJECT = parse_project(
    f"""\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
build: {{entry: hello.py}}
targets: [{", ".join(PLATFORMS)}]
""",
    name="x",
)
CONFIG = digest_of(b"config")
SOURCES = Part(PROJECT.component, "1.0.0", "abc", CONFIG, digest_of(b"lock"), ())
FORMS = ("files", "ctf", "ctf.tar", "ctf.tgz")
_MANIFEST = b"""{"schemaVersion": 2, "layers": [],
"mediaType": "application/vnd.oci.image.manifest.v1+json",
"config": {"mediaType": "application/octet-stream", "digest": "%s", "size": %d}}"""


def hand_over(folder: Path, platforms: Iterable[str], form: str, **changed: Any) -> Path:
    """Leave what a machine hands over: ``part.json`` and the content, in one of ``FORMS``."""
    folder.mkdir()
    targets, content = [], {}
    for text in platforms:
        data = {"": text.encode(), SBOM.name: b"sbom " + text.encode(), LICENCES.name: b"licences"}
        documents = tuple(
            DocumentEntry(name, digest_of(data[name]), len(data[name]))
            for name in sorted((LICENCES.name, SBOM.name))
        )
        target = BuiltTarget(
            Platform.parse(text),
            digest_of(data[""]),
            len(data[""]),
            "file",
            "command",
            documents=documents,
        )
        targets.append(target)
        names = [file.name for file in files_of(PROJECT, target)]
        values = [data[""], *(data[entry.name] for entry in documents)]
        content.update(zip(names, values, strict=True))
    (folder / "part.json").write_bytes(replace(SOURCES, targets=tuple(targets), **changed).encode())
    if form == "files":
        for name, data in content.items():
            (folder / name).write_bytes(data)
        return folder
    store: Any = (CTFStore if form == "ctf" else ArchiveStore)(folder / form, create=True)
    for data in content.values():
        pushed = store.push("r", BytesBlob(data), "application/octet-stream")
    manifest = BytesBlob(_MANIFEST % (str(pushed.digest).encode(), pushed.size))
    kind = "application/vnd.oci.image.manifest.v1+json"
    store.tag("r", store.push("r", manifest, kind), "1")
    return folder
