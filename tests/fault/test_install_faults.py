from __future__ import annotations

import errno
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.errors import LocalStorageError, NoSpaceError
from ocm_pkg.fs.atomic import TEMPORARY_PREFIX
from ocm_pkg.services.installed import installed
from tests.fakes.install_world import World
from tests.fakes.plugins_to_install import program
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    for version in ("1.0.0", "2.0.0"):
        world.offer(version)
    return world


def steps_of(world: World, version: str) -> list[str]:
    """Return the fail points that an installation passes, in order."""
    passed: list[str] = []
    world.install(version, fail_point=passed.append)
    return passed


def install_and_die(world: World, version: str, at: int) -> bool:
    """Install in a child process that kills itself at its fail point ``at``; whether it did."""
    world.clock = world.clock.replace(microsecond=(world.clock.microsecond + 1) % 1_000_000)
    child = os.fork()
    if child == 0:
        count = 0

        def die(_step: str) -> None:
            nonlocal count
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

        try:
            world.install(version, fail_point=die)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def run(world: World) -> str:
    done = subprocess.run([world.link], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def check_clean(world: World) -> None:
    """Check that nothing is there which an undisturbed installation would not have left."""
    assert not list(world.root.rglob(f"{TEMPORARY_PREFIX}*"))
    receipts = [path.name for path in (world.root / "data/receipts").iterdir()]
    assert receipts == ["hello.json"]
    contents = {path.name for path in (world.root / "data/store").iterdir()}
    used = {
        generation.resolve().parent.name
        for generation in (world.root / "data/generations/hello").glob("*/program")
    }
    assert contents == used


def test_I01_killed_at_any_point_of_the_first_install(tmp_path: Path) -> None:
    points = len(steps_of(prepared(tmp_path / "count"), "1.0.0"))
    assert points > 12
    for at in range(points):
        world = prepared(tmp_path / str(at))
        assert install_and_die(world, "1.0.0", at)
        found = installed(world.place, full=True)
        if world.link.is_symlink():
            assert [(one.receipt.version, one.state) for one in found] == [("1.0.0", "ok")]
            assert run(world) == "1.0.0"
        else:
            assert list(found) == []
        world.install("1.0.0")
        assert run(world) == "1.0.0"
        check_clean(world)


def prepared(root: Path) -> World:
    root.mkdir()
    world = World(root)
    for version in ("1.0.0", "2.0.0"):
        world.offer(version)
    return world


@pytest.fixture
def reader(world: World) -> Iterator[Path]:
    """Start the plugin over and over; the file gets a line for each start that failed."""
    world.install("1.0.0")
    failures, stop = world.root / "failures", world.root / "stop"
    script = """
        while [ ! -e "$3" ]; do
            out=$("$1") || echo "status $?" >> "$2"
            case $out in 1.0.0|2.0.0) ;; *) echo "output $out" >> "$2";; esac
            echo . >> "$4"
        done
    """
    failures.touch()
    arguments = [world.link, failures, stop, world.root / "starts"]
    process = subprocess.Popen(["/bin/sh", "-c", script, "reader", *arguments])
    try:
        yield failures
    finally:
        stop.touch()
        process.wait(timeout=20)


@pytest.mark.parametrize("rounds", [24, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.timeout(300)
def test_I02_killed_at_any_point_of_an_update_while_the_plugin_is_used(
    world: World, reader: Path, rounds: int
) -> None:
    points = len(steps_of(world, "2.0.0"))
    for number in range(rounds):
        old, new = ("2.0.0", "1.0.0") if number % 2 == 0 else ("1.0.0", "2.0.0")
        install_and_die(world, new, number % (points + 1))
        assert run(world) in {old, new}
        (found,) = installed(world.place, full=True)
        assert (found.receipt.version, found.state) == (run(world), "ok")
        world.install(new)
        assert run(world) == new
        check_clean(world)
    assert reader.read_text() == ""
    assert (world.root / "starts").stat().st_size > rounds


FAULTS = [
    "receive.write",
    "install.fetched",
    "install.probed",
    "atomic.sync",
    "atomic.rename",
    "atomic.sync-folder",
    "install.stored",
    "install.generation",
    "install.link",
    "install.commit",
]


@pytest.mark.parametrize("step", FAULTS)
@pytest.mark.parametrize(
    ("number", "error"), [(errno.EROFS, LocalStorageError), (errno.ENOSPC, NoSpaceError)]
)
def test_I04_a_full_or_read_only_disk_leaves_no_trace(
    world: World, step: str, number: int, error: type[LocalStorageError]
) -> None:
    def fail(reached: str) -> None:
        if reached == step:
            raise OSError(number, os.strerror(number))

    world.offer("9.0.0")
    with pytest.raises(error):
        world.install("9.0.0", fail_point=fail)
    assert installed(world.place) == []
    assert not world.place.plugins.exists()
    assert not world.place.data.exists()
    world.install("1.0.0")
    before = snapshot(world.root)
    with pytest.raises(error):
        world.install("9.0.0", fail_point=fail)
    assert snapshot(world.root) == before
    world.install("9.0.0")
    assert world.link.read_bytes() == program("9.0.0")


@pytest.mark.parametrize("count", [6, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("same", [True, False])
def test_I08_I09_many_processes_install_at_once(world: World, count: int, *, same: bool) -> None:
    versions = ["1.0.0"] * count if same else [f"{number}.0.0" for number in range(1, count + 1)]
    for version in versions:
        world.offer(version)
    children = []
    for number, version in enumerate(versions):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                world.clock = world.clock.replace(microsecond=number + 1)
                world.install(version)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert {os.waitpid(child, 0)[1] for child in children} == {0}
    (found,) = installed(world.place, full=True)
    assert (found.receipt.version in versions, found.state) == (True, "ok")
    assert run(world) == found.receipt.version
    check_clean(world)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.parametrize(
    ("options", "error"), [("ro", LocalStorageError), ("size=64k,nr_inodes=200", NoSpaceError)]
)
def test_I04_I06_a_file_system_that_is_read_only_or_full(
    world: World, options: str, error: type[LocalStorageError]
) -> None:
    """The data folder (full) or the plugin folder (read-only) is a file system of its own."""
    target = world.place.plugins if options == "ro" else world.place.data
    target.mkdir()
    made = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", options, "none", target],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"mount: {made.stderr.decode().strip()}")
    try:
        world.offer("9.0.0", data=program("9.0.0", size=100_000))
        before = snapshot(world.root)
        with pytest.raises(error) as caught:
            world.install("9.0.0")
        assert caught.value.hint
        left = snapshot(world.root)
        left.pop("data", None)
        before.pop("data", None)
        assert left == before
    finally:
        subprocess.run(["/bin/umount", target], check=True)
