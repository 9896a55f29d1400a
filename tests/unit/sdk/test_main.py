from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
import time
from pathlib import Path

import pytest

from ocm_pkg.contract.config import PluginConfig
from ocm_pkg.errors import PluginProtocolError, PluginStartError, UsageError
from ocm_pkg.sdk.listener import Listener, remove_stale
from ocm_pkg.sdk.main import Command, listen, parse_arguments
from tests.fakes.trees import untouched

VECTORS = Path(__file__).parents[2] / "vectors" / "plugin-contract"
CASES = json.loads((VECTORS / "start-arguments.json").read_text())["cases"]

# Where a plugin of ours deliberately starts although one of the Go SDK does not.
STARTS = {
    "type socket": "the spelling of ADR 0001",
    "idleTimeout as text": "Go durations are read too",
    "server command": "the command of ADR 0001",
}


def status(arguments):
    """Return the exit status that the arguments lead to, if listening succeeds."""
    try:
        command = parse_arguments(arguments)
        PluginConfig.parse(command.config)
    except UsageError:
        return 2
    except (PluginStartError, PluginProtocolError):
        return 1
    return 0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_arguments_mean_what_they_mean_to_a_plugin_of_the_go_sdk(case):
    assert status(case["argv"]) == (0 if case["case"] in STARTS else case["exit"])


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["capabilities"], Command("capabilities")),
        (["capabilities", "--zzz"], Command("capabilities")),
        (["server", "--config", "{}"], Command("server", "{}")),
        (["server", "-config={}", "x"], Command("server", "{}")),
        (["--config", "1", "--config=2"], Command("server", "2")),
        (["--config", "1", "--", "--zzz"], Command("server", "1")),
        (["--help"], Command("help")),
        (["server", "-h"], Command("help")),
    ],
)
def test_arguments_are_read_as_go_reads_them(arguments, command):
    assert parse_arguments(arguments) == command


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], PluginStartError),
        (["server"], PluginStartError),
        (["--config="], PluginStartError),
        (["--config"], UsageError),
        (["---config", "1"], UsageError),
        (["--zzz"], UsageError),
        (["frobnicate"], UsageError),
        (["server", "capabilities"], UsageError),
    ],
)
def test_other_arguments_are_refused(arguments, error):
    with pytest.raises(error):
        parse_arguments(arguments)


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


def test_the_location_given_is_where_the_plugin_listens(folder):
    path = folder / "p.sock"
    listener = listen(PluginConfig("p", "socket", str(path)), {})
    assert listener.address.path == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    listener.close()
    assert not path.exists()
    assert folder.exists()


def test_without_a_location_the_socket_is_in_a_private_folder(folder):
    listener = listen(PluginConfig("a/" * 100, "socket"), {"XDG_RUNTIME_DIR": str(folder)})
    path = Path(listener.address.path)
    assert path.is_relative_to(folder)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(str(path)) < 100
    listener.close()
    assert list(folder.iterdir()) == []


def test_M09_folders_that_are_too_deep_or_missing_are_passed_over(folder):
    deep = folder / ("d" * 90)
    deep.mkdir()
    environ = {"XDG_RUNTIME_DIR": str(deep), "TMPDIR": str(folder / "missing")}
    listener = listen(PluginConfig("p", "socket"), environ)
    listener.close()
    assert Path(listener.address.path).parents[1] == Path(tempfile.gettempdir())
    assert list(deep.iterdir()) == []


@pytest.mark.parametrize("what", ["file", "link", "socket", "folder"])
def test_M09_a_socket_path_that_exists_is_refused_and_left_alone(folder, what):
    path = folder / "p.sock"
    other = None
    if what == "file":
        path.write_text("mine")
    elif what == "link":
        path.symlink_to(folder / "elsewhere")
    elif what == "folder":
        path.mkdir()
    else:
        other = listen(PluginConfig("other", "socket", str(path)), {})
    before = untouched(path)
    with pytest.raises(PluginStartError, match="cannot listen") as caught:
        listen(PluginConfig("p", "socket", str(path)), {})
    assert caught.value.hint
    assert untouched(path) == before
    assert [entry.name for entry in folder.iterdir()] == ["p.sock"]
    if other is not None:
        other.close()


def test_a_socket_that_somebody_replaced_is_not_removed(folder):
    path = folder / "p.sock"
    listener = listen(PluginConfig("p", "socket", str(path)), {})
    path.rename(folder / "old.sock")
    path.write_text("theirs")
    listener.close()
    assert path.read_text() == "theirs"


def test_M11_tcp_is_loopback_only():
    listener = listen(PluginConfig("p", "tcp"), {})
    assert listener.address.host == "127.0.0.1"
    taken = f"127.0.0.1:{listener.address.port}"
    with pytest.raises(PluginStartError, match="cannot listen"):
        listen(PluginConfig("p", "tcp", taken), {})
    listener.close()
    listener.close()
    with pytest.raises(PluginProtocolError, match="not on loopback"):
        listen(PluginConfig("p", "tcp", "192.0.2.1:80"), {})


def test_a_location_that_is_no_socket_path_is_refused():
    with pytest.raises(PluginProtocolError, match="not absolute"):
        listen(PluginConfig("p", "socket", "p.sock"), {})


def test_no_folder_at_all_is_an_error_that_says_so():
    with pytest.raises(PluginStartError, match="cannot make a folder") as caught:
        Listener.private(["/proc/nothing", "relative"])
    assert "TMPDIR" in caught.value.hint


def stale_folder(parent, name, *, age=3600):
    """Leave what a killed plugin leaves."""
    folder = parent / name
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stream:
        stream.bind(str(folder / "plugin.sock"))
    os.utime(folder, (time.time() - age,) * 2)
    return folder


def test_M14_what_a_killed_plugin_left_is_removed_at_the_next_start(folder):
    stale_folder(folder, "ocm-0123456789ab")
    starting = stale_folder(folder, "ocm-aaaaaaaaaaaa", age=5)
    other = stale_folder(folder, "ocm-not-one-of-us")
    running = listen(PluginConfig("p", "socket"), {"TMPDIR": str(folder)})
    alive = Path(running.address.path).parent
    os.utime(alive, (time.time() - 3600,) * 2)
    empty = folder / "ocm-bbbbbbbbbbbb"
    empty.mkdir()
    os.utime(empty, (time.time() - 3600,) * 2)
    (folder / "ocm-cccccccccccc").write_text("a file")
    listen(PluginConfig("p", "socket"), {"TMPDIR": str(folder)}).close()
    left = {entry.name for entry in folder.iterdir()}
    assert left == {starting.name, other.name, alive.name, empty.name, "ocm-cccccccccccc"}
    running.close()


def test_a_folder_that_cannot_be_listed_is_no_obstacle():
    remove_stale("/does/not/exist")


def test_a_folder_in_which_no_socket_can_be_made_is_passed_over(folder, monkeypatch):
    real = Listener.at
    failed = []

    def at(address, made=None):
        if not failed:
            failed.append(address.path)
            raise PluginStartError("cannot listen")
        return real(address, made)

    monkeypatch.setattr(Listener, "at", at)
    listener = Listener.private([str(folder), str(folder)])
    assert [entry.name for entry in folder.iterdir()] == [Path(listener.address.path).parent.name]
    listener.close()
