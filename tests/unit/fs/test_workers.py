from __future__ import annotations

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from ocm_pkg.fs.workers import Workers, in_order


def test_results_come_in_the_order_of_the_items_whoever_is_first():
    second_done = threading.Event()

    def job(item, _turn):
        if item == 1:
            assert second_done.wait(10)
        if item == 2:
            second_done.set()
        return item * 10

    heard = []
    with Workers(2) as workers:
        assert in_order(job, [1, 2, 3], workers, done=heard.append) == [10, 20, 30]
    assert heard == [10, 20, 30]


def test_without_an_executor_it_is_one_after_the_other():
    threads = in_order(lambda _item, _turn: threading.current_thread(), [1, 2, 3])
    assert set(threads) == {threading.current_thread()}


@pytest.mark.parametrize("kind", [Workers, ThreadPoolExecutor])
def test_of_several_errors_the_first_in_the_order_wins_though_it_comes_late(kind):
    late_failed = threading.Event()

    def job(item, _turn):
        if item == "early in the row":
            assert late_failed.wait(10)
            raise ValueError(item)
        late_failed.set()
        raise KeyError(item)

    with kind(2) as workers, pytest.raises(ValueError, match="early"):
        in_order(job, ["early in the row", "late in the row"], workers)


def test_the_first_error_keeps_what_has_not_started_from_starting():
    started = []

    def job(item, _turn):
        started.append(item)
        raise BufferError

    with Workers(1) as workers, pytest.raises(BufferError):
        in_order(job, range(100), workers)
    assert started == [0]


def test_after_an_error_what_comes_later_is_stopped_and_what_came_before_is_finished():
    failing, others = threading.Event(), threading.Barrier(3)
    ended = {}

    def job(item, turn):
        others.wait(10)
        if item == 1:
            failing.set()
            raise BufferError
        assert failing.wait(10)
        for _ in range(100):
            try:
                turn.check()
            except CancelledError:
                ended[item] = "stopped"
                raise
            threading.Event().wait(0.001)
        ended[item] = "finished"

    with Workers(3) as workers, pytest.raises(BufferError):
        in_order(job, [0, 1, 2], workers)
    assert ended == {0: "finished", 2: "stopped"}


def test_an_interrupt_stops_all_of_it_and_waits_for_nobody_long():
    hang, started, aborted = threading.Event(), threading.Event(), []

    def job(_item, _turn):
        started.set()
        hang.wait(30)

    def interrupted(_result):
        raise KeyboardInterrupt

    def row(item, turn):
        return job(item, turn) if item else started.wait(10)

    with (
        pytest.raises(KeyboardInterrupt),
        Workers(2, abort=lambda: (aborted.append(True), hang.set())) as workers,
    ):
        in_order(row, [0, 1, 2, 3], workers, done=interrupted)
    assert aborted
    assert not [one for one in threading.enumerate() if one.name == "worker"]


def test_threads_are_daemons_and_no_more_than_asked_for():
    seen = set()
    barrier = threading.Barrier(3)

    def job(_item, _turn):
        seen.add(threading.current_thread())
        barrier.wait(10)

    with Workers(3) as workers:
        in_order(job, range(9), workers)
    assert len(seen) == 3
    assert all(thread.daemon for thread in seen)


def test_it_is_an_executor_like_any_other():
    with Workers(2) as workers:
        assert list(workers.map(str, range(5))) == ["0", "1", "2", "3", "4"]
        failed = workers.submit(int, "x")
        assert isinstance(failed.exception(), ValueError)
    workers = Workers(1)
    gate = threading.Event()
    running, waiting = workers.submit(gate.wait, 10), workers.submit(int)
    workers.shutdown(wait=False, cancel_futures=True)
    gate.set()
    assert running.result()
    assert waiting.cancelled()
