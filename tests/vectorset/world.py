"""What a rule works with: a vector, a scratch folder, the command line, a list of problems."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
from typing import TYPE_CHECKING, Any

from tests.vectorset import documents, wire

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from tests.vectorset.commands import Commands, Done

OK = frozenset({0})
REFUSED = frozenset({2, 4})
ANY = frozenset({0, 2, 4})

Vector = dict[str, Any]


class VectorSet:
    """The vectors of a folder, by id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        manifest = json.loads((folder / "MANIFEST.json").read_text())
        self.vectors: dict[str, Vector] = {one["id"]: one for one in manifest["vectors"]}

    def key(self, name: str) -> str:
        """Return the path of a key file."""
        return str(self.folder / "keys" / name)

    def written(self, component: str, version: str, ctf: str = "") -> Vector:
        """Return the vector that tells what the reference tools wrote; with ``ctf`` that one."""
        found = [
            one
            for one in self.vectors.values()
            if one["kind"] == "component-version"
            and (one.get("component"), one.get("version")) == (component, version)
            and ctf in ("", one["ctf"])
        ]
        return max(found, key=lambda one: str(one["written_by"]))


def name_and_version(vector: Vector) -> tuple[str, str]:
    """Return component and version of a vector."""
    whole = vector.get("component_version") or f"{vector['component']}:{vector['version']}"
    component, _, version = whole.partition(":")
    return component, version


class World:
    """The place where one vector is checked; everything that is not right is a problem."""

    def __init__(
        self, vectors: VectorSet, vector: Vector, commands: Commands, scratch: Path
    ) -> None:
        self.set = vectors
        self.vector = vector
        self.problems: list[str] = []
        self.not_asked = ""
        self._commands = commands
        self._scratch = scratch
        self._watched = self._watch()

    def _watch(self) -> dict[Path, Mapping[str, object]]:
        named = [self.vector.get(member) for member in ("ctf", "file", "source_ctf")]
        paths = [self.set.folder / path for path in named if path]
        return {path: snapshot(path) for path in paths}

    def finish(self) -> None:
        """Add a problem for everything in the set that was changed."""
        for path, before in self._watched.items():
            if snapshot(path) != before:
                self.problem(f"{path} was changed")

    def problem(self, text: str) -> None:
        """Add a problem."""
        self.problems.append(text)

    @property
    def ctf(self) -> Path:
        """The vector's archive."""
        path: Path = self.set.folder / (self.vector.get("ctf") or self.vector["file"])
        return path

    def reference(self, ctf: Path | None = None) -> str:
        """Return the reference of the vector's component version, in another archive perhaps."""
        return f"{ctf or self.ctf}//{':'.join(name_and_version(self.vector))}"

    def path(self, name: str) -> Path:
        """Return a path in the scratch folder."""
        return self._scratch / name

    def copied(self, ctf: str) -> Path:
        """Return a copy of an archive folder of the set, which may be changed."""
        copy = self.path("copy")
        shutil.copytree(self.set.folder / ctf, copy)
        for path in (copy, *copy.rglob("*")):
            path.chmod(stat.S_IMODE(path.stat().st_mode) | stat.S_IWUSR)
        return copy

    def run(self, *arguments: object, codes: Collection[int] = OK, why: str = "") -> Done:
        """Run a command, which must end with one of ``codes`` and never with a traceback."""
        done = self._commands.run([str(each) for each in arguments], self._scratch)
        if done.late:
            self.problem(f"took more than its time: {done}")
        elif "Traceback" in done.err or "internal error" in done.err:
            self.problem(f"crashed: {done}")
        elif done.code not in codes:
            wanted = " or ".join(map(str, sorted(codes)))
            self.problem(f"expected {wanted}{f' ({why})' if why else ''}: {done}")
        return done

    def get(self, reference: str, codes: Collection[int] = OK) -> Any:
        """Return the one descriptor that ``get cv`` prints; None if it was refused."""
        done = self.run("get", "cv", reference, "-o", "json", codes=codes)
        if done.code != 0:
            return None
        try:
            (descriptor,) = done.json
        except ValueError as error:
            self.problem(f"printed no list of one descriptor ({error}): {done}")
            return None
        return descriptor

    def equal(self, got: Any, expected: Any, what: str) -> None:
        """Compare two documents, in which null, [], {} and absent are one."""
        if not documents.same(got, expected):
            self.problem(f"{what} differs at {documents.difference(got, expected)}")

    def hashed(self, reference: str, algorithm: str, sha256: str, sha512: str = "") -> None:
        """Compare what ``hash cv`` prints with the recorded digests."""
        wanted = {"SHA-256": sha256, "SHA-512": sha512}
        for name, value in wanted.items():
            if not value:
                continue
            done = self.run("hash", "cv", reference, "--normalisation", algorithm, "--hash", name)
            if done.code == 0 and done.out.decode().strip() != value:
                self.problem(f"{name} under {algorithm} is not {value}: {done}")

    def normalised(self, reference: str, algorithm: str, expected: bytes) -> None:
        """Compare what ``hash cv --actual`` prints with the recorded bytes."""
        done = self.run("hash", "cv", reference, "--normalisation", algorithm, "--actual")
        if done.code == 0 and done.out != expected:
            self.problem(f"other bytes under {algorithm}: {done.out[:200]!r}")

    def download(
        self, reference: str, identity: Mapping[str, str], codes: Collection[int] = OK
    ) -> bytes | None:
        """Download a resource; where it is refused there must be no file."""
        target = self.path("downloaded")
        target.unlink(missing_ok=True)
        selectors = [part for item in identity.items() for part in ("--identity", "=".join(item))]
        arguments = ("download", "resource", reference, *selectors, "--output", target)
        done = self.run(*arguments, codes=codes)
        if (done.code == 0) is not target.is_file():
            self.problem(f"a file although it was refused, or none: {done}")
        return target.read_bytes() if target.is_file() else None

    def content(self, reference: str, resource: Mapping[str, Any]) -> None:
        """Download a local blob and compare it with its digests."""
        found = self.download(reference, documents.identity(dict(resource)))
        local = resource["access"]["localReference"]
        if found is None:
            return
        if wire.is_manifest(resource["access"].get("mediaType")):
            if why := wire.layout_problem(self.path("downloaded"), local):
                self.problem(f"{resource['name']} was downloaded as what it is not: {why}")
            return
        stated = resource.get("digest") or {}
        if stated.get("hashAlgorithm") == "SHA-256" and f"sha256:{stated['value']}" != local:
            self.problem(f"{resource['name']}: the vector states two digests")
        if wire.sha256(found) != local:
            self.problem(f"{resource['name']} was downloaded with the digest {wire.sha256(found)}")

    def verify(
        self, reference: str, *options: object, codes: Collection[int] = OK, why: str = ""
    ) -> Done:
        """Run ``verify cv``."""
        return self.run("verify", "cv", reference, *options, codes=codes, why=why)


def snapshot(path: Path) -> dict[str, object]:
    """Return names, modes, times and digests of a file, or of all that a folder holds."""
    found: dict[str, object] = {}
    for each in sorted([path, *path.rglob("*")] if path.is_dir() else [path]):
        status = each.lstat()
        digest = hashlib.sha256(each.read_bytes()).hexdigest() if each.is_file() else ""
        name = str(each.relative_to(path))
        found[name] = (stat.S_IMODE(status.st_mode), status.st_mtime_ns, status.st_size, digest)
    return found
