"""Pushing to and pulling from a registry on loopback, against curl and oras-py on the same one."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.harness import Figure, by_turns, peak_of, run_once
from tests.fakes.docker_registry import NEEDED, PROGRAM, docker_registry
from tests.fakes.served import served

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.store.serving import Request
    from tests.fakes.docker_registry import RunningRegistry

LARGE = 500 * 1000 * 1000
SMALL, COUNT = 1000 * 1000, 100
FORTY, LATENCY = 40, 0.020
PEAK_MIB = 64
GET_SECONDS = 0.3
MEMORY = Path("/dev/shm")  # noqa: S108
"""Where a registry keeps its data in memory, so that no disk is measured."""

ROOM = 8 * LARGE

_ORAS = """\
import os
import sys
from oras.client import OrasClient

verb, target, folder = sys.argv[1:]
client = OrasClient(insecure=True)
if verb == "push":
    os.chdir(folder)
    client.push(target, files=sorted(os.listdir(".")), disable_path_validation=True)
else:
    client.pull(target, outdir=folder)
"""

_ONE_BY_ONE = """\
import sys
from pathlib import Path
from ocm_pkg.fs.blob import FileBlob
from ocm_pkg.store.registries import Registries

url, folder = sys.argv[1:]
with Registries() as registries:
    store = registries.store_of(url)
    for path in sorted(Path(folder).iterdir()):
        blob = FileBlob(path, "application/octet-stream")
        store.push("component-descriptors/example.com/bench/one-by-one", blob, blob.media_type)
"""


class Bench:
    """The commands to time; each returns seconds. Every push goes to a repository of its own."""

    def __init__(self, programs: Path, folder: Path, registry: RunningRegistry) -> None:
        self.programs, self.folder, self.registry = programs, folder, registry
        self._numbers = itertools.count()
        self._environment = {"HOME": str(folder / "home"), "PATH": os.environ["PATH"]}
        self._at: dict[str, str] = {}
        (folder / "oras_client.py").write_text(_ORAS)
        (folder / "one_by_one.py").write_text(_ONE_BY_ONE)

    def make(self, name: str, sizes: Sequence[int]) -> None:
        """Make files, and a CTF with a component version of them."""
        (self.folder / name).mkdir()
        lines = [f"name: example.com/bench/{name}", "version: 1.0.0", "provider: {name: bench}"]
        lines.append("resources:")
        for number, size in enumerate(sizes):
            path = f"{name}/{number:03}.bin"
            with (self.folder / path).open("wb") as out:
                for start in range(0, size, SMALL):
                    out.write(os.urandom(min(SMALL, size - start)))
            lines.append(
                f"  - {{name: blob-{number}, type: blob, input: {{type: file, path: {path}}}}}"
            )
        (self.folder / f"{name}.yaml").write_text("\n".join(lines) + "\n")
        self._ours("add", "cv", "-r", "ctf", "-c", f"{name}.yaml")

    def _ours(self, *arguments: str) -> float:
        return self._run([str(self.programs / "ocm-pkg"), "-q", *arguments])

    def _run(self, argv: Sequence[str]) -> float:
        # What was pulled before must not come from the cache.
        shutil.rmtree(self.folder / "home", ignore_errors=True)
        return run_once(argv, cwd=self.folder, env=self._environment).seconds

    def _remove(self, name: str) -> Path:
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
        return path

    def push_arguments(self, name: str, url: str | None = None) -> list[str]:
        self._at[name] = f"{url or self.registry.url}/ours-{next(self._numbers)}"
        return ["transfer", "cv", f"ctf//example.com/bench/{name}:1.0.0", self._at[name]]

    def pull_arguments(self, name: str) -> list[str]:
        self._remove("got")
        reference = f"{self._at[name]}//example.com/bench/{name}:1.0.0"
        return ["download", "resource", reference, "--identity", "name=blob-0", "--output", "got"]

    def push(self, name: str, url: str | None = None) -> float:
        return self._ours(*self.push_arguments(name, url))

    def push_one_by_one(self, name: str, url: str) -> float:
        to = f"{url}/one-by-one-{next(self._numbers)}"
        return self._run([str(self.programs / "python"), "one_by_one.py", to, name])

    def pull(self, name: str) -> float:
        return self._ours(*self.pull_arguments(name))

    def pull_all(self, name: str) -> float:
        self._remove("pulled")
        reference = f"{self._at[name]}//example.com/bench/{name}:1.0.0"
        return self._ours("transfer", "cv", reference, "pulled")

    def get(self, name: str) -> float:
        return self._ours("get", "cv", f"{self._at[name]}//example.com/bench/{name}:1.0.0")

    def peak(self, arguments: Sequence[str]) -> float:
        shutil.rmtree(self.folder / "home", ignore_errors=True)
        arguments = ["-q", *arguments]
        return peak_of(self.programs, arguments, cwd=self.folder, env=self._environment)

    def curl_push(self) -> float:
        """Push by two requests, as curl's users do; it hashes nothing."""
        repository = f"{self.registry.url}/v2/curl-{next(self._numbers)}/blobs/uploads/"
        path = self.folder / "large/000.bin"
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        headers = self._remove("headers")
        ask = ["curl", "-sSf", "-D", str(headers), "-o", str(os.devnull), "-X", "POST", repository]
        asked = self._run(ask)
        location = next(
            line.split(": ", 1)[1].strip()
            for line in headers.read_text().splitlines()
            if line.lower().startswith("location: ")
        )
        put = ["-H", "Expect:", "-H", "Content-Type: application/octet-stream", "-T", str(path)]
        url = f"{location}&digest=sha256:{digest}"
        self._at["curl"] = f"{repository.removesuffix('uploads/')}sha256:{digest}"
        return asked + self._run(["curl", "-sSf", "-o", str(os.devnull), *put, url])

    def curl_pull(self) -> float:
        return self._run(["curl", "-sSf", "-o", str(self._remove("got")), self._at["curl"]])

    def oras_push(self) -> float:
        self._at["oras"] = f"{self.registry.host}/oras-{next(self._numbers)}:1.0.0"
        return self._oras("push", self._at["oras"], "many")

    def oras_pull(self) -> float:
        return self._oras("pull", self._at["oras"], str(self._remove("pulled")))

    def _oras(self, *arguments: str) -> float:
        return self._run([str(self.programs / "python"), "oras_client.py", *arguments])


