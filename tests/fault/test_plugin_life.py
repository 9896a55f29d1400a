"""Plugins that crash, leave, hang on and are left alone, against real processes."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.errors import (
    PluginCallError,
    PluginError,
    PluginNotFoundError,
    PluginStartError,
)
from ocm_pkg.plugin.limits import Limits
from ocm_pkg.plugin.manager import PluginManager
from tests.fakes.plugin_room import VERSIONS, Room
from tests.fakes.plugins import alive, events

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def room() -> Iterator[Room]:
    # Short, as sockets are made in it.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Room(Path(folder))


def _handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_M03_a_plugin_that_dies_while_idle_is_started_again_once(room):
    room.add("plug", die="idle", exit=1)
    with room.manager() as manager:
        instance = manager.instance("plug")
        assert manager.call("plug", "GET", VERSIONS).status == 200
        assert instance.wait_for_exit(5) == 1
        assert manager.call("plug", "GET", VERSIONS).status == 200
        assert instance.starts == 2


def test_a_plugin_that_crashes_twice_in_a_row_is_not_started_a_third_time(room):
    room.add("plug", die="first_call")
    with room.manager() as manager:
        for _ in range(2):
            with pytest.raises(PluginCallError):
                manager.call("plug", "POST", "/echo", {})
        with pytest.raises(PluginStartError, match="twice in a row"):
            manager.call("plug", "POST", "/echo", {})
    assert room.starts() == 2


def test_an_idempotent_call_is_repeated_once_after_a_crash_and_then_fails(room):
    room.add("plug", die="first_call")
    with room.manager() as manager, pytest.raises(PluginCallError):
        manager.call("plug", "GET", VERSIONS)
    assert room.starts() == 2


@pytest.mark.parametrize("child", ["stdout", "session"])
def test_M05_children_that_keep_stdout_open_or_leave_the_group_are_gone_too(room, child):
    room.add("plug", child=child, ignore_term=True)
    with room.manager() as manager:
        assert manager.call("plug", "GET", VERSIONS).status == 200
        began = time.monotonic()
    assert time.monotonic() - began < 5
    children = [int(line) for line in events(room.record, "child")]
    assert len(children) == 2, "one of the capabilities command, one of the running plugin"
    assert not any(map(alive, children))


def test_M05_a_plugin_that_exits_while_its_child_holds_the_pipes_does_not_block(room):
    room.add("plug", child="session", die="start", stderr="last words")
    with room.manager() as manager:
        began = time.monotonic()
        with pytest.raises(PluginStartError) as caught:
            manager.call("plug", "GET", VERSIONS)
        assert time.monotonic() - began < 3
        assert "stderr: last words" in caught.value.detail


def test_M15_many_starts_leave_no_zombie_thread_or_handle(room):
    room.add("plug")
    with room.manager() as manager:
        instance = manager.instance("plug")
        manager.call("plug", "GET", VERSIONS)
        instance.stop()
        handles, threads = _handles(), threading.active_count()
        for _ in range(15):
            manager.call("plug", "GET", VERSIONS)
            instance.stop()
        assert _handles() == handles
        assert threading.active_count() == threads
        assert instance.starts == 16


def test_a_plugin_that_left_for_being_idle_is_started_again(room):
    room.add("plug")
    with room.manager(idle_timeout=0.1) as manager:
        instance = manager.instance("plug")
        for start in range(1, 4):
            assert manager.call("plug", "GET", VERSIONS).status == 200
            assert instance.starts == start
            assert instance.wait_for_exit(5) == 0


def test_M13_a_call_in_the_moment_of_the_idle_exit_is_answered_or_refused_clearly(room):
    room.add("plug", exit_after_calls=1)
    with room.manager() as manager:
        for _ in range(10):
            # No waiting in between: the next call meets the plugin while it leaves.
            assert manager.call("plug", "GET", VERSIONS).status == 200


def test_M14_a_plugin_sees_that_its_manager_is_gone_by_its_standard_input(room):
    import subprocess
    import sys

    room.add("plug")
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from ocm_pkg.plugin.manager import PluginManager\n"
        f"m = PluginManager([Path({str(room.plugins)!r})], environment=os.environ)\n"
        f"m.call('plug', 'GET', {VERSIONS!r})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=room.environment, check=False)
    assert done.returncode == -signal.SIGKILL
    pid = int(events(room.record, "start")[0].split()[0])
    until = time.monotonic() + 5
    while alive(pid) and time.monotonic() < until:
        os.sched_yield()
    assert not alive(pid)
    with room.manager() as manager:
        manager.call("plug", "GET", VERSIONS)


def test_closing_while_a_plugin_is_starting_ends_it(room):
    room.add("plug", hang="start")
    limits = Limits(start=30, grace=0.3)
    errors = []

    def ask(manager: PluginManager) -> None:
        try:
            manager.call("plug", "GET", VERSIONS)
        except PluginError as error:
            errors.append(error)

    began = time.monotonic()
    with PluginManager([room.plugins], environment=room.environment, limits=limits) as manager:
        manager.find("plug")
        thread = threading.Thread(target=ask, args=(manager,))
        thread.start()
        while not events(room.record, "start"):
            os.sched_yield()
    thread.join()
    assert time.monotonic() - began < 10
    assert len(errors) == 1
    assert not alive(int(events(room.record, "start")[0].split()[0]))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_M15_five_hundred_starts_leave_nothing(room):
    room.add("plug")
    with room.manager() as manager:
        instance = manager.instance("plug")
        manager.call("plug", "GET", VERSIONS)
        instance.stop()
        handles, threads = _handles(), threading.active_count()
        for _ in range(500):
            manager.call("plug", "GET", VERSIONS)
            instance.stop()
        assert _handles() == handles
        assert threading.active_count() == threads


@pytest.mark.parametrize("rounds", [30, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.timeout(900)
def test_M13_a_call_that_is_not_idempotent_has_its_effect_at_most_once(room, rounds):
    import random

    room.add("plug")
    pause, refused, answered = random.Random(1), [], []  # noqa: S311 - not for secrets
    done = threading.Event()
    with room.manager(idle_timeout=0.03) as manager:
        for number in range(rounds):
            try:
                response = manager.call("plug", "POST", "/echo", {"number": number})
            except PluginError as error:
                # On a busy machine it may leave even before it was seen to be ready.
                refused.append(error.message)
            else:
                answered.append(number)
                assert response.body == f'{{"number":{number}}}'.encode()
            # Around the idle time, so that calls meet the plugin while it leaves.
            done.wait(pause.uniform(0.025, 0.035))
    calls = events(room.record, "call")
    seen = [int(line.rpartition(":")[2].rstrip("}")) for line in calls]
    assert len(seen) == len(set(seen))
    assert set(answered) <= set(seen)
    assert len(refused) < rounds / 2
    assert all("plug" in message for message in refused)


def test_a_plugin_that_was_broken_after_it_was_found_is_told_and_leaves_nothing(room):
    path = room.add("plug")
    with room.manager() as manager:
        manager.find("plug")
        path.write_text("no program any more")
        for _ in range(3):
            with pytest.raises(PluginStartError) as caught:
                manager.call("plug", "GET", VERSIONS)
            assert caught.value.hint
        path.unlink()
        with pytest.raises(PluginNotFoundError):
            manager.call("plug", "GET", VERSIONS)


def test_a_call_in_progress_ends_when_the_manager_is_closed(room):
    room.add("plug", hang="call")
    errors = []

    def ask(manager: PluginManager) -> None:
        try:
            manager.call("plug", "GET", VERSIONS)
        except PluginError as error:
            errors.append(error)

    with room.manager() as manager:
        thread = threading.Thread(target=ask, args=(manager,))
        thread.start()
        while not events(room.record, "call"):
            os.sched_yield()
        manager.close()
        thread.join(10)
        assert not thread.is_alive()
    assert len(errors) == 1
