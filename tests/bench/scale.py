"""How the time of whole commands grows with the number of versions in a CTF.

The exponent is the slope of log(time) over log(versions): 0 doesn't grow, 1 grows as the number
does, and 0.1 is twice the time for a thousand times the versions.
"""

from __future__ import annotations

import itertools
import math
import shutil
import statistics
from typing import TYPE_CHECKING

from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.descriptor import ComponentDescriptor, Resource
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.ctf import blob_name
from ocm_pkg.store.ctfindex import BLOBS, NAME, Entry, Index
from ocm_pkg.store.repository import ComponentRepository
from tests.bench.harness import Figure, interleaved, run_once

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Blob

SIZES = (10, 100, 1_000, 10_000)
COMPONENT = "example.com/bench/many"
_CONSTRUCTOR = """\
name: example.com/bench/many
version: ${version}
provider: {name: example.com}
resources:
  - name: text
    type: blob
    input: {type: utf8, text: "version ${version}"}
"""


class _Writer:
    """An OCI store that only writes a CTF, quickly: it syncs nothing, and the index comes last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sizes: dict[Digest, int] = {}
        self._entries: list[Entry] = []
        (path / BLOBS).mkdir(parents=True)

    def exists(self, _repository: str, digest: Digest) -> OCIDescriptor | None:
        size = self._sizes.get(digest)
        return None if size is None else OCIDescriptor("", digest, size)

    def fetch(self, repository: str, descriptor: OCIDescriptor) -> Blob:
        raise KeyError(repository, descriptor)

    def push(self, _repository: str, blob: Blob, media_type: str) -> OCIDescriptor:
        assert blob.digest is not None
        with blob.open() as stream:
            data = stream.read()
        (self._path / BLOBS / blob_name(blob.digest)).write_bytes(data)
        self._sizes[blob.digest] = len(data)
        return OCIDescriptor(media_type, blob.digest, len(data))

    def resolve(self, _repository: str, _reference: str) -> OCIDescriptor | None:
        return None

    def tag(
        self, repository: str, descriptor: OCIDescriptor, tag: str, *, replace: bool = True
    ) -> None:
        assert not replace
        self._entries.append(Entry(repository, descriptor.digest, tag, descriptor.media_type))

    def tags(self, _repository: str) -> Sequence[str]:
        return ()

    def finish(self) -> None:
        (self._path / NAME).write_bytes(Index(self._entries).encode())


def _make(path: Path, count: int) -> None:
    """Make a CTF with versions 1.0.0, 1.1.0, ... of one component, each with one resource."""
    store = _Writer(path)
    repository = ComponentRepository(store)
    for number in range(count):
        version = f"1.{number}.0"
        bare = Resource(
            name="text",
            version=version,
            type="blob",
            relation="local",
            access=AccessSpec(type="none"),
        )
        blob = BytesBlob(b"content of " + version.encode(), "text/plain")
        element = repository.put_blob(COMPONENT, version, bare, blob)
        component = {
            "name": COMPONENT,
            "version": version,
            "provider": "example.com",
            "repositoryContexts": [],
            "resources": [element.to_json()],
            "sources": [],
            "componentReferences": [],
        }
        document = {"meta": {"schemaVersion": "v2"}, "component": component}
        repository.add(ComponentDescriptor.from_json(document, name=version))
    store.finish()


class _Commands:
    """The commands to time, each on the CTF with ``count`` versions; they return seconds."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._program = str(programs / "ocm-pkg")
        self._folder = folder
        self._numbers = itertools.count()
        (folder / "constructor.yaml").write_text(_CONSTRUCTOR)
        for count in SIZES:
            _make(folder / str(count), count)

    def get(self, count: int) -> float:
        return self._run("get", "cv", f"./{count}//{COMPONENT}:1.5.0", "-o", "json")

    def versions(self, count: int) -> float:
        return self._run("get", "cv", f"./{count}//{COMPONENT}")

    def add(self, count: int) -> float:
        version = f"version=2.{next(self._numbers)}.0"
        command = ("add", "cv", "-r", f"./{count}", "-c", "constructor.yaml", "--set", version)
        return self._run(*command)

    def transfer(self, count: int) -> float:
        shutil.rmtree(self._folder / "copy", ignore_errors=True)
        return self._run("transfer", "cv", f"./{count}//{COMPONENT}:1.5.0", "./copy")

    def _run(self, *arguments: str) -> float:
        return run_once([self._program, "-q", *arguments], cwd=self._folder).seconds


def figures(programs: Path, folder: Path) -> list[Figure]:
    """``get cv`` of one at 10,000 versions against 10, and the exponents of four commands.

    Listing reads every descriptor, so it grows as their number does: 1, and 0.2 for noise. The
    others read or write the index whole, one JSON document of 220 bytes a version, and all but a
    few ms of that must vanish in the time of the command: twice the time at most for a thousand
    times the versions (exponent 0.1), and for ``add``, which also writes and syncs it, 2.8 times.
    """
    commands = _Commands(programs, folder)
    most, least = SIZES[-1], SIZES[0]
    ours, bound = interleaved(lambda: commands.get(most), lambda: commands.get(least), rounds=7)
    found = [Figure.of("scale-get-10000-versions", ours, bound, 2.0)]
    for name, command, goal, rounds in (
        ("get", commands.get, 0.1, 5),
        ("transfer", commands.transfer, 0.1, 5),
        ("add", commands.add, 0.15, 5),
        ("list", commands.versions, 1.2, 1),
    ):
        by_turns = [[command(count) for count in SIZES] for _ in range(rounds)]
        times = [statistics.median(each) for each in zip(*by_turns, strict=True)]
        shown = ", ".join(f"{n}: {t:.3f} s" for n, t in zip(SIZES, times, strict=True))
        print(f"{name:10} {shown}")
        exponent = _exponent(times[-2:], SIZES[-2:]) if name == "list" else _exponent(times, SIZES)
        found.append(Figure.of(f"scale-{name}-exponent", exponent, 1.0, goal, "exponent"))
    return found


def _exponent(times: Sequence[float], sizes: Sequence[int]) -> float:
    """Return the slope of the line through the logarithms, by least squares."""
    return statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(time) for time in times]
    ).slope
