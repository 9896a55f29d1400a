"""What building costs, and what comes of it: sizes, starts, packing."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.contract.config import PluginConfig
from tests.bench.harness import Figure, by_turns, interleaved, run_once
from tests.fakes.binaries import elf

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = Path(__file__).resolve().parents[2]
_SOURCE = "src/hello_plugin/__main__.py"
_HEAVY = "import pydantic\nfrom cryptography.hazmat.primitives.asymmetric import rsa\n\nplugin ="
_PACKED = 15_000_000
_MACHINES = {"amd64": 62, "arm64": 183, "riscv64": 243, "ppc64le": 21, "loong64": 258, "s390x": 22}


def figures(programs: Path, folder: Path) -> list[Figure]:
    """Figures of the template plugin, the same with heavy imports, and the OCI plugin."""
    plain, heavy = project(programs, folder / "plain"), project(programs, folder / "heavy")
    source = heavy / _SOURCE
    source.write_text(source.read_text().replace("plugin =", _HEAVY, 1))
    template, deps = build(programs, plain), build(programs, heavy)
    oci = build(programs, PROJECT, "--target", "host", "--out", str(folder / "oci"))
    seconds, _ = interleaved(lambda: rebuild(programs, plain), lambda: 0.0, rounds=5)
    return [
        Figure.of("template-plugin-size", megabytes(template), 10.0, 1.0, "MB"),
        Figure.of("ociplugin-size", megabytes(oci), 20.0, 1.0, "MB"),
        *starting(programs, heavy, deps, folder),
        Figure.of("second-build", seconds, 1.0, 1.0),
        *packing(programs, folder),
    ]


def project(programs: Path, folder: Path) -> Path:
    """Return a new project from the template, without a limit of its own."""
    folder.mkdir()
    run([str(programs / "ocm-pkg"), "-q", "init", "hello", "--ci", "none"], folder)
    return folder / "hello"


def run(command: list[str], cwd: Path) -> str:
    return subprocess.run(command, cwd=cwd, check=True, text=True, stdout=subprocess.PIPE).stdout


def build(programs: Path, folder: Path, *words: str) -> Path:
    """Build for this machine, and return the file."""
    command = [str(programs / "ocm-pkg"), "-q", "build", "--project", str(folder), "-o", "json"]
    built = json.loads(run([*command, *words], folder))
    return Path(built["targets"][0]["file"])


def rebuild(programs: Path, folder: Path) -> float:
    return run_once([str(programs / "ocm-pkg"), "-q", "build"], cwd=folder).seconds


def megabytes(file: Path) -> float:
    return file.stat().st_size / 1_000_000


def starting(programs: Path, heavy: Path, launcher: Path, folder: Path) -> list[Figure]:
    """``capabilities`` of a launcher, and its start against that of the folder in it."""
    words = ("--shape", "dir", "--out", str(folder / "dir"))
    archive = build(programs, heavy, *words)
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "unpacked", filter="data")
    program = folder / "unpacked/hello/hello"
    environ = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    answers, packed_start, plain_start = by_turns(
        lambda: run_once([str(launcher), "capabilities"], cwd=folder).seconds,
        lambda: ready(launcher, folder, environ),
        lambda: ready(program, folder, environ),
        rounds=25,
    )
    return [
        Figure.of("launcher-capabilities", answers, 0.005, 1.0),
        Figure.of("launcher-start", packed_start, plain_start, 1.15),
    ]


def ready(program: Path, folder: Path, environ: dict[str, str]) -> float:
    """Return the seconds until a plugin says where it listens."""
    address = folder / "socket"
    address.unlink(missing_ok=True)
    config = PluginConfig("bench", "socket", str(address), int(60e9), ()).to_json("adr")
    began = time.perf_counter()
    with subprocess.Popen(
        [program, "server", "--config", config],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - began
        process.terminate()
    assert line.strip(), program
    return seconds


def packing(programs: Path, folder: Path) -> list[Figure]:
    """Packing six folders of 15 MB, above six empty ones, against gzip of each after the other."""
    content = sample()
    large, empty = (six(folder / name, data) for name, data in (("large", content), ("empty", b"")))
    files = [str(path) for path in sorted(large.glob("made-*/content"))]

    def ours(project: Path) -> Callable[[], float]:
        command = [str(programs / "ocm-pkg"), "-q", "build", "--out"]
        outs = iter(range(1000))
        return lambda: run_once([*command, f"out-{next(outs)}"], cwd=project).seconds

    def bound() -> float:
        return sum(run_once(["gzip", "-6", "-n", "-c", file], cwd=folder).seconds for file in files)

    packed, nothing, alone = by_turns(ours(large), ours(empty), bound, rounds=5)
    return [Figure.of("pack-6x15MB", packed - nothing, alone, 0.7)]


def sample() -> bytes:
    """Return what programs are like: this Python and its libraries, as much as is needed."""
    found = bytearray()
    for path in sorted(Path(os.__file__).parent.rglob("*.py")):
        found += path.read_bytes()
        if len(found) > _PACKED // 2:
            break
    libraries = Path("/usr/lib").rglob("*.so*")
    for path in sorted(path for path in libraries if path.is_file() and not path.is_symlink()):
        found += path.read_bytes()
        if len(found) >= _PACKED:
            break
    return bytes(found[:_PACKED])


def six(folder: Path, content: bytes) -> Path:
    """Return a project of six folders that are there already, for six processors."""
    lines = [
        "formatVersion: 1",
        "component: example.com/plugins/hello",
        "version: 1.0.0",
        "provider: example.com",
        "build: {builder: prebuilt, shape: dir}",
        "targets:",
    ]
    for name, machine in _MACHINES.items():
        made = folder / f"made-{name}"
        made.mkdir(parents=True)
        order = 2 if name == "s390x" else 1
        (made / "hello").write_bytes(elf(machine, 2, order))
        (made / "hello").chmod(0o755)
        (made / "content").write_bytes(content)
        lines.append(f"  - {{platform: linux/{name}, path: {made.name}}}")
    (folder / "ocm-pkg.yaml").write_text("\n".join(lines) + "\n")
    return folder
