"""Where the executable of a launcher comes from: the package's data, or ``go build``.

The package may have them ready in ``launcher/bin/OS-ARCHITECTURE``, made from the very sources
beside them (``launcher/bin/source.sha256`` says so). Else they are compiled where ``go`` is, and
kept in the cache. The same sources and the same Go give the same bytes on every machine.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.builders.result import run_tool
from ocm_pkg.errors import BinaryPlatformError
from ocm_pkg.fs.atomic import FileLock, make_folder, write_file
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.process import child_environment
from ocm_pkg.model.binary import HEADER_BYTES, platforms_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.model.platform import Platform
    from ocm_pkg.ports import BuildJob

SOURCE = Path(__file__).with_name("launcher")
READY = "bin"
DIGEST_FILE = "source.sha256"
_TIMEOUT = 600.0


@dataclass(frozen=True, slots=True)
class Launcher:
    """An executable to pack with: its bytes, and what the report says it was made with."""

    data: bytes
    tools: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Launchers:
    """Finds or compiles launchers; ``cache`` keeps those that were compiled."""

    cache: Path
    environ: Mapping[str, str]
    source: Path = SOURCE

    def find(self, job: BuildJob) -> Launcher | None:
        """Return the launcher for the job's target; None if there is none, and no ``go``.

        Raises ``BuildError`` with the last lines of the log if compiling it fails.
        """
        platform = job.target.platform
        digest = source_digest(self.source)
        ready = self.source / READY
        stated = ready / DIGEST_FILE
        if stated.is_file() and stated.read_text().strip() == digest:
            path = ready / file_name(platform)
            if path.is_file():
                return _launcher(path.read_bytes(), platform, {})
        go = shutil.which("go", path=self.environ.get("PATH"))
        if go is None or not (self.source / "go.mod").is_file():
            return None
        return self._compiled(job, go, digest)

    def _compiled(self, job: BuildJob, go: str, digest: str) -> Launcher:
        platform = job.target.platform
        env = go_environment(self.environ, platform, job.work)
        said = run_tool(job, [go, "env", "GOVERSION"], env=env, cwd=self.source, timeout=_TIMEOUT)
        version = said.strip()[:64]
        key = hashlib.sha256(f"{digest} {version}".encode()).hexdigest()[:32]
        path = self.cache / "launchers" / f"{key}-{file_name(platform)}"
        make_folder(path.parent)
        with FileLock(path.with_suffix(".lock"), _TIMEOUT):
            if not path.is_file():
                made = job.work / "launcher"
                argv = [*go_command(go, made)]
                run_tool(job, argv, env=env, cwd=self.source, timeout=_TIMEOUT)
                with storage_errors(f"reading {made}", job.work):
                    write_file(path, made.read_bytes(), 0o755)
        return _launcher(path.read_bytes(), platform, {"go": version})


def file_name(platform: Platform) -> str:
    """Return what the executable for ``platform`` is called in the package's data."""
    return f"{platform.os}-{platform.architecture}"


def source_digest(source: Path = SOURCE) -> str:
    """Return what names the sources: SHA-256 of their names and contents, as hex digits."""
    files = sorted([*source.glob("*.go"), *source.glob("go.mod")], key=lambda path: path.name)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def go_command(go: str, output: Path) -> tuple[str, ...]:
    """Return what to run in the folder of the sources, so that its bytes depend on them alone."""
    flags = ("-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=")
    return (go, "build", *flags, "-o", str(output), ".")


def go_environment(environ: Mapping[str, str], platform: Platform, work: Path) -> dict[str, str]:
    """Return the environment for ``go_command``: nothing in it changes what is built.

    ``GOCACHE`` is kept where it is set; ``work`` is a folder for what Go may want to write.
    """
    home = {"HOME", "XDG_CACHE_HOME"} & set(environ)
    cache = environ.get("GOCACHE") or (None if home else str(work / "go-cache"))
    return child_environment(
        environ,
        {
            "CGO_ENABLED": "0",
            "GOOS": platform.os,
            "GOARCH": platform.architecture,
            "GOENV": "off",
            "GOFLAGS": "",
            "GOPATH": str(work / "go"),
            "GOPROXY": "off",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "XDG_CONFIG_HOME": str(work / "go-config"),
            **({"GOCACHE": cache} if cache else {}),
        },
    )


def _launcher(data: bytes, platform: Platform, tools: Mapping[str, str]) -> Launcher:
    if platform not in platforms_of(data[:HEADER_BYTES]):
        raise BinaryPlatformError(
            f"the launcher for {platform} is for another platform",
            hint="install ocm-pkg again, or remove its cache: ocm-pkg cache dir",
        )
    return Launcher(data, {**tools, "launcher": f"sha256:{hashlib.sha256(data).hexdigest()}"})
