"""Several processes write to one archive; some are killed, some run out of space."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from ocm_pkg.fs.blob import verify
from ocm_pkg.fs.process import child_environment, run, start
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import NAME, stored
from tests.fakes.trees import names

ROOT = Path(__file__).parents[2]
ENV = child_environment({"PATH": os.environ["PATH"]}, {"PYTHONPATH": str(ROOT)})
WRITER = """
import os, resource, sys
from contextlib import nullcontext
from pathlib import Path
from ocm_pkg.errors import NoSpaceError
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.store.provider import BuiltinProvider
from tests.fakes.components import stored

path, step, skip, limit, batch, *versions = sys.argv[1:]
left = [int(skip)]
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))

def fail_point(name):
    if name == step:
        if left[0] == 0:
            os.kill(os.getpid(), 9)
        left[0] -= 1

provider = BuiltinProvider(fail_point=fail_point)
repository = provider.open(RepositorySpec("ctf", path), create=True)
try:
    with repository.batch() if batch == "batch" else nullcontext():
        for version in versions:
            stored(repository, version=version, content=b"content of " + version.encode() * 100)
except NoSpaceError as error:
    sys.exit(f"{error.code}: {error.message}")
"""


def argv(path, *versions, step="", skip=0, limit=0, batch="single"):
    options = [step, str(skip), str(limit), batch]
    return [sys.executable, "-c", WRITER, str(path), *options, *versions]


def opened(path):
    return ComponentRepository(CTFStore(path) if path.is_dir() else ArchiveStore(path))


def check(path, versions):
    """Every listed version is complete."""
    repository = opened(path)
    assert sorted(repository.versions(NAME)) == sorted(versions)
    for version in versions:
        got = repository.get(NAME, version)
        verify(repository.blob(got, got.component.resources[0]))


@pytest.mark.parametrize("batch", ["single", "batch"])
@pytest.mark.parametrize("name", ["ctf", "ctf.tgz", "ctf.tar"])
def test_no_update_is_lost_when_eight_processes_add_at_once(tmp_path, name, batch):
    path = tmp_path / name
    versions = [[f"{writer}.{number}.0" for number in range(3)] for writer in range(8)]
    children = [
        start(argv(path, *each, batch=batch), env=ENV, stdin_pipe=False) for each in versions
    ]
    for child in children:
        with child:
            assert child.wait(100) == 0, child.stderr.read(10_000)
    check(path, [version for each in versions for version in each])
    assert names(tmp_path) == [name]
    if path.is_dir():
        assert names(path) == ["artifact-index.json", "blobs"]
        assert all(each.startswith("sha256.") for each in names(path / "blobs"))


STEPS = [
    "archive.push",
    "archive.locked",
    "atomic.create",
    "atomic.write",
    "archive.index",
    "archive.blob",
    "archive.end",
    "atomic.sync",
    "atomic.rename",
    "atomic.sync-folder",
]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", ["ctf.tgz", "ctf.tar"])
@pytest.mark.parametrize("there", [True, False])
def test_I01_a_writer_killed_at_any_step_leaves_the_old_archive_or_the_new_one(
    tmp_path, name, step, there
):
    path = tmp_path / name
    old = ["1.0.0"] if there else []
    if there:
        stored(opened_new(path))
    before = path.read_bytes() if there else None
    new = ["2.0.0", "3.0.0"]
    done = run(argv(path, *new, step=step, batch="batch"), env=ENV, timeout=60, max_output=100_000)
    assert done.returncode == -signal.SIGKILL, done.stderr
    if step == "atomic.sync-folder":
        check(path, [*old, *new])
    else:
        assert (path.read_bytes() if path.exists() else None) == before
    stored(opened_new(path), version="4.0.0")
    check(path, [*old, *(new if step == "atomic.sync-folder" else []), "4.0.0"])
    assert names(tmp_path) == [name]


def opened_new(path):
    return ComponentRepository(ArchiveStore(path, create=True))


@pytest.mark.parametrize("limit", [100, 3_000, 15_000])
def test_I04_a_full_disk_leaves_the_old_archive_byte_for_byte(tmp_path, limit):
    path = tmp_path / "ctf.tar"
    stored(opened_new(path))
    before = path.read_bytes()
    done = run(
        argv(path, "2.0.0", "3.0.0", limit=limit, batch="batch"),
        env=ENV,
        timeout=60,
        max_output=100_000,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"E111:"), done.stderr
    assert path.read_bytes() == before
    assert names(tmp_path) == ["ctf.tar"]
    done = run(argv(path, "2.0.0", "3.0.0"), env=ENV, timeout=60, max_output=100_000)
    assert done.returncode == 0
    check(path, ["1.0.0", "2.0.0", "3.0.0"])


@pytest.mark.parametrize("name", ["ctf.tgz", "ctf.tar"])
def test_B01_memory_does_not_grow_with_the_size_of_an_archive(tmp_path, name):
    script = """
import sys
from pathlib import Path
from ocm_pkg.fs.blob import FileBlob
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import NAME, descriptor, resource as element, stored

file, path = map(Path, sys.argv[1:])
repository = ComponentRepository(ArchiveStore(path, create=True))
blob = repository.put_blob(NAME, "1.0.0", element(), FileBlob(file))
repository.add(descriptor(resources=[blob]))
stored(ComponentRepository(ArchiveStore(path)), version="2.0.0")
# Not ru_maxrss: that counts what the parent had when it forked.
status = Path("/proc/self/status").read_text()
print(int(status.partition("VmHWM:")[2].split()[0]) * 1024)
"""
    peaks = []
    for size in (1, 200):
        with (tmp_path / "file").open("wb") as stream:
            stream.truncate(size * 1024 * 1024)
        path = tmp_path / f"{size}-{name}"
        command = [sys.executable, "-c", script, str(tmp_path / "file"), str(path)]
        done = run(command, env=ENV, timeout=100, max_output=10_000)
        assert done.returncode == 0, done.stderr
        peaks.append(json.loads(done.stdout))
    assert max(peaks) < 96 * 1024 * 1024
    assert peaks[1] - peaks[0] < 16 * 1024 * 1024


def test_many_blobs_do_not_need_many_open_files(tmp_path):
    script = """
import resource, sys
from pathlib import Path
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import stored

resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
repository = ComponentRepository(ArchiveStore(Path(sys.argv[1]), create=True))
with repository.batch():
    for number in range(100):
        stored(repository, version=f"1.{number}.0", content=b"%d" % number)
assert len(repository.versions("ocm.test/open/plugins/demo")) == 100
"""
    command = [sys.executable, "-c", script, str(tmp_path / "ctf.tgz")]
    done = run(command, env=ENV, timeout=60, max_output=100_000)
    assert done.returncode == 0, done.stderr
