"""Run other programs: with limits, in a group of their own, in an environment of our choosing."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg.errors import OcmPkgError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

_CHUNK = 64 * 1024
_STRAGGLERS = 0.5
"""Seconds that the pipes may stay open, held by others, after the program itself has ended."""

_KEPT = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TEMP", "TMP", "TZ"),
        *("TERM", "COLORTERM", "NO_COLOR", "LANG", "LANGUAGE"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
        *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
        *("SOURCE_DATE_EPOCH", "DOCKER_CONFIG", "OCM_CONFIG"),
    }
)
_KEPT_PREFIXES = ("LC_", "XDG_")
_LOADER = (
    "LD_LIBRARY_PATH",
    "LIBPATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "DYLD_FRAMEWORK_PATH",
)


class ProgramError(OcmPkgError):
    """A program could not be run to its end; ``stdout`` and ``stderr`` are what it said so far."""

    code = "E120"

    def __init__(
        self, message: str, *, hint: str | None = None, stdout: bytes = b"", stderr: bytes = b""
    ) -> None:
        super().__init__(message, hint=hint)
        self.stdout = stdout
        self.stderr = stderr


class ProgramStartError(ProgramError):
    """A program did not start: missing, not executable, for another machine."""

    code = "E121"


class ProgramTimeoutError(ProgramError):
    """A program ran longer than it may; it and its children were killed."""

    code = "E122"


class ProgramOutputError(ProgramError):
    """A program wrote more than it may; it and its children were killed."""

    code = "E123"


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ended by itself: its status (negative: the signal), output and duration."""

    returncode: int
    stdout: bytes
    stderr: bytes
    seconds: float


def child_environment(
    environ: Mapping[str, str], extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment for a child, made from ``environ``; ``extra`` is added last.

    Only an allow-list passes: search path, home, user, shell, temporary folder, terminal, time
    zone, locale (``LANG``, ``LC_*``), ``XDG_*``, certificates, proxies, ``SOURCE_DATE_EPOCH``,
    ``DOCKER_CONFIG`` and ``OCM_CONFIG`` (paths). Anything else may be a secret, or may change how
    the child loads its code (``LD_PRELOAD``, ``PYTHONPATH``, ``_PYI_*``, ``_MEIPASS*``).

    A frozen program points the loader at its own libraries and keeps the original as ``*_ORIG``:
    the original is restored, else the variable removed. ``PYINSTALLER_RESET_ENVIRONMENT=1`` makes
    a frozen child unpack itself instead of taking itself for a part of its parent.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }
    for name in _LOADER:
        original = environ.get(f"{name}_ORIG")
        if original:
            kept[name] = original
    kept["PYINSTALLER_RESET_ENVIRONMENT"] = "1"
    kept.update(extra or {})
    return kept


