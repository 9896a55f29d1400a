"""One start of a plugin: its process, the thread that watches it, what it said, its folder.

The thread drains both outputs for as long as the process lives, so that a plugin never blocks on
a full pipe; it sees the process end, kills what is left of it, and removes its folder. Whoever
wants the process to end asks the thread, so there is one way out.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import threading
import time
from typing import TYPE_CHECKING

from ocm_pkg.contract.startup import Address
from ocm_pkg.fs import process
from ocm_pkg.plugin import leftover, logs
from ocm_pkg.plugin.text import LineSplitter, Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ocm_pkg.plugin.folders import PrivateFolder

_CHUNK = 64 << 10
_POLL = 0.1
_LAST_WORDS = 0.2
_JOIN = 10.0


class RunningPlugin:
    """A plugin process from its start to its end.

    ``identifier`` is the id that the plugin was told, random for each start.
    ``idle`` is asked by the thread how many seconds are left until the plugin has been idle for
    too long (None: never); at 0 it is stopped. ``ended`` is called in the thread at its end,
    after everything was cleaned up.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        name: str,
        identifier: str,
        environment: Mapping[str, str],
        folder: Path,
        folders: PrivateFolder,
        grace: float,
        idle: Callable[[], float | None],
        ended: Callable[[RunningPlugin], None],
    ) -> None:
        self.name = name
        self.folder = folder
        self.tail = Tail()
        self._identifier = identifier
        self._mark = os.urandom(16).hex()
        self._folders = folders
        self._grace = grace
        self._idle = idle
        self._on_end = ended
        self._changed = threading.Condition()
        self._address: Address | None = None
        self._status: int | None = None
        self._kill_at: float | None = None
        self._lines = {1: LineSplitter(), 2: LineSplitter()}
        self._thread = threading.Thread(target=self._watch, name=f"plugin {name}", daemon=True)
        self._wake_reader, self._wake_writer = os.pipe()
        try:
            self._child = process.start(argv, env={**environment, leftover.MARK: self._mark})
            self._start_thread()
        except BaseException:
            self._close_wake()
            raise

    @property
    def pid(self) -> int:
        """The process number, which is that of its group too."""
        return self._child.pid

    @property
    def address(self) -> Address | None:
        """The address that it printed, once it has."""
        with self._changed:
            return self._address

    @property
    def status(self) -> int | None:
        """The exit status once it has ended and was cleaned up; negative for a signal."""
        with self._changed:
            return self._status

    def wait_for_news(self, timeout: float) -> None:
        """Return when it has printed its address or ended, or after ``timeout`` seconds."""
        with self._changed:
            if self._address is None and self._status is None:
                self._changed.wait(timeout)

    def wait_for_end(self, timeout: float) -> int | None:
        """Return the exit status, or None if it still runs after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._status is not None, timeout)
            return self._status

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the whole group; what is left after the grace time is killed."""
        with self._changed:
            if self._status is not None or self._kill_at is not None:
                return
            self._kill_at = time.monotonic() + self._grace
        self._child.signal_group(signal.SIGTERM)
        self._wake()

    def stop(self, *, at_once: bool = False) -> None:
        """Stop it, wait for its end, and for everything to be cleaned up.

        ``at_once`` leaves out SIGTERM and the grace time.
        """
        if at_once:
            with self._changed:
                self._kill_at = time.monotonic()
            self._wake()
        else:
            self.ask_to_stop()
        if threading.current_thread() is not self._thread:
            self._thread.join(self._grace + _JOIN)

    def _start_thread(self) -> None:
        try:
            os.set_blocking(self._wake_writer, False)
            self._thread.start()
        except BaseException:
            self._child.close()
            raise

    def _wake(self) -> None:
        with self._changed, contextlib.suppress(OSError):
            if self._wake_writer >= 0:
                os.write(self._wake_writer, b"!")

    def _close_wake(self) -> None:
        with self._changed:
            os.close(self._wake_reader)
            os.close(self._wake_writer)
            self._wake_reader = self._wake_writer = -1

    def _watch(self) -> None:
        handle = _exit_handle(self._child.pid)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._wake_reader, selectors.EVENT_READ, None)
                if handle is not None:
                    selector.register(handle, selectors.EVENT_READ, None)
                self._register_outputs(selector)
                self._drain_while_alive(selector, has_handle=handle is not None)
                if handle is not None:
                    selector.unregister(handle)
                selector.unregister(self._wake_reader)
                self._drain_last_words(selector)
        finally:
            if handle is not None:
                os.close(handle)
            self._clean_up()

    def _register_outputs(self, selector: selectors.BaseSelector) -> None:
        for stream, number in ((self._child.stdout, 1), (self._child.stderr, 2)):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, selectors.EVENT_READ, number)

    def _drain_while_alive(self, selector: selectors.BaseSelector, *, has_handle: bool) -> None:
        while self._child.poll() is None:
            timeouts = [time_left for time_left in self._timeouts() if time_left is not None]
            if not has_handle:
                timeouts.append(_POLL)
            for key, _ in selector.select(min(timeouts) if timeouts else None):
                if key.fd == self._wake_reader:
                    os.read(self._wake_reader, 64)
                elif key.data is not None:
                    self._read(selector, key)

    def _timeouts(self) -> tuple[float | None, ...]:
        """Act on what is due now; return the seconds until something else is."""
        with self._changed:
            kill_at = self._kill_at
        if kill_at is not None:
            left = kill_at - time.monotonic()
            if left <= 0:
                self._child.kill_group()
            return (max(left, 0.0),)
        idle = self._idle()
        if idle is not None and idle <= 0:
            self.ask_to_stop()
            return (0.0,)
        return (idle,)

    def _drain_last_words(self, selector: selectors.BaseSelector) -> None:
        """Read what is still in the pipes; others may hold them open, so not up to their end."""
        until = time.monotonic() + _LAST_WORDS
        while selector.get_map() and time.monotonic() < until:
            ready = selector.select(_LAST_WORDS / 4)
            if not ready:
                break
            for key, _ in ready:
                self._read(selector, key)
        for number, splitter in self._lines.items():
            self._take(number, splitter.end())

    def _read(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        try:
            data = os.read(key.fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            selector.unregister(key.fileobj)
            return
        self._take(key.data, self._lines[key.data].feed(data))

    def _take(self, number: int, lines: list[bytes]) -> None:
        for line in lines:
            if number == 2:
                self.tail.add(line)
                logs.repeat_error_line(self.name, line)
            else:
                self._take_output(line)

    def _take_output(self, line: bytes) -> None:
        with self._changed:
            if self._address is None:
                self._address = Address.parse_line(line)
                if self._address is not None:
                    self._changed.notify_all()
                    return
        logs.repeat_output_line(self.name, line)

    def _clean_up(self) -> None:
        status = -signal.SIGKILL.value
        try:
            status = self._child.kill_group()
            self._child.close()
            leftover.kill_marked(self._mark)
            self._remove_socket()
            self._folders.remove(self.folder)
            self._close_wake()
        finally:
            self._tell_end(status)

    def _tell_end(self, status: int) -> None:
        with self._changed:
            self._status = status
            self._changed.notify_all()
        self._on_end(self)

    def _remove_socket(self) -> None:
        """Remove the socket and lock file that a plugin left outside of its folder.

        Only files that carry the random identifier of this start can be meant.
        """
        path = self._address.path if self._address else None
        if path is None or self._identifier not in path:
            return
        for left in (path, f"{path}.lock"):
            with contextlib.suppress(OSError):
                os.unlink(left)  # noqa: PTH108 - text from the plugin, used as it is


def _exit_handle(pid: int) -> int | None:
    """Return a handle that becomes readable when the process ends, where there is such a thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
