"""Where the real launcher unpacks its program, and what it does when somebody was there."""

from __future__ import annotations

import os
import resource
import subprocess
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.model.digest import digest_of
from tests.fakes.launcher_plugin import MARKS, LauncherPlugin, payload, real_launcher, works
from tests.fakes.launchers import launcher
from tests.fakes.plugins_to_install import CAPABILITIES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = MARKS
IS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def stub(tmp_path_factory) -> bytes:
    return real_launcher(tmp_path_factory.mktemp("go"))


@pytest.fixture
def plugin(tmp_path, stub) -> LauncherPlugin:
    return LauncherPlugin(tmp_path, launcher(payload(), stub=stub, capabilities=CAPABILITIES))


def replaced(plugin: LauncherPlugin) -> Path:
    """Return the program in the cache after another was put in its place."""
    works(plugin)
    made = plugin.folder / "content/hello/hello"
    made.write_bytes(b"#!/bin/sh\necho evil\n")
    return made


def loose_mode(plugin: LauncherPlugin) -> None:
    works(plugin)
    plugin.folder.chmod(0o770)


def other_owner(plugin: LauncherPlugin) -> None:
    works(plugin)
    os.chown(plugin.folder, 65534, 65534)


def other_file_owner(plugin: LauncherPlugin) -> None:
    works(plugin)
    os.chown(plugin.folder / "content/hello/lib/text", 65534, 65534)


def writable_file(plugin: LauncherPlugin) -> None:
    works(plugin)
    (plugin.folder / "content/hello/lib/text").chmod(0o666)


def program_that_may_not_run(plugin: LauncherPlugin) -> None:
    works(plugin)
    (plugin.folder / "content/hello/hello").chmod(0o644)


def missing_file(plugin: LauncherPlugin) -> None:
    works(plugin)
    (plugin.folder / "content/hello/lib/text").unlink()


def link_elsewhere(plugin: LauncherPlugin) -> None:
    works(plugin)
    path = plugin.folder / "content/hello/text"
    path.unlink()
    path.symlink_to("/etc/passwd")


def same_size(plugin: LauncherPlugin) -> None:
    works(plugin)
    (plugin.folder / "content/hello/lib/text").write_bytes(b"LIBRARY\n")


def cut_list(plugin: LauncherPlugin) -> None:
    works(plugin)
    (plugin.folder / "list").write_bytes(b"")


def folder_is_a_link(plugin: LauncherPlugin) -> None:
    works(plugin)
    elsewhere = plugin.home / "elsewhere"
    made = plugin.folder
    made.rename(elsewhere)
    made.symlink_to(elsewhere)


NEEDS_ROOT = pytest.mark.skipif(not IS_ROOT, reason="only root may give files away")


@pytest.mark.parametrize(
    "change",
    [
        replaced,
        loose_mode,
        pytest.param(other_owner, marks=NEEDS_ROOT),
        pytest.param(other_file_owner, marks=NEEDS_ROOT),
        writable_file,
        program_that_may_not_run,
        missing_file,
        link_elsewhere,
        same_size,
        cut_list,
        folder_is_a_link,
    ],
)
def test_A_a_cache_that_is_not_as_it_was_left_is_made_anew(plugin, change):
    change(plugin)
    works(plugin)
    made = plugin.cache / digest_of(payload()).hex
    assert not made.is_symlink()
    assert made.stat().st_mode & 0o777 == 0o700
    assert made.stat().st_uid == os.geteuid()
    assert (made / "content/hello/lib/text").read_bytes() == b"library\n"
    assert [path.name for path in plugin.cache.glob(".*")] == []


def no_home(plugin: LauncherPlugin) -> None:
    del plugin.env["HOME"]


def relative_home(plugin: LauncherPlugin) -> None:
    plugin.env["HOME"] = "home"
    plugin.env["XDG_CACHE_HOME"] = "cache"


def cache_below_a_file(plugin: LauncherPlugin) -> None:
    (plugin.home / "file").touch()
    plugin.env["XDG_CACHE_HOME"] = str(plugin.home / "file")


def read_only(plugin: LauncherPlugin) -> None:
    plugin.env["XDG_CACHE_HOME"] = "/proc/ocm-pkg" if IS_ROOT else str(plugin.home)
    plugin.home.chmod(0o555)


def open_to_all(plugin: LauncherPlugin) -> None:
    (plugin.home / ".cache").mkdir()
    (plugin.home / ".cache").chmod(0o777)


def cache_is_a_link(plugin: LauncherPlugin) -> None:
    (plugin.home / ".cache").mkdir()
    (plugin.home / "other").mkdir()
    (plugin.home / ".cache/ocm-pkg").symlink_to(plugin.home / "other")


def home_of_another(plugin: LauncherPlugin) -> None:
    os.chown(plugin.home, 65534, 65534)


def cache_of_another(plugin: LauncherPlugin) -> None:
    plugin.cache.mkdir(parents=True)
    os.chown(plugin.cache, 65534, 65534)


@pytest.mark.parametrize(
    "change",
    [
        no_home,
        relative_home,
        cache_below_a_file,
        read_only,
        open_to_all,
        cache_is_a_link,
        pytest.param(home_of_another, marks=NEEDS_ROOT),
        pytest.param(cache_of_another, marks=NEEDS_ROOT),
    ],
)
def test_A_without_a_cache_of_ones_own_a_private_temporary_folder_serves(plugin, change):
    change(plugin)
    works(plugin)
    works(plugin)
    private = plugin.temp / f"ocm-pkg-{os.geteuid()}"
    assert private.stat().st_mode & 0o777 == 0o700
    assert len([path for path in (private / "launcher").iterdir() if path.is_dir()]) == 1


def test_a_cache_folder_that_is_named_is_used(plugin):
    plugin.env["XDG_CACHE_HOME"] = str(plugin.home / "own cache [x]")
    works(plugin)
    assert (plugin.home / "own cache [x]/ocm-pkg/launcher").is_dir()


def test_where_nothing_can_be_written_it_says_so(plugin):
    no_home(plugin)
    plugin.env["TMPDIR"] = str(plugin.path)
    plugin.refused("not a directory", "x")
    assert plugin("capabilities").stdout == CAPABILITIES


def test_A_a_temporary_folder_that_somebody_else_has_made_is_not_used(plugin):
    no_home(plugin)
    private = plugin.temp / f"ocm-pkg-{os.geteuid()}"
    private.mkdir()
    private.chmod(0o777)
    plugin.refused("of this user alone", "x")


def test_a_full_disk_leaves_nothing_behind(plugin):
    limit = (16, 16)  # a write beyond it fails, as on a full disk
    ran = plugin("x", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert b"file too large" in ran.stderr
    assert plugin.left() == []
    works(plugin)


def test_a_first_start_that_is_killed_does_not_hinder_the_next(plugin):
    with subprocess.Popen([plugin.path, "x"], env=plugin.env, stdout=subprocess.DEVNULL) as child:
        child.kill()
    works(plugin)
    assert [path.name for path in plugin.cache.glob(".*")] == []
