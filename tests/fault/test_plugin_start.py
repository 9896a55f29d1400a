"""Plugins that start badly, against real processes: every failure is named, nothing is left."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.contract.capabilities import Capability
from ocm_pkg.errors import (
    PluginCallError,
    PluginError,
    PluginProtocolError,
    PluginStartError,
    PluginTimeoutError,
)
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.plugin.limits import Limits
from ocm_pkg.plugin.manager import PluginManager
from tests.fakes.plugin_room import QUICK, VERSIONS, Room
from tests.fakes.plugins import alive, events, write_plugin

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def room() -> Iterator[Room]:
    # Short, as sockets are made in it.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Room(Path(folder))


@pytest.mark.parametrize("contract", ["adr", "v2", "both"])
@pytest.mark.parametrize("transport", ["socket", "tcp"])
def test_both_contracts_start_over_both_transports(room, contract, transport):
    room.add("plug", contract=contract)
    with room.manager(transport=transport) as manager:
        response = manager.call("plug", "GET", VERSIONS)
        assert (response.status, response.body) == (200, b'["1.0.0", "2.0.0"]')
        manager.call("plug", "GET", VERSIONS)
        assert manager.instance("plug").starts == 1
    assert room.starts() == 1


def test_an_adr_plugin_that_prints_no_address_is_found_at_the_given_one(room):
    room.add("plug", contract="adr", address="none")
    with room.manager() as manager:
        assert manager.call("plug", "GET", VERSIONS).status == 200


@pytest.mark.parametrize("address", ["bare", "noise"])
def test_addresses_without_scheme_and_after_noise_are_read(room, address):
    room.add("plug", contract="v2", address=address)
    with room.manager() as manager:
        assert manager.call("plug", "GET", VERSIONS).status == 200


def test_a_private_folder_is_made_for_each_start_and_is_closed_to_others(room):
    room.add("plug")
    with room.manager() as manager:
        manager.call("plug", "GET", VERSIONS)
        config = events(room.record, "start")[0]
        socket = Path(config.partition('"location": "')[2].partition('"')[0])
        assert socket.is_socket()
        assert len(os.fsencode(socket)) < 100
        for folder in (socket.parent, socket.parent.parent):
            assert folder.stat().st_mode & 0o777 == 0o700


def test_M16_fifty_threads_ask_at_once_and_there_is_one_start(room):
    room.add("plug", slow_start=0.2)
    ready, answers = threading.Barrier(50), []

    def ask(manager: PluginManager) -> None:
        ready.wait()
        answers.append(manager.call("plug", "GET", VERSIONS).status)

    with room.manager() as manager:
        manager.find("plug")
        threads = [threading.Thread(target=ask, args=(manager,)) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [200] * 50
        assert room.starts() == 1


def test_M16_capabilities_of_one_plugin_share_its_process(room):
    room.add("plug")
    with room.manager() as manager:
        read = manager.get_plugin(Capability.READ_COMPONENT_VERSION_REPOSITORY, "Scripted/v1")
        write = manager.get_plugin(Capability.WRITE_COMPONENT_VERSION_REPOSITORY, "Scripted")
        spec = RepositorySpec("Scripted/v1", "here")
        assert list(read.open(spec).versions("example.com/x")) == ["2.0.0", "1.0.0"]
        assert list(write.open(spec).versions("example.com/x")) == ["2.0.0", "1.0.0"]
    assert room.starts() == 1


def test_M16_waiters_of_a_start_that_fails_get_its_failure(room):
    room.add("plug", slow_start=0.3, die="start")
    ready, errors = threading.Barrier(10), []

    def ask(manager: PluginManager) -> None:
        ready.wait()
        try:
            manager.call("plug", "GET", VERSIONS)
        except PluginError as error:
            errors.append(error)

    with room.manager() as manager:
        manager.find("plug")
        threads = [threading.Thread(target=ask, args=(manager,)) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(errors) == 10
    assert room.starts() <= 2


@pytest.mark.parametrize(
    ("status", "words"), [(0, "exit status 0"), (1, "exit status 1"), (-11, "ended by SIGSEGV")]
)
@pytest.mark.parametrize("phase", ["start", "after_address", "first_call", "mid_answer"])
def test_M03_an_end_in_any_phase_is_told_with_status_and_last_words(room, phase, status, words):
    room.add("plug", die=phase, exit=status, stderr="one\nlast \x1b[31mwords")
    began = time.monotonic()
    with room.manager() as manager, pytest.raises(PluginError) as caught:
        # A call that is not idempotent: it must not be tried twice.
        manager.call("plug", "POST", "/echo", {"a": 1})
    assert time.monotonic() - began < 5
    error = caught.value
    expected = PluginCallError if phase in ("first_call", "mid_answer") else PluginStartError
    assert isinstance(error, expected)
    assert error.exit_code == 7
    assert error.hint
    assert "plug" in error.message
    assert "phase: " + ("call" if expected is PluginCallError else "start") in error.detail
    assert f"process: {words}" in error.detail
    assert "stderr: last \\x1b[31mwords" in error.detail
    assert room.starts() == 1


@pytest.mark.parametrize(("status", "words"), [(0, "exit status 0"), (1, "exit status 1")])
def test_M03_an_end_in_discovery_is_told(room, status, words):
    room.add("plug", die="discovery", exit=status, stderr="why")
    with room.manager() as manager:
        with pytest.raises(PluginError) as caught:
            manager.capabilities("plug")
        assert isinstance(caught.value, PluginStartError if status else PluginProtocolError)
        assert caught.value.detail == ("phase: discovery", f"process: {words}", "stderr: why")
        assert manager.discover().found == ()
        assert "plug" in manager.discover().rejected[0].reason


def test_M03_a_program_for_another_machine_is_told(room):
    path = room.plugins / "plug"
    path.write_bytes(b"\x7fELF not for us")
    path.chmod(0o755)
    with room.manager() as manager, pytest.raises(PluginStartError, match="did not start"):
        manager.capabilities("plug")


def test_M04_a_slow_plugin_is_waited_for(room):
    room.add("plug", slow_start=1.0)
    with room.manager() as manager:
        assert manager.call("plug", "GET", VERSIONS).status == 200


@pytest.mark.parametrize(
    "switches",
    [{"hang": "start"}, {"health": 500}, {"hang": "health"}, {"address": "nobody"}],
    ids=str,
)
def test_M04_a_plugin_that_is_never_ready_is_killed_at_the_limit(room, switches):
    room.add("plug", contract="v2", **switches)
    limits = Limits(start=0.8, grace=0.3)
    with room.manager(limits) as manager:
        began = time.monotonic()
        with pytest.raises(PluginTimeoutError, match=r"not ready within 0\.8 s"):
            manager.call("plug", "GET", VERSIONS)
        assert time.monotonic() - began < 5
        pid = int(events(room.record, "start")[0].split()[0])
        assert not alive(pid)


def test_M09_a_socket_that_another_process_made_is_not_connected_to(room):
    import socket

    theirs = str(room.private / "theirs")
    from tests.fakes.plugins import write_program

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(theirs)
        listener.listen()
        write_program(
            room.plugins,
            "plug",
            "#!/bin/sh\n"
            'if [ "$1" = capabilities ]; then echo \'{"capabilities":[]}\'; exit 0; fi\n'
            f"echo http+unix://{theirs}\nexec sleep 60\n",
        )
        with (
            PluginManager([room.plugins], environment=room.environment, limits=QUICK) as manager,
            pytest.raises(PluginProtocolError, match="another process listens"),
        ):
            manager.call("plug", "GET", VERSIONS)


def test_M17_a_plugin_gets_an_allowed_environment_and_no_other_handles(room):
    from tests.fakes.plugins import write_program

    out = room.plugins.parent / "out"
    write_program(
        room.plugins, "plug", f"#!/bin/sh\nenv > {out}\nls -l /proc/self/fd >> {out}\nexit 1\n"
    )
    room.environment |= {"SECRET_TOKEN": "s3cret", "LD_PRELOAD": "/nope.so", "PYTHONPATH": "/x"}
    with Path("/dev/null").open() as handle:
        os.set_inheritable(handle.fileno(), True)
        with room.manager() as manager, pytest.raises(PluginStartError):
            manager.capabilities("plug")
    text = out.read_text()
    assert "s3cret" not in text
    assert "LD_PRELOAD" not in text
    assert "PYTHONPATH" not in text
    # 0, 1, 2, and the folder that ls reads.
    assert len([line for line in text.splitlines() if " -> " in line]) <= 4


def test_M11_a_port_that_was_taken_in_between_is_replaced_and_never_called(room, monkeypatch):
    import socket

    from ocm_pkg.plugin import starter

    room.add("plug", contract="adr", address="none", slow_start=0.2)
    free = starter._free_port
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        ports = [taken]
        monkeypatch.setattr(starter, "_free_port", lambda: ports.pop() if ports else free())
        with room.manager(transport="tcp") as manager:
            assert manager.call("plug", "GET", VERSIONS).status == 200
        listener.setblocking(False)
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1) == b"", "nothing was sent to the other program"
    assert ports == []


def test_a_relative_path_is_never_looked_up_in_the_search_path(room, monkeypatch, tmp_path):
    write_plugin(tmp_path, "true", versions=["9.0.0"])
    monkeypatch.chdir(tmp_path)
    with room.manager() as manager:
        assert manager.call("./true", "GET", VERSIONS).body == b'["9.0.0"]'


def test_M09_a_run_time_folder_whose_path_is_too_long_for_a_socket_means_tcp(room):
    deep = room.private.parent / ("x" * 90)
    deep.mkdir()
    room.add("plug")
    with PluginManager(
        [room.plugins], environment=room.environment, runtime_folder=deep, limits=QUICK
    ) as manager:
        assert manager.call("plug", "GET", VERSIONS).status == 200
        assert '"type": "tcp"' in events(room.record, "start")[0]
    assert list(deep.iterdir()) == []
    assert list(room.private.iterdir()) == []
