"""The real launcher, with a script as its program: what it runs, and what it refuses to run."""

from __future__ import annotations

import gzip
import itertools
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.trailer import SIZE
from tests.fakes.launcher_plugin import MARKS, SCRIPT, LauncherPlugin, payload, real_launcher, works
from tests.fakes.launchers import launcher
from tests.fakes.plugins_to_install import CAPABILITIES
from tests.fakes.tars import Member, folder, link, pax, program, tar, tgz
from tests.fakes.trees import snapshot

pytestmark = MARKS
IS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def stub(tmp_path_factory) -> bytes:
    return real_launcher(tmp_path_factory.mktemp("go"))


@pytest.fixture
def plugin(tmp_path, stub) -> LauncherPlugin:
    return LauncherPlugin(tmp_path, launcher(payload(), stub=stub, capabilities=CAPABILITIES))


def test_capabilities_are_printed_without_unpacking(plugin):
    ran = plugin("capabilities")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, CAPABILITIES, b"")
    assert plugin.left() == []


def test_without_an_answer_the_program_is_asked(tmp_path, stub):
    plugin = LauncherPlugin(tmp_path, launcher(payload(), stub=stub))
    assert b"args capabilities" in plugin("capabilities").stdout


def test_the_program_takes_the_place_of_the_launcher(plugin):
    for _ in range(2):
        env = {**plugin.env, "SETTING": "kept"}
        argv = [plugin.path, "a b", "", "--x"]
        with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE) as child:
            out = child.stdout.read().decode()
        assert out == f"pid {child.pid} set kept args a b  --x\nlibrary\n"
    assert plugin("status").returncode == 7
    assert plugin("stdin", input=b"in").stdout == b"in"


def test_more_words_than_capabilities_go_to_the_program(plugin):
    assert b"args capabilities x" in plugin("capabilities", "x").stdout


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_it_is_unpacked_once_into_a_private_folder(plugin, umask):
    plugin("x", umask=umask)
    works(plugin)
    assert plugin.folder.stat().st_mode & 0o777 == 0o700
    assert plugin.cache.stat().st_mode & 0o777 == 0o700
    made = plugin.folder / "content/hello/hello"
    assert made.stat().st_mode & 0o777 == 0o755
    before = snapshot(plugin.home)
    inode = made.stat().st_ino
    works(plugin)
    assert snapshot(plugin.home) == before
    assert made.stat().st_ino == inode


def test_eight_first_runs_at_once(plugin):
    with ThreadPoolExecutor(8) as pool:
        ran = list(pool.map(lambda _: plugin("x"), range(8)))
    assert [one.returncode for one in ran] == [0] * 8, [one.stderr for one in ran]
    assert all(one.stdout.endswith(b"library\n") for one in ran)
    assert {path.name[0] for path in plugin.cache.iterdir()} != {"."}
    assert [path.name for path in plugin.cache.glob(".*")] == []
    works(plugin)


def test_what_a_killed_first_run_left_is_removed(plugin):
    works(plugin)
    digest = plugin.folder.name
    shutil.rmtree(plugin.folder)
    for name in (f".new-{digest[:16]}-1", f".old-{digest[:16]}-2"):
        (plugin.cache / name / "content").mkdir(parents=True)
    works(plugin)
    assert [path.name for path in plugin.cache.glob(".*")] == []


@pytest.mark.parametrize("at", [0, 100, -20])
def test_A_a_changed_payload_is_not_run(tmp_path, stub, at):
    data = bytearray(launcher(payload(), stub=stub, capabilities=CAPABILITIES))
    start = len(stub) + len(CAPABILITIES) if at >= 0 else len(data) - SIZE
    data[start + at] ^= 1
    plugin = LauncherPlugin(tmp_path, bytes(data))
    plugin.refused("is damaged", "x")
    assert plugin.left() == []
    assert plugin("capabilities").stdout == CAPABILITIES


def test_A_a_payload_of_another_digest_is_not_run(tmp_path, stub):
    plugin = LauncherPlugin(tmp_path, launcher(payload(), stub=stub, payload=digest_of(b"other")))
    plugin.refused("its digest is another", "x")
    assert plugin.left() == []


def test_A_a_changed_answer_is_not_printed(tmp_path, stub):
    data = launcher(payload(), stub=stub, capabilities=CAPABILITIES)
    plugin = LauncherPlugin(tmp_path, data.replace(b"Hello/v1", b"Hallo/v1"))
    plugin.refused("was changed", "capabilities")


@pytest.mark.parametrize("cut", [1, SIZE - 1, SIZE, SIZE + 1, 3000])
def test_A_a_file_that_is_cut_says_so(tmp_path, stub, cut):
    plugin = LauncherPlugin(tmp_path, launcher(payload(), stub=stub)[:-cut])
    plugin.refused("it is cut off", "x")
    plugin.refused("it is cut off", "capabilities")


