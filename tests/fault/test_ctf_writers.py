"""Several processes write to one CTF; some are killed."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from ocm_pkg.fs.atomic import TEMPORARY_PREFIX
from ocm_pkg.fs.blob import verify
from ocm_pkg.fs.process import child_environment, run, start
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import NAME, stored
from tests.fakes.trees import names

ROOT = Path(__file__).parents[2]
ENV = child_environment({"PATH": os.environ["PATH"]}, {"PYTHONPATH": str(ROOT)})
WRITER = """
import os, sys
from pathlib import Path
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import stored

path, step, skip, *versions = sys.argv[1:]
left = [int(skip)]

def fail_point(name):
    if name == step:
        if left[0] == 0:
            os.kill(os.getpid(), 9)
        left[0] -= 1

repository = ComponentRepository(CTFStore(Path(path), create=True, fail_point=fail_point))
for version in versions:
    stored(repository, version=version, content=b"content of " + version.encode())
"""


def argv(path, *versions, step="", skip=0):
    return [sys.executable, "-c", WRITER, str(path), step, str(skip), *versions]


def check(path, versions):
    """Every listed version is complete, and only the format's names are there."""
    repository = ComponentRepository(CTFStore(path))
    assert sorted(repository.versions(NAME)) == sorted(versions)
    for version in versions:
        got = repository.get(NAME, version)
        verify(repository.blob(got, got.component.resources[0]))


def leftovers(path):
    found = [*names(path), *names(path / "blobs")]
    return [name for name in found if name.startswith(TEMPORARY_PREFIX)]


def test_no_update_is_lost_when_many_processes_add_at_once(tmp_path):
    path = tmp_path / "ctf"
    versions = [[f"{writer}.{number}.0" for number in range(6)] for writer in range(6)]
    children = [start(argv(path, *each), env=ENV, stdin_pipe=False) for each in versions]
    for child in children:
        with child:
            assert child.wait(60) == 0, child.stderr.read(10_000)
    check(path, [version for each in versions for version in each])
    assert names(path) == ["artifact-index.json", "blobs"]
    assert not leftovers(path)


STEPS = [
    "ctf.blob",
    "ctf.index",
    "atomic.create",
    "atomic.write",
    "atomic.sync",
    "atomic.rename",
    "atomic.sync-folder",
]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("skip", [0, 1, 4])
def test_I01_a_writer_killed_at_any_step_leaves_all_or_nothing(tmp_path, step, skip):
    path = tmp_path / "ctf"
    stored(ComponentRepository(CTFStore(path, create=True)))
    done = run(argv(path, "2.0.0", step=step, skip=skip), env=ENV, timeout=60, max_output=100_000)
    reached = done.returncode == -signal.SIGKILL
    assert reached or (done.returncode == 0 and skip), done.stderr
    versions = ComponentRepository(CTFStore(path)).versions(NAME)
    assert list(versions) in (["1.0.0"], ["2.0.0", "1.0.0"])
    check(path, versions)
    stored(ComponentRepository(CTFStore(path)), version="2.0.0", content=b"content of 2.0.0")
    stored(ComponentRepository(CTFStore(path)), version="3.0.0")
    check(path, ["1.0.0", "2.0.0", "3.0.0"])
    assert not leftovers(path)


def test_B01_memory_does_not_grow_with_the_size_of_a_blob(tmp_path):
    script = """
import sys
from pathlib import Path
from ocm_pkg.fs.blob import FileBlob, verify
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import NAME, descriptor, resource as element

file, ctf = map(Path, sys.argv[1:])
repository = ComponentRepository(CTFStore(ctf, create=True))
stored = repository.put_blob(NAME, "1.0.0", element(), FileBlob(file))
made = descriptor(resources=[stored])
repository.add(made)
verify(repository.blob(made, stored))
# Not ru_maxrss: that counts what the parent had when it forked.
status = Path("/proc/self/status").read_text()
print(int(status.partition("VmHWM:")[2].split()[0]) * 1024)
"""
    peaks = []
    for size in (1, 200):
        with (tmp_path / "file").open("wb") as stream:
            stream.truncate(size * 1024 * 1024)
        argv = [sys.executable, "-c", script, str(tmp_path / "file"), str(tmp_path / f"ctf{size}")]
        done = run(argv, env=ENV, timeout=100, max_output=10_000)
        assert done.returncode == 0, done.stderr
        peaks.append(json.loads(done.stdout))
    assert max(peaks) < 96 * 1024 * 1024
    assert peaks[1] - peaks[0] < 16 * 1024 * 1024
