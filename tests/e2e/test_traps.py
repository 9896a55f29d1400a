"""The traps of frozen programs, with real ones: what upstream can't mend, nobody falls into."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from ocm_pkg.errors import PluginError
from ocm_pkg.plugin.limits import Limits
from ocm_pkg.plugin.manager import PluginManager
from tests.fakes.command import Command
from tests.fakes.contract import passes
from tests.fakes.plugins import alive

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which("objdump") is None,
        reason="needs Linux with binutils",
    ),
]
VERSIONS = "/component-versions?name=example.com%2Fgreeting"
SHOWING = """\
import os, subprocess
if "SHOWN" in os.environ.get("TZ", ""):
    with open(os.environ["TZ"], "wb") as shown:
        subprocess.run(["env", "-0"], stdout=shown, check=True)
"""
"""The plugin shows what a child program of it sees; ``TZ`` is a variable that reaches plugins."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A command, and one plugin in two shapes."""
    root = tmp_path_factory.mktemp("traps")
    command = Command(root / "home")
    assert command("init", "hello", cwd=root).code == 0
    folder = root / "hello"
    main = folder / "src/hello_plugin/__main__.py"
    text = main.read_text()
    main.write_text(text.replace('if __name__ == "__main__":', f"{SHOWING}\nif True:"))
    for shape in ("file", "dir"):
        words = ("build", "--shape", shape, "--target", "host", "--out", shape)
        ran = command(*words, cwd=folder, timeout=200)
        assert ran.code == 0, ran.err
    (archive,) = (folder / "dir").glob("hello.*64.tar.gz")
    subprocess.run(["tar", "xzf", archive], cwd=folder / "dir", check=True)
    (program,) = [path for path in (folder / "file").glob("hello.*") if os.access(path, os.X_OK)]
    shutil.copy(program, folder / "onefile")
    return command, folder


@pytest.fixture
def onefile(made):
    return made[1] / "onefile"


@pytest.fixture
def room():
    """Folders of the manager: short, as sockets are made in them, and empty at the end."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)
        assert list(Path(name).iterdir()) == []


def manager(room, **options):
    environment = {"PATH": os.environ["PATH"], "HOME": str(room), "TMPDIR": str(room)}
    limits = Limits(probe=60, start=60, grace=2)
    return PluginManager([], environment=environment, runtime_folder=room, limits=limits, **options)


def processes(program: Path) -> set[int]:
    """Return the processes that run ``program`` now."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "exe").readlink() == program.resolve():
                found.add(int(entry.name))
        except OSError:
            continue
    return found


def until(condition) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def unpacked(room: Path) -> list[Path]:
    return list(room.rglob("_MEI*"))


def test_1_of_two_processes_none_is_left_when_the_first_is_killed(onefile, room):
    with manager(room) as plugins:
        instance = plugins.instance(str(onefile))
        assert plugins.call(str(onefile), "GET", VERSIONS).status == 200
        both = processes(onefile)
        assert len(both) == 2, "the boot loader and the program"
        (first,) = [pid for pid in both if parent_of(pid) not in both]
        assert len(unpacked(room)) == 1
        os.kill(first, signal.SIGKILL)
        assert instance.wait_for_exit(30) == -signal.SIGKILL
        assert until(lambda: not any(map(alive, both)))
        assert plugins.call(str(onefile), "GET", VERSIONS).status == 200
    assert processes(onefile) == set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_1_signals_reach_the_program_and_it_cleans_up(onefile, room, number):
    with manager(room) as plugins:
        instance = plugins.instance(str(onefile))
        plugins.call(str(onefile), "GET", VERSIONS)
        both = processes(onefile)
        (first,) = [pid for pid in both if parent_of(pid) not in both]
        os.kill(first, number)
        assert instance.wait_for_exit(30) is not None
        assert until(lambda: not any(map(alive, both)))


def test_2_what_a_cleaner_takes_from_a_running_plugin_is_there_at_its_next_start(onefile, room):
    with manager(room) as plugins:
        plugins.call(str(onefile), "GET", "/healthz")
        (folder,) = unpacked(room)
        shutil.rmtree(folder)
        try:
            first = plugins.call(str(onefile), "GET", VERSIONS)
            assert first.status in (200, 500)
        except PluginError as error:
            assert error.hint or error.detail  # noqa: PT017 - either is a clear answer
        plugins.instance(str(onefile)).stop()
        assert plugins.call(str(onefile), "GET", VERSIONS).status == 200
    assert processes(onefile) == set()


