"""Discovery with plugin folders full of what should not be there, against real processes."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.contract.capabilities import Capability
from ocm_pkg.errors import DuplicatePluginError, PluginNotFoundError
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.plugin.discovery import discover
from ocm_pkg.plugin.limits import Limits
from ocm_pkg.plugin.manager import Hooks, PluginManager
from ocm_pkg.plugin.registry import ImplementedPlugin
from tests.fakes.plugins import own_children, write_plugin, write_program

if TYPE_CHECKING:
    from pathlib import Path

READ = Capability.READ_COMPONENT_VERSION_REPOSITORY
QUICK = Limits(probe=1.5, probe_output=1 << 20, grace=0.5)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "plugins"
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def _no_process_is_left():
    before = own_children()
    yield
    assert own_children() <= before


def look(folder: Path, **options):
    found = discover(
        [folder], environment=os.environ, limits=options.pop("limits", QUICK), **options
    )
    reasons = {entry.path.name: entry.reason for entry in found.rejected}
    return [plugin.name for plugin in found.found], reasons


def test_a_missing_folder_has_no_plugins(tmp_path):
    assert look(tmp_path / "none") == ([], {})


def test_M07_everything_that_is_no_plugin_is_skipped_with_a_reason(folder, tmp_path):
    write_plugin(folder, "good")
    write_plugin(folder, "good.v1")
    write_plugin(tmp_path / "else", "target")
    (folder / "linked").symlink_to(tmp_path / "else" / "target")
    (folder / "README").write_text("read me")
    (folder / "dangling").symlink_to(folder / "nowhere")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "folder").mkdir()
    (folder / "to-folder").symlink_to(tmp_path)
    write_plugin(folder, ".hidden")
    os.mkfifo(folder / "fifo", 0o755)
    write_program(folder, "script", "no shebang")
    found, reasons = look(folder)
    assert found == ["good", "good.v1", "linked"]
    assert reasons.pop("loop")
    assert reasons.pop("script").startswith("plugin script ")
    assert reasons == {
        ".hidden": "hidden",
        "README": "not executable",
        "dangling": "cannot be read: a link to nothing",
        "fifo": "no regular file",
        "folder": "a folder",
        "to-folder": "a folder",
    }


@pytest.mark.parametrize(
    ("switches", "words"),
    [
        ({"hang": "discovery"}, "within 1.5 s and was killed"),
        ({"capabilities_flood": 1}, "more than 1048576 bytes"),
        ({"capabilities_flood": 2}, "more than 1048576 bytes"),
        ({"capabilities": ""}, "not one JSON value"),
        ({"capabilities": "hello\n{}"}, "not one JSON value"),
        ({"capabilities": '{"type":{}} tail'}, "not one JSON value"),
        ({"capabilities": '{"type":{},"type":{}}'}, "twice"),
        ({"capabilities": "[" * 100_000}, "nested too deep"),
        ({"capabilities": "{}"}, "not a plugin"),
        ({"capabilities": "\x00\xff"}, "not one JSON value"),
        ({"die": "discovery", "exit": 4}, "exit status 4"),
        ({"die": "discovery", "exit": -9}, "ended by SIGKILL"),
    ],
    ids=str,
)
def test_M01_M02_D17_a_broken_plugin_is_unusable_and_the_others_go_on(folder, switches, words):
    write_plugin(folder, "a-good")
    write_plugin(folder, "bad", **switches)
    write_plugin(folder, "c-good")
    began = time.monotonic()
    found, reasons = look(folder)
    assert time.monotonic() - began < 8
    assert found == ["a-good", "c-good"]
    assert words in reasons["bad"]


def test_M01_the_whole_group_of_a_hanging_plugin_is_killed(folder, tmp_path):
    record = tmp_path / "record"
    for child in ("stdout", "session"):
        write_plugin(folder, f"bad-{child}", hang="discovery", child=child, record=str(record))
    found, reasons = look(folder)
    assert found == []
    assert len(reasons) == 2
    from tests.fakes.plugins import alive, events

    pids = [int(line) for line in events(record, "child") + events(record, "capabilities")]
    assert len(pids) == 4
    until = time.monotonic() + 2
    while any(map(alive, pids)) and time.monotonic() < until:
        os.sched_yield()
    assert not any(map(alive, pids))


def test_an_unknown_capability_is_ignored_and_the_known_ones_count(folder):
    write_plugin(
        folder, "plug", capabilities='{"type":{"x":["readComponentVersionRepository","fly"]}}'
    )
    with PluginManager([folder], environment=os.environ) as manager:
        assert manager.capabilities("plug").unknown == ("fly",)
        assert manager.get_plugin(READ, "x")


@pytest.mark.slow
def test_M07_two_hundred_plugins_in_a_stable_order(folder):
    write_plugin(folder, "original")
    for number in range(200):
        (folder / f"plug{number:03}").symlink_to(folder / "original")
    (folder / "esc\x1b[31m").write_text("")
    found, reasons = look(folder, limits=Limits())
    assert found == ["original", *(f"plug{number:03}" for number in range(200))]
    assert reasons == {"esc\x1b[31m": "not executable"}


def test_M08_two_plugins_for_one_pair_are_an_error_for_that_pair_alone(folder):
    write_plugin(folder, "one", type="Same/v1")
    write_plugin(folder, "two", type="Same/v1")
    write_plugin(folder, "three", type="Other/v1")
    with PluginManager([folder], environment=os.environ) as manager:
        assert manager.get_plugin(READ, "Other/v1")
        for _ in range(2):
            with pytest.raises(DuplicatePluginError) as caught:
                manager.get_plugin(READ, "Same")
            assert str(folder / "one") in caught.value.message
            assert str(folder / "two") in caught.value.message
        wins = {plugin.name: {pair.wins for pair in plugin.pairs} for plugin in manager.plugins()}
    assert wins == {"one": {False}, "two": {False}, "three": {True}}


def test_M08_two_folders_with_one_name_are_an_error_when_the_name_is_asked_for(folder, tmp_path):
    write_plugin(folder, "same", type="One/v1")
    write_plugin(tmp_path / "more", "same", type="Two/v1")
    with PluginManager([folder, tmp_path / "more"], environment=os.environ) as manager:
        with pytest.raises(DuplicatePluginError, match="2 plugins are called same"):
            manager.capabilities("same")
        assert manager.get_plugin(READ, "One/v1")
        assert manager.get_plugin(READ, "Two/v1")
        assert manager.capabilities(str(folder / "same")).types.keys() == {"One/v1"}


@pytest.mark.parametrize("prefer", ["builtin", "external"])
def test_M08_built_in_wins_unless_the_external_one_is_preferred(folder, prefer):
    class Base:
        def open(self, spec, *, create=False):
            return ("builtin", spec.type, create)

    write_plugin(folder, "mine", type="ctf")
    builtin = ImplementedPlugin("builtin/ctf", "ctf", (READ,), Base())
    spec = RepositorySpec("CommonTransportFormat/v1", "./ctf")
    with PluginManager(
        [folder], builtin=[builtin], prefer=prefer, environment=os.environ
    ) as manager:
        repository = manager.open(spec)
        if prefer == "builtin":
            assert repository == ("builtin", "CommonTransportFormat/v1", False)
        else:
            assert list(repository.versions("example.com/x")) == ["2.0.0", "1.0.0"]
        wins = {plugin.name: plugin.pairs[0].wins for plugin in manager.plugins()}
    assert wins == {"builtin/ctf": prefer == "builtin", "mine": prefer == "external"}


def test_M21_an_entry_that_is_not_accepted_is_never_run(folder, tmp_path):
    record = tmp_path / "record"
    write_plugin(folder, "stranger", record=str(record))
    hooks = Hooks(accept=lambda path: f"{path.name} was not installed by ocm-pkg")
    with PluginManager([folder], environment=os.environ, hooks=hooks) as manager:
        assert manager.discover().rejected[0].reason == "stranger was not installed by ocm-pkg"
        with pytest.raises(PluginNotFoundError):
            manager.get_plugin(READ, "Scripted/v1")
        with pytest.raises(Exception, match="is not run"):
            manager.capabilities("stranger")
    assert not record.exists()


def test_a_built_in_is_found_without_running_any_plugin(folder, tmp_path):
    record = tmp_path / "record"
    write_plugin(folder, "plug", record=str(record))
    builtin = ImplementedPlugin("b", "ctf", (READ,), object())
    with PluginManager([folder], builtin=[builtin], environment=os.environ) as manager:
        assert manager.get_plugin(READ, "CTF") is builtin.base
    assert not record.exists()


def test_the_version_is_in_the_message(folder):
    write_plugin(folder, "plug", die="start")
    hooks = Hooks(version_of=lambda _: "1.2.3")
    with (
        PluginManager([folder], environment=os.environ, hooks=hooks, limits=QUICK) as manager,
        pytest.raises(Exception, match=r"plugin plug 1\.2\.3 ended before it was ready"),
    ):
        manager.call("plug", "GET", "/x")
