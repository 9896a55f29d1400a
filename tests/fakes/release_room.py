"""A project in git that is released: its binaries are made at once, and are for other machines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.cli.main import run
from tests.fakes.binaries import macho
from tests.fakes.command import Ran

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "example.com/plugins/hello"
YAML = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
targets:
  - {platform: darwin/arm64, builder: command, run: [sh, make.sh], output: out/hello}
  - {platform: darwin/amd64, builder: prebuilt, path: intel}
sign: {key: keys/release.private.pem}
"""
MAKE = 'echo run >> runs\nmkdir -p out\ncp program "$OCM_PKG_OUTPUT"\n'
IGNORED = "/dist*/\n/ctf/\n/out/\n/keys/\n/runs\n"
needs_git = pytest.mark.skipif(not shutil.which("git"), reason="needs git")


class ReleaseRoom:
    """``folder`` has the project; commands are run there, in this process."""

    def __init__(
        self, root: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self.folder = root / "project"
        self.folder.mkdir(parents=True)
        self._capsys = capsys
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(root / "home")}
        for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "OCM_CONFIG"):
            patch.delenv(name, raising=False)
        patch.setenv("HOME", self.environ["HOME"])
        patch.chdir(self.folder)
        self.write("ocm-pkg.yaml", YAML)
        self.write("make.sh", MAKE)
        self.write(".gitignore", IGNORED)
        (self.folder / "program").write_bytes(macho())
        (self.folder / "intel").write_bytes(macho(0x01000007))
        self.git("init", "--quiet", ".")
        self.commit()
        self.accepted("key", "new", "release", "--out", "keys")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def git(self, *words: str) -> str:
        known = (
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.com",
            "-c",
            "commit.gpgsign=false",
        )
        done = subprocess.run(
            ["git", *known, *words],
            cwd=self.folder,
            env={**self.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a state")

    def __call__(self, *words: object) -> Ran:
        self._capsys.readouterr()
        code = run([str(word) for word in words])
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err, err
        return Ran(code, out, err)

    def accepted(self, *words: object) -> Ran:
        ran = self(*words)
        assert ran.code == 0, ran
        return ran

    def released(self, *words: object) -> dict[str, dict[str, str]]:
        """Release; return the steps by their names."""
        said = self.accepted("release", "-o", "json", *words).json
        return {step["step"]: step for step in said["steps"]}

    def results(self, *words: object) -> list[str]:
        """Release; return what became of each step."""
        return [step["result"] for step in self.released(*words).values()]

    def process(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Python source in a process of its own."""
        return subprocess.run(
            [sys.executable, "-c", program, *words],
            cwd=self.folder,
            env={**self.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def digest(self, repository: str = "ctf") -> str:
        """Verify all content of what was released; return its digest."""
        reference = f"{repository}//{NAME}:1.0.0"
        self.accepted("verify", "cv", reference, "--key", "keys/release.public.pem")
        return self.accepted("hash", "cv", reference).out.strip()

    @property
    def runs(self) -> int:
        """How often the program was built."""
        return len((self.folder / "runs").read_text().splitlines())

    def state(self) -> Sequence[str]:
        """Return the steps that ``release.json`` says are done."""
        document = json.loads((self.folder / "dist/release.json").read_bytes())
        return [step["step"] for step in document["steps"]]


@pytest.fixture
def room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> ReleaseRoom:
    """A project that can be released."""
    return ReleaseRoom(tmp_path, capsys, monkeypatch)