def can_mount() -> bool:
    try:
        argv = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
        return subprocess.run(argv, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not can_mount(), reason="this user may not mount a file system")
def test_2_a_temporary_folder_without_programs_is_not_used_for_plugins(made, onefile, tmp_path):
    command, _folder = made
    (tmp_path / "noexec").mkdir()
    mount = f"mount -t tmpfs -o noexec none {tmp_path}/noexec && cd {tmp_path}"
    environ = {**command.environ, "TMPDIR": str(tmp_path / "noexec")}

    def inside(script):
        argv = ["unshare", "-m", "sh", "-c", f"{mount} && {script}"]
        return subprocess.run(
            argv, env=environ, capture_output=True, text=True, timeout=100, check=False
        )

    alone = inside(f"{onefile} capabilities")
    assert alone.returncode != 0, "the trap is there"
    program = f"{sys.executable} -m ocm_pkg"
    for words in (f"plugin capabilities {onefile}", f"plugin call {onefile} GET '{VERSIONS}'"):
        done = inside(f"{program} {words}")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("original", [None, "/original"])
@pytest.mark.parametrize("shape", ["onefile", "dir/hello/hello"])
def test_3_child_programs_of_a_plugin_see_nothing_of_its_bundle(made, tmp_path, shape, original):
    _command, folder = made
    environ = {"PATH": os.environ["PATH"], "TZ": str(tmp_path / "SHOWN"), "HOME": str(tmp_path)}
    if original:
        environ["LD_LIBRARY_PATH"] = original
    subprocess.run([folder / shape, "capabilities"], env=environ, check=True, capture_output=True)
    lines = (tmp_path / "SHOWN").read_text().split("\0")
    seen = dict(line.partition("=")[::2] for line in lines if line)
    assert seen["PATH"] == environ["PATH"]
    assert seen.get("LD_LIBRARY_PATH") == original
    assert not [name for name in seen if name.startswith(("_PYI", "_MEI"))]
    assert "_MEI" not in "".join(seen.values())


def test_4_links_of_a_folder_arrive_as_links_and_the_plugin_runs(made, tmp_path):
    command, folder = made
    shutil.copytree(folder / "dir/hello", tmp_path / "made", symlinks=True)
    library = next((tmp_path / "made/_internal").glob("libpython*"))
    real = library.rename(library.with_name("real-" + library.name))
    library.symlink_to(real.name)
    text = (folder / "ocm-pkg.yaml").read_text()
    host = command("build", "--plan", "-o", "json", cwd=folder).json["host"]
    start = text[: text.index("build:")]
    targets = f"targets: [{{platform: {host}, builder: prebuilt, path: made, shape: dir}}]\n"
    (tmp_path / "ocm-pkg.yaml").write_text(start + targets)
    assert command("build", cwd=tmp_path).code == 0
    assert command("package", cwd=tmp_path).code == 0
    words = ("plugin", "install", "ctf//example.com/plugins/hello", "--allow-unsigned")
    ran = command(*words, "--into", "plugins", "-o", "json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    there = Path(ran.json["path"]).resolve().parent / "_internal" / library.name
    assert str(there.readlink()) == real.name
    passes(command, "./plugins/hello", cwd=tmp_path, timeout=100)


def test_5_the_plugin_folder_holds_one_program_and_nothing_else(made, tmp_path):
    command, folder = made
    target = tmp_path / "project"
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("file", "onefile", "ctf"))
    assert command("package", "--partial", "--out", "dir", cwd=target).code == 0
    words = ("plugin", "install", "ctf//example.com/plugins/hello", "--allow-unsigned")
    ran = command(*words, "--plugin-directory", "plugins", "-o", "json", cwd=target)
    assert ran.code == 0, ran.err
    (entry,) = (target / "plugins").iterdir()
    assert entry.name == "hello"
    assert os.access(entry, os.X_OK)
    beside = {path.name for path in entry.resolve().parent.rglob("*") if not path.suffix}
    assert len(beside) > 2, "the folder has files without extension"
    assert command("plugin", "remove", "hello", cwd=target).code in (0, 3)
