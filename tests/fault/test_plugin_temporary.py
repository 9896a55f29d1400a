"""Where plugins put temporary files: a private folder, one that allows programs, and left empty."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from ocm_pkg.errors import PluginStartError, PluginTimeoutError
from ocm_pkg.plugin import folders
from ocm_pkg.plugin.discovery import discover, probe
from ocm_pkg.plugin.limits import Limits
from ocm_pkg.plugin.manager import PluginManager
from tests.fakes.plugins import write_program

SHARED = Path("/tmp")  # noqa: S108 - the folder itself is what is meant
ANSWER = '{"type":{"Hello/v1":["generic"]}}'
UNPACKS = f"""\
#!/bin/sh
mkdir "$TMPDIR/_MEI1" && echo big > "$TMPDIR/_MEI1/library"
[ -x "$0.hangs" ] && exec sleep 60
echo '{ANSWER}'
"""
FAILS = "#!/bin/sh\necho 'failed to map segment from shared object' >&2\nexit 127\n"


@pytest.fixture
def room():
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


def environment(room):
    return {"PATH": os.environ["PATH"], "HOME": str(room), "TMPDIR": str(room / "t")}


@pytest.mark.parametrize("hangs", [False, True], ids=["ends", "is killed"])
def test_what_a_plugin_unpacks_to_say_its_capabilities_is_removed(room, hangs):
    (room / "t").mkdir()
    plugin = write_program(room, "plug", UNPACKS)
    if hangs:
        write_program(room, "plug.hangs", "")
        with pytest.raises(PluginTimeoutError):
            probe(plugin, environment=environment(room), limits=Limits(probe=0.5))
    else:
        assert probe(plugin, environment=environment(room))
    assert list((room / "t").iterdir()) == []


def test_plugins_of_a_folder_leave_nothing_either(room):
    (room / "t").mkdir()
    write_program(room / "plugins", "good", UNPACKS)
    write_program(room / "plugins", "bad", FAILS)
    found = discover([room / "plugins"], environment=environment(room))
    assert [plugin.name for plugin in found.found] == ["good"]
    assert [entry.path.name for entry in found.rejected] == ["bad"]
    assert list((room / "t").iterdir()) == []


def forbid(monkeypatch, *names):
    def status(path):
        flag = os.ST_NOEXEC if any(name in str(path) for name in names) else 0
        return os.statvfs_result((1,) * 8 + (flag, 255))

    monkeypatch.setattr(folders.os, "statvfs", status)


def test_a_folder_in_which_nothing_can_be_executed_comes_last(room, monkeypatch):
    (room / "t").mkdir()
    forbid(monkeypatch, str(room / "t"))
    parents = folders.content_parents(environment(room))
    assert parents[0] == SHARED
    assert parents[-1] == room / "t"
    with folders.temporary_folder(environment(room)) as variables:
        assert Path(variables["TMPDIR"]).parent == SHARED
    forbid(monkeypatch)
    assert folders.content_parents(environment(room))[0] == room / "t"


def test_where_there_is_no_other_the_error_says_what_to_do(room, monkeypatch):
    (room / "t").mkdir()
    forbid(monkeypatch, "/")
    plugin = write_program(room, "plug", FAILS)
    with pytest.raises(PluginStartError) as caught:
        probe(plugin, environment=environment(room))
    assert str(caught.value.hint) == (
        f"nothing can be executed in {room / 't'} (noexec): set TMPDIR to another folder"
    )
    assert any("failed to map segment" in line for line in caught.value.detail)


def test_a_plugin_that_fails_at_its_start_for_that_reason_says_so_too(room, monkeypatch):
    (room / "t").mkdir()
    forbid(monkeypatch, "/")
    plugin = write_program(
        room, "plug", f"#!/bin/sh\n[ $1 = capabilities ] && echo '{ANSWER}' && exit\nexit 127\n"
    )
    with (
        PluginManager([], environment=environment(room)) as manager,
        pytest.raises(PluginStartError, match="exit status 127") as caught,
    ):
        manager.instance(str(plugin)).ensure_running()
    assert "noexec" in str(caught.value.hint)


def test_without_any_folder_a_plugin_gets_none(room, monkeypatch):
    monkeypatch.setattr(folders, "_usable", lambda _folder: False)
    with folders.temporary_folder(environment(room)) as variables:
        assert variables == {}


def test_a_file_system_that_does_not_tell_allows_programs(monkeypatch, room):
    def fail(_path):
        raise OSError

    monkeypatch.setattr(folders.os, "statvfs", fail)
    assert not folders.forbids_programs(room)
