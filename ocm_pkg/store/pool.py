"""Connections to one place that are kept for the next exchange, and a bound on their number."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from ocm_pkg.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocm_pkg.store.connection import Connection

_STEP = 0.5


class Pool:
    """At most ``size`` connections at a time; who wants another one waits.

    Except that a thread which holds one is given more: else some threads that each read one
    answer and send it on would wait for each other for ever. ``worked`` tells whether any
    exchange was made.
    """

    def __init__(self, size: int, target: str) -> None:
        self._size = size
        self._target = target
        self._changed = threading.Condition()
        self._idle: list[Connection] = []
        self._holders: list[int] = []
        self._busy: set[Connection] = set()
        self._closed = False
        self.worked = False

    def take(self, idle_limit: float, *, fresh: bool) -> Connection | None:
        """Return a connection that was kept, or None: a new one may be made.

        Kept ones that ended meanwhile, or were idle for ``idle_limit`` seconds, are closed. With
        ``fresh`` none of them is given. What follows is ``give``, or ``made`` and then ``give``.
        """
        me = threading.get_ident()
        with self._changed:
            while len(self._holders) >= self._size and me not in self._holders:
                self._changed.wait(_STEP)
                self._check_open()
            self._check_open()
            self._holders.append(me)
            while self._idle:
                connection = self._idle.pop()
                stale = time.monotonic() - connection.idle_since > idle_limit
                if fresh or stale or connection.has_news():
                    connection.close()
                    continue
                connection.owner = me
                self._busy.add(connection)
                return connection
        return None

    def made(self, connect: Callable[[], Connection]) -> Connection:
        """Return the new connection that ``connect`` makes after a ``take``."""
        me = threading.get_ident()
        try:
            connection = connect()
        except BaseException:
            self._let_go(me)
            raise
        with self._changed:
            connection.owner = me
            self._busy.add(connection)
            closed = self._closed
        if closed:
            self.give(connection, reusable=False)
            self._check_open()
        return connection

    def give(self, connection: Connection, *, reusable: bool) -> None:
        """Take a connection back; a second time changes nothing."""
        with self._changed:
            if connection not in self._busy:
                return
            self._busy.discard(connection)
            if reusable and not self._closed:
                connection.idle_since = time.monotonic()
                connection.uses += 1
                self.worked = True
                self._idle.append(connection)
            else:
                connection.close()
        self._let_go(connection.owner)

    def _let_go(self, holder: int) -> None:
        with self._changed:
            self._holders.remove(holder)
            self._changed.notify()

    def close(self) -> None:
        """Close all connections; exchanges that other threads make over them fail at once."""
        with self._changed:
            self._closed = True
            while self._idle:
                self._idle.pop().close()
            for connection in self._busy:
                connection.shut()
            self._changed.notify_all()

    def _check_open(self) -> None:
        if self._closed:
            raise TransportError(
                f"the exchange with {self._target} was given up: the work was stopped"
            )
