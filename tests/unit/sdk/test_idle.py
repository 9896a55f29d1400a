from __future__ import annotations

import threading

from ocm_pkg.sdk.idle import IdleTracker


class Clock:
    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now


def test_the_time_runs_only_while_nothing_is_in_progress():
    clock = Clock()
    idle = IdleTracker(10_000_000_000, clock)
    clock.now = 4_000_000_000
    assert idle.remaining() == 6
    assert idle.begin()
    clock.now = 60_000_000_000
    assert idle.remaining() == 10
    assert not idle.close_if_idle()
    idle.end()
    assert idle.remaining() == 10
    clock.now += 9_999_999_999
    assert not idle.close_if_idle()
    clock.now += 1
    assert idle.remaining() == 0
    assert idle.close_if_idle()


def test_M13_once_the_plugin_ends_no_request_begins():
    clock = Clock()
    idle = IdleTracker(1, clock)
    clock.now = 1
    assert idle.close_if_idle()
    assert not idle.begin()


def test_M13_a_request_that_began_first_keeps_the_plugin_alive():
    clock = Clock()
    idle = IdleTracker(1, clock)
    clock.now = 1
    assert idle.begin()
    assert not idle.close_if_idle()


def test_the_end_waits_for_requests_in_progress():
    idle = IdleTracker(1, Clock())
    assert idle.begin()
    assert not idle.close(0)
    assert not idle.begin()
    thread = threading.Thread(target=idle.end)
    thread.start()
    assert idle.close(10)
    thread.join()
