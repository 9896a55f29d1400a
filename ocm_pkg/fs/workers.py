"""Do several things at once: results in order, the first error ends the rest, Ctrl-C ends all."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError, Executor, Future, wait
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ocm_pkg._typing import override

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import TypeAlias

    Job: TypeAlias = tuple[Future[Any], Callable[[], Any]]

P = ParamSpec("P")
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

AT_ONCE = 8
"""How many transfers a command runs at once."""

_GRACE = 1.0
_GLANCE = 0.2
"""A signal that comes just before a thread begins to wait is only seen when it stops waiting."""

_ALL = -1


class Workers(Executor):
    """Up to ``count`` threads, started when needed, that never keep a process from ending.

    At the end of a ``with`` block all jobs are done. If the block was interrupted, what hasn't
    started never does, ``abort`` is called, and running jobs are waited for one second at most: a
    thread that hangs in the network can't be ended, only left alone.
    """

    def __init__(self, count: int = AT_ONCE, *, abort: Callable[[], object] = lambda: None) -> None:
        self._count = count
        self._abort = abort
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    @override
    def submit(
        self, fn: Callable[P, ResultT], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[ResultT]:
        """Run ``fn`` in a thread as soon as one is free."""
        future: Future[ResultT] = Future()
        with self._lock:
            self._jobs.put((future, lambda: fn(*args, **kwargs)))
            if len(self._threads) < self._count:
                thread = threading.Thread(target=self._run, name="worker", daemon=True)
                self._threads.append(thread)
                thread.start()
        return future

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, call = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 (it is the future's, as with any executor)
                future.set_exception(error)

    @override
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads end after the jobs that wait, or at once, and wait for that."""
        self._end(None if wait else 0.0, cancel=cancel_futures)

    def stop(self) -> None:
        """End it all now: for an interrupt. See the class."""
        self._abort()
        self._end(_GRACE, cancel=True)

    def _end(self, seconds: float | None, *, cancel: bool) -> None:
        with self._lock:
            while cancel:
                try:
                    job = self._jobs.get_nowait()
                except Empty:
                    break
                if job is not None:
                    job[0].cancel()
            for _ in self._threads:
                self._jobs.put(None)
        deadline = None if seconds is None else time.monotonic() + seconds
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, Exception):
            self._end(None, cancel=error is not None)
        else:
            self.stop()


class Turn:
    """One of several jobs: knows whether it is still wanted."""

    def __init__(self, row: _Row, number: int) -> None:
        self._row = row
        self._number = number

    def check(self, _count: int = 0) -> None:
        """Raise ``CancelledError`` if the job is in vain; call it now and then."""
        if self._row.is_over(self._number):
            raise CancelledError


class _Row:
    """Jobs in a row; those behind the first that failed are in vain."""

    def __init__(self) -> None:
        self._end: int | None = None
        self._lock = threading.Lock()

    def is_over(self, number: int) -> bool:
        return self._end is not None and number > self._end

    def end(self, number: int) -> None:
        with self._lock:
            self._end = number if self._end is None else min(self._end, number)

    def run(self, function: Callable[[ItemT, Turn], ResultT], item: ItemT, number: int) -> ResultT:
        turn = Turn(self, number)
        turn.check()
        try:
            return function(item, turn)
        except BaseException:
            self.end(number)
            raise


def in_order(
    function: Callable[[ItemT, Turn], ResultT],
    items: Sequence[ItemT],
    executor: Executor | None = None,
    *,
    done: Callable[[ResultT], None] = lambda _result: None,
) -> list[ResultT]:
    """Return ``function(item, turn)`` for each item, in order; ``executor`` runs several at once.

    ``done`` is called with each result, in order too. After an error nothing more is started, and
    what comes after it in the order is stopped at its next ``turn.check()``; what comes before it
    is finished, so of several errors the first in the order is raised, whichever was earlier. When
    an ordinary error is raised nothing is running any more; an interrupt stops ``Workers``.
    """
    row = _Row()
    results: list[ResultT] = []
    if executor is None:
        for number, item in enumerate(items):
            results.append(row.run(function, item, number))
            done(results[-1])
        return results
    futures = [
        executor.submit(row.run, function, item, number) for number, item in enumerate(items)
    ]
    try:
        for future in futures:
            while not future.done():
                wait((future,), _GLANCE)
            results.append(future.result())
            done(results[-1])
    except Exception:
        row.end(_ALL)
        for future in futures:
            future.cancel()
        wait(futures)
        raise
    except BaseException:
        row.end(_ALL)
        if isinstance(executor, Workers):
            executor.stop()
        raise
    return results