def test_A_a_file_with_something_behind_it_says_so(tmp_path, stub):
    plugin = LauncherPlugin(tmp_path, launcher(payload(), stub=stub) + b"\n")
    plugin.refused("never packed", "x")


def test_A_a_trailer_that_does_not_fit_the_file_is_refused(tmp_path, stub):
    plugin = LauncherPlugin(tmp_path, launcher(payload(), stub=stub, launcher_size=len(stub) + 1))
    plugin.refused("damaged", "x")


HOSTILE = {
    "outside": (Member("../evil", b"x"), "has an empty part, . or .."),
    "absolute": (Member("/usr/evil", b"x"), "is absolute"),
    "backslash": (Member("a\\b", b"x"), "special"),
    "unprintable": (Member("a\x1b[31m", b"x"), "unprintable"),
    "link out": (link("hello/out", "../../x"), "leads out"),
    "absolute link": (link("out", "/etc"), "leads out"),
    "link to nothing": (link("out", "nothing"), "leads to nothing"),
    "circle": (Member("b", kind=b"2", target="c", raw=link("c", "b").encode()), "circle"),
    "through a link": (Member("l/x", b"x", raw=link("l", "hello").encode()), "a link and a folder"),
    "hard link": (Member("hard", kind=b"1", target="hello/hello"), "no file, folder"),
    "device": (Member("device", kind=b"3"), "no file, folder"),
    "pipe": (Member("pipe", kind=b"6"), "no file, folder"),
    "twice": (Member("hello/hello", b"x"), "twice"),
    "file as folder": (Member("hello/hello/x", b"x"), "a file and a folder"),
    "long name": (Member("x", b"x", raw=pax(path="x/" * 70 + "x")), "too deep"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_A_what_the_payload_may_not_have_is_refused(tmp_path, stub, name):
    member, reason = HOSTILE[name]
    plugin = LauncherPlugin(tmp_path, launcher(payload(member), stub=stub))
    plugin.refused(reason, "x")
    assert plugin.left() == []
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        (payload(), {"unpacked_size": 2048}),
        (tgz(program("hello/other")), {}),
        (tgz(folder("hello/hello")), {}),
        (gzip.compress(b"no tar" * 200), {}),
        (b"no gzip", {}),
        (payload() + b"x", {}),
        (payload() + payload(), {"unpacked_size": 1 << 20}),
        (gzip.compress(tar(program("hello/hello", SCRIPT))[:600]), {}),
        (gzip.compress(bytes(50_000_000)), {"unpacked_size": 1000}),
    ],
    ids=itertools.count(),
)
def test_A_a_payload_that_is_not_what_it_should_be_is_refused(tmp_path, stub, data, changes):
    plugin = LauncherPlugin(tmp_path, launcher(data, stub=stub, **changes))
    plugin.refused("is damaged", "x")
    assert plugin.left() == []


def test_it_works_by_any_name_and_after_its_file_is_gone(plugin, tmp_path):
    other = tmp_path / "bin"
    other.mkdir()
    (other / "renamed").symlink_to(plugin.path)
    env = {**plugin.env, "PATH": f"{other}:/usr/bin:/bin"}
    ran = subprocess.run(["renamed", "x"], env=env, capture_output=True, check=True)
    assert ran.stdout.endswith(b"library\n")


@pytest.mark.skipif(not IS_ROOT, reason="only root may change the root folder")
@pytest.mark.parametrize(("argv", "path"), [(("/plugin",), "/"), (("plugin",), "/x:/")])
def test_it_finds_itself_without_proc(tmp_path, stub, argv, path):
    static = tgz(program("hello/hello", stub))
    data = launcher(static, stub=stub, capabilities=CAPABILITIES)
    root = tmp_path / "root"
    root.mkdir()
    plugin = LauncherPlugin(root, data)

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*argv, *arguments],
            executable="/plugin",
            env={"PATH": path, "HOME": "/home"},
            preexec_fn=lambda: (os.chroot(root), os.chdir("/")),
            capture_output=True,
            check=False,
        )

    assert run("capabilities").stdout == CAPABILITIES
    ran = run("x")
    assert b"hello: this file has no program in it" in ran.stderr
    assert plugin.folder.is_dir()


@pytest.mark.skipif(shutil.which("qemu-aarch64-static") is None, reason="needs qemu-user-static")
def test_it_works_on_another_architecture(tmp_path):
    work = tmp_path / "go"
    work.mkdir()
    stub = real_launcher(work, Platform("linux", "arm64"))
    plugin = LauncherPlugin(tmp_path, launcher(payload(), stub=stub, capabilities=CAPABILITIES))
    argv = [shutil.which("qemu-aarch64-static"), plugin.path]

    def run(word: str) -> bytes:
        return subprocess.run([*argv, word], env=plugin.env, capture_output=True, check=True).stdout

    assert run("capabilities") == CAPABILITIES
    for _ in range(2):
        assert run("x").endswith(b"args x\nlibrary\n")
    assert len([path for path in plugin.cache.iterdir() if path.is_dir()]) == 1