class Child:
    """A program that was started, with all it starts itself: one process group.

    ``stdin`` is the lifeline: it stays open as long as we live, so a child that reads its end
    knows that we are gone. As a context manager it is killed and reaped at the end. Safe to use
    from several threads.
    """

    def __init__(self, popen: subprocess.Popen[bytes], name: str) -> None:
        self.name = name
        self.pid = popen.pid
        self.stdin = cast("BinaryIO | None", popen.stdin)
        self.stdout = cast("BinaryIO | None", popen.stdout)
        self.stderr = cast("BinaryIO | None", popen.stderr)
        self._popen = popen
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Return the exit status once it has ended (its group is killed then), else None."""
        with self._lock:
            if self._popen.returncode is None and _has_ended(self._popen):
                self._end_group()
            return self._popen.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end at most ``timeout`` seconds; return the exit status or None."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            _await_exit(self.pid, left)
        return status

    def signal_group(self, number: int) -> None:
        """Send a signal to the whole group, if the program was not reaped yet."""
        with self._lock:
            if self._popen.returncode is None:
                _signal_group(self.pid, number)

    def kill_group(self) -> int:
        """Kill the program and all of its group at once, reap it, return its status."""
        with self._lock:
            if self._popen.returncode is None:
                self._end_group()
            status: int = self._popen.returncode
        self._close()
        return status

    def terminate(self, grace: float) -> int:
        """Ask the group to end (SIGTERM), wait ``grace`` seconds, kill what is left; reap."""
        self.signal_group(signal.SIGTERM)
        try:
            self.wait(grace)
        finally:
            status = self.kill_group()
        return status

    def _end_group(self) -> None:
        """Kill the group while its leader still holds the number, then reap the leader."""
        _signal_group(self.pid, signal.SIGKILL)
        self._popen.wait()

    def _close(self) -> None:
        """Close our end of the lifeline; readers of the outputs get their end by themselves."""
        if self.stdin is not None:
            with contextlib.suppress(OSError):
                self.stdin.close()

    def close(self) -> None:
        """Kill and reap it if it still runs, and close all pipes; may be called again."""
        self.kill_group()
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def start(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin_pipe: bool = True,
    executable: str | None = None,
) -> Child:
    """Start a program in a session of its own, with pipes as its outputs and no other handles.

    ``stdin`` is a pipe that we keep open, or the null device. ``env`` is the whole environment
    (see ``child_environment``). ``executable`` is what to run when it isn't ``argv[0]``. Raises
    ``ProgramStartError``. The caller must drain the outputs and close the child.
    """
    stdin = subprocess.PIPE if stdin_pipe else subprocess.DEVNULL
    name = os.fspath(argv[0])
    try:
        popen = subprocess.Popen(  # noqa: S603 - a list, never a shell
            [os.fspath(argument) for argument in argv],
            executable=executable,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=dict(env),
            close_fds=True,
            start_new_session=True,
            bufsize=0,
        )
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ProgramStartError(
            f"{name} did not start: {reason}",
            hint="check that it exists, is executable and made for this machine",
        ) from error
    except ValueError as error:
        raise ProgramStartError(f"{name!r} did not start: {error}") from error
    return Child(popen, name)


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str],
    timeout: float,
    max_output: int,
    cwd: Path | None = None,
    input: bytes | None = None,  # noqa: A002 - the name that subprocess uses
    executable: str | None = None,
    grace: float = 0.0,
) -> Completed:
    """Run a program to its end within ``timeout`` seconds and ``max_output`` bytes per output.

    Any exit status is a result. Raises ``ProgramStartError``, ``ProgramTimeoutError`` or
    ``ProgramOutputError``, the latter two with the output so far. However it ends, also by an
    interrupt, its whole group is killed and the program reaped; with ``grace`` it is asked to end
    before (SIGTERM), and has that many seconds. Without ``input`` its standard input is the null
    device.
    """
    began = time.monotonic()
    child = start(argv, env=env, cwd=cwd, stdin_pipe=input is not None, executable=executable)
    with child:
        pump = _Pump(child, input or b"", timeout, began + timeout, max_output)
        try:
            status = pump.finish()
        except BaseException:
            if grace > 0:
                child.terminate(grace)
            raise
    seconds = time.monotonic() - began
    return Completed(status, bytes(pump.output[1]), bytes(pump.output[2]), seconds)


class _Pump:
    """Feeds a child's input and drains both outputs at once, so that neither side waits forever."""

    def __init__(
        self, child: Child, data: bytes, timeout: float, deadline: float, limit: int
    ) -> None:
        self.selector = selectors.DefaultSelector()
        self.output = {1: bytearray(), 2: bytearray()}
        self._child = child
        self._input = memoryview(data)
        self._timeout = timeout
        self._deadline = deadline
        self._limit = limit
        for stream, key, event in (
            (child.stdin, 0, selectors.EVENT_WRITE),
            (child.stdout, 1, selectors.EVENT_READ),
            (child.stderr, 2, selectors.EVENT_READ),
        ):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                self.selector.register(stream, event, key)

    def finish(self) -> int:
        """Return the program's status; raise if it or its outputs are over their limits."""
        with self.selector:
            self.run()
        status = self._child.wait(max(0.0, self._deadline - time.monotonic()))
        if status is None:
            raise self.timed_out()
        return status

    def run(self) -> None:
        """Return when all pipes are closed, or shortly after the program itself has ended."""
        ended: float | None = None
        while self.selector.get_map():
            now = time.monotonic()
            if now >= self._deadline:
                raise self.timed_out()
            if ended is not None and now - ended >= _STRAGGLERS:
                return
            for key, _events in self.selector.select(min(0.1, self._deadline - now)):
                if key.data == 0:
                    self._feed(cast("BinaryIO", key.fileobj))
                else:
                    self._drain(cast("BinaryIO", key.fileobj), key.data)
            if ended is None and self._child.poll() is not None:
                ended = time.monotonic()

    def _feed(self, stream: BinaryIO) -> None:
        try:
            self._input = self._input[os.write(stream.fileno(), self._input[:_CHUNK]) :]
        except BlockingIOError:
            return
        except OSError:
            self._input = self._input[:0]
        if not self._input:
            self._close(stream)

    def _drain(self, stream: BinaryIO, number: int) -> None:
        output = self.output[number]
        try:
            data = os.read(stream.fileno(), min(_CHUNK, self._limit - len(output) + 1))
        except BlockingIOError:
            return
        if not data:
            self._close(stream)
            return
        output += data
        if len(output) > self._limit:
            raise ProgramOutputError(
                f"{self._child.name} wrote more than {self._limit} bytes and was ended",
                stdout=bytes(self.output[1]),
                stderr=bytes(self.output[2]),
            )

    def _close(self, stream: BinaryIO) -> None:
        self.selector.unregister(stream)
        with contextlib.suppress(OSError):
            stream.close()

    def timed_out(self) -> ProgramTimeoutError:
        """Return the error for a program that ran too long."""
        return ProgramTimeoutError(
            f"{self._child.name} did not end within {self._timeout:g} s and was killed",
            stdout=bytes(self.output[1]),
            stderr=bytes(self.output[2]),
        )


def _signal_group(pid: int, number: int) -> None:
    # Darwin says "not permitted" for a group that has only zombies left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _has_ended(popen: subprocess.Popen[bytes]) -> bool:
    """Whether the program ended; it stays a zombie where possible, so its number stays taken."""
    if not hasattr(os, "waitid"):
        return popen.poll() is not None
    try:
        return os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _await_exit(pid: int, timeout: float | None) -> None:
    """Sleep until the process ends or ``timeout`` is over; may return early."""
    if hasattr(os, "pidfd_open"):
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            pass
        else:
            try:
                poll = select.poll()
                poll.register(fd, select.POLLIN)
                poll.poll(None if timeout is None else max(1, int(timeout * 1000)))
            finally:
                os.close(fd)
            return
    time.sleep(0.01 if timeout is None else min(0.01, timeout))