def figures(programs: Path, folder: Path) -> list[Figure]:
    """One blob of 500 MB against curl, 100 of 1 MB against oras-py, and how long reading takes.

    What is measured of one blob is what it takes above the same command on an empty blob.
    """
    if shutil.which(PROGRAM) is None:
        print(f"left out: the benchmark of registries {NEEDED}")
        return []
    with ExitStack() as stack:
        if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
            temporary = tempfile.TemporaryDirectory(prefix="ocm-pkg-bench-", dir=MEMORY)
            folder = Path(stack.enter_context(temporary))
        registry = stack.enter_context(docker_registry(folder / "registry"))
        bench = Bench(programs, folder, registry)
        bench.make("empty", [0])
        return [*_large(bench), *_peaks(bench), *_many(bench), *_latency(bench), *_get(bench)]


def _large(bench: Bench) -> list[Figure]:
    bench.make("large", [LARGE])
    pushed, empty, curl = by_turns(
        lambda: bench.push("large"), lambda: bench.push("empty"), bench.curl_push, rounds=5
    )
    pulled, nothing, fetched = by_turns(
        lambda: bench.pull("large"), lambda: bench.pull("empty"), bench.curl_pull, rounds=5
    )
    return [
        Figure.of("push-500MB", pushed - empty, curl, 1.3),
        Figure.of("pull-500MB", pulled - nothing, fetched, 1.6),
    ]


def _peaks(bench: Bench) -> list[Figure]:
    """Return what a blob of 500 MB adds to the peak of the same command on an empty blob."""
    found = []
    for name, arguments in (("push", bench.push_arguments), ("pull", bench.pull_arguments)):
        above = bench.peak(arguments("large")) - bench.peak(arguments("empty"))
        found.append(Figure.of(f"{name}-500MB-peak-above-idle", max(above, 0), PEAK_MIB, 1, "MiB"))
    return found


def _many(bench: Bench) -> list[Figure]:
    bench.make("many", [SMALL] * COUNT)
    pushed, oras_pushed = by_turns(lambda: bench.push("many"), bench.oras_push, rounds=5)
    pulled, oras_pulled = by_turns(lambda: bench.pull_all("many"), bench.oras_pull, rounds=5)
    return [
        Figure.of("push-100x1MB", pushed, oras_pushed, 0.5),
        Figure.of("pull-100x1MB", pulled, oras_pulled, 0.5),
    ]


def _latency(bench: Bench) -> list[Figure]:
    """Return what pushing takes at once, where every request takes longer, and one by one."""
    bench.make("forty", [SMALL] * FORTY)

    def late(_request: Request) -> None:
        time.sleep(LATENCY)

    with served(intercept=late) as server:
        at_once, one_by_one = by_turns(
            lambda: bench.push("forty", server.url),
            lambda: bench.push_one_by_one("forty", server.url),
            rounds=3,
        )
    return [Figure.of("latency-40x1MB", at_once, one_by_one, 0.35)]


def _get(bench: Bench) -> list[Figure]:
    [seconds] = by_turns(lambda: bench.get("many"), rounds=9)
    return [Figure.of("get-cv-registry", seconds, GET_SECONDS, 1.0)]
