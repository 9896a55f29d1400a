"""A place to attack the command line in, with everything watched that an attack could touch."""

from __future__ import annotations

import gc
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocm_pkg.cli.main import run
from tests.fakes import rawctf
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    import pytest

KEYS = Path(__file__).parents[1] / "vectors/keys"
NAME = "example.com/plugins/hello"
REF = f"ctf//{NAME}:1.0.0"
MIB = 1024 * 1024
IDLE = 60 * MIB
"""What a process takes that has done nothing yet; bounds below 128 MiB come on top of it."""

_CODE = re.compile(r"^error\[E([0-9]{3})\]: ", re.MULTILINE)
_PRINTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_MEASURED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from ocm_pkg.cli.main import run
code = run(sys.argv[2:])
[peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
open(sys.argv[1], "w").write(peak)
sys.exit(code)
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended. ``peak`` is its memory in bytes, where that was measured."""

    code: int
    out: str
    err: str
    seconds: float
    peak: int = 0

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The code of the error that it printed, like ``E230``."""
        [code] = _CODE.findall(self.err)
        return f"E{code}"

    @property
    def all(self) -> str:
        """Everything it printed."""
        return self.out + self.err


class Arena:
    """``work`` is the folder to work in, ``outside`` one that is nobody's business.

    ``secrets`` are texts that no command may ever print.
    """

    def __init__(
        self, base: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.base = base
        self.work, self.outside = base / "work", base / "outside"
        self.ctf = self.work / "ctf"
        self.secrets = ["BEGIN PRIVATE KEY", "BEGIN RSA PRIVATE KEY", "s3cret-of-the-test"]
        self._capsys = capsys
        for folder in ("work", "outside", "home", "tmp"):
            (base / folder).mkdir()
        (self.outside / "precious").write_text("precious")
        self.environ = {"HOME": str(base / "home"), "TMPDIR": str(base / "tmp")}
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "OCM_PLUGIN_DIRECTORY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in self.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("OCM_TEST_SECRET", "s3cret-of-the-test")
        monkeypatch.setattr(tempfile, "tempdir", str(base / "tmp"))
        monkeypatch.setattr("ocm_pkg.cli.main._end_on_signals", lambda: None)
        monkeypatch.chdir(self.work)

    def run(self, *arguments: object) -> Ended:
        """Run a command in this process."""
        self._capsys.readouterr()
        started = time.monotonic()
        code = run([str(one) for one in arguments])
        seconds = time.monotonic() - started
        out, err = self._capsys.readouterr()
        return Ended(code, out, err, seconds)

    def measured(self, *arguments: object) -> Ended:
        """Run a command in a process of its own, with a limit of memory, and measure its peak."""
        peak = self.base.parent / f"{self.base.name}-peak"
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", _MEASURED, str(peak), *map(str, arguments)],
            cwd=self.work,
            env={**self.environ, "PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        seconds = time.monotonic() - started
        assert peak.exists(), done
        return Ended(
            done.returncode, done.stdout, done.stderr, seconds, int(peak.read_text()) * 1024
        )

    def accepted(self, *arguments: object) -> Ended:
        """Run a command that must succeed."""
        ended = self.run(*arguments)
        assert ended.code == 0, (arguments, ended)
        return ended

    def refused(
        self,
        *arguments: object,
        code: int | Collection[int] = 2,
        says: str = "",
        seconds: float = 10,
        memory: int = 0,
    ) -> Ended:
        """Run a command that must be refused, and check all that being refused means.

        With ``memory`` (bytes) it runs in a process of its own, and its peak stays below that.
        """
        before, held = self._tree(), _held()
        runner: Callable[..., Ended] = self.measured if memory else self.run
        ended = runner(*arguments)
        codes = {code} if isinstance(code, int) else set(code)
        assert ended.code in codes, (arguments, ended)
        assert ended.error[1] == str(ended.code), ended
        assert ended.error != "E199", ended
        assert says in ended.err, ended
        self.clean(ended)
        changed = self._tree().items() ^ before.items()
        assert not changed, (arguments, changed)
        # A server of the test, in this process too, needs a moment to end its side.
        deadline = time.monotonic() + 2
        while _held() - held and time.monotonic() < deadline:
            gc.collect()
            time.sleep(0.01)
        assert not _held() - held, arguments
        assert ended.seconds < seconds, ended
        assert ended.peak <= memory, ended
        return ended

    def _tree(self) -> dict[str, tuple[object, ...]]:
        """Return everything but the cache, which any command may fill: its tests look there."""
        cache = Path("home/.cache/ocm-pkg/blobs")
        own = {str(one) for one in (cache, *cache.parents[:2])}
        tree = snapshot(self.base)
        return {
            name: one
            for name, one in tree.items()
            if name not in own and not Path(name).is_relative_to(cache)
        }

    def clean(self, ended: Ended) -> None:
        """Check that no secret was printed, no traceback, and nothing a terminal would obey."""
        assert "Traceback" not in ended.all
        assert "recursion" not in ended.all
        assert not _PRINTED.search(ended.all), ended.all
        for secret in self.secrets:
            assert secret not in ended.all, ended.all

    def file(self, name: str, data: bytes | str) -> Path:
        """Write a file in the working folder."""
        path = self.work / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def key(self, name: str) -> Path:
        """Copy a key of the vectors to the working folder, with the rights that it should have."""
        path = self.file(name, (KEYS / name).read_bytes())
        path.chmod(0o600)
        return path

    def constructor(self, **members: Any) -> None:
        """Write a constructor with one component; a member that is ``...`` is left out."""
        component = {
            "name": NAME,
            "version": "1.0.0",
            "provider": {"name": "example.com"},
            "resources": [
                {"name": "hello", "type": "ocmPlugin", "input": {"type": "utf8", "text": "run"}}
            ],
            **members,
        }
        kept = {name: value for name, value in component.items() if value is not ...}
        self.file("component-constructor.yaml", json.dumps(kept))

    def signed(self, *, key: str = "test-key-a", **members: Any) -> list[object]:
        """Make and sign a component version; return the command that verifies it."""
        self.constructor(**members)
        self.accepted("add", "cv", "--component-version-conflict-policy", "replace")
        version = members.get("version", "1.0.0")
        ref = f"ctf//{members.get('name', NAME)}:{version}"
        self.accepted("sign", "cv", ref, "--key", self.key(f"{key}.private.pem"))
        return ["verify", "cv", ref, "--key", self.key(f"{key}.public.pem")]

    def stored(self, value: bytes | dict[str, Any], media_type: str = rawctf.JSON) -> None:
        """Store a descriptor as 1.0.0 of the usual component, whatever it says."""
        rawctf.store(self.ctf, NAME, "1.0.0", value, media_type=media_type)


def _held() -> set[object]:
    """Return what a command could leave in its process: threads, children, open files."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {*threading.enumerate(), *children, *_open_files()}


def _open_files() -> Iterator[str]:
    for one in Path("/proc/self/fd").iterdir():
        try:
            status = one.stat()
            if stat.S_ISREG(status.st_mode) or stat.S_ISSOCK(status.st_mode):
                yield str(one.readlink())
        except OSError:
            continue
