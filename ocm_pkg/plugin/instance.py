"""One plugin as everybody who uses it sees it: started once when first needed, called, stopped.

All capabilities of a plugin share its instance, so there is one process however many ask.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

from ocm_pkg.errors import (
    OcmPkgError,
    PluginCallError,
    PluginError,
    PluginProtocolError,
    PluginStartError,
    PluginTimeoutError,
)
from ocm_pkg.plugin.client import ConnectionLostError
from ocm_pkg.plugin.lifecycle import Event, Lifecycle, State
from ocm_pkg.plugin.limits import Limits
from ocm_pkg.plugin.starter import start_plugin
from ocm_pkg.plugin.text import describe_exit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ocm_pkg.plugin.client import Client
    from ocm_pkg.plugin.http import Response
    from ocm_pkg.plugin.registry import ExternalPlugin
    from ocm_pkg.plugin.running import RunningPlugin
    from ocm_pkg.plugin.starter import Surroundings

ErrorT = TypeVar("ErrorT", bound=PluginError)

_HEALTH = 2.0
_IDLE_SLACK = 5.0


class PluginInstance:
    """Starts a plugin when it is first called, and again after it left; safe for many threads."""

    def __init__(
        self, plugin: ExternalPlugin, surroundings: Surroundings, limits: Limits | None = None
    ) -> None:
        self.plugin = plugin
        self._around = surroundings
        self._limits = limits or Limits()
        self._starting = threading.Lock()
        self._lock = threading.Lock()
        self._life = Lifecycle()
        self._running: RunningPlugin | None = None
        self._client: Client | None = None
        self._failure: OcmPkgError | None = None
        self._last_failure: OcmPkgError | None = None
        self._attempts = 0
        self._calls = 0
        self._last_call = time.monotonic()
        self._content: Path | None = None

    @property
    def state(self) -> State:
        """Where the plugin is in its life."""
        return self._life.state

    @property
    def starts(self) -> int:
        """How often it was started."""
        return self._life.starts

    @property
    def pid(self) -> int | None:
        """The process number while it runs."""
        with self._lock:
            return self._running.pid if self._running and self.state is State.RUNNING else None

    def ensure_running(self) -> None:
        """Start the plugin if it does not run; exactly one of many callers starts it.

        Raises ``PluginStartError`` or ``PluginTimeoutError``; after a second crash in a row at
        once.
        """
        self._ready_client(count_call=False)

    def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> Response:
        """Send one request, whatever the answer's status; start the plugin before if need be.

        If the plugin is gone the call is repeated once on a new start, but only if no byte of it
        was sent or it is ``idempotent``. Raises ``PluginError`` of all kinds, with the phase, the
        exit status and the last lines of standard error in ``detail``.
        """
        lost = None
        for _ in range(2):
            client, running = self._ready_client(count_call=True)
            try:
                response = client.send(method, path, body=body, headers=headers, timeout=timeout)
            except ConnectionLostError as error:
                lost = self._lost(error, running)
                if error.sent and not idempotent:
                    break
                continue
            except PluginTimeoutError as error:
                running = self._unless_healthy(client, running)
                raise self._explained(error, "call", running) from error
            except PluginProtocolError as error:
                raise self._explained(error, "call", running) from error
            finally:
                self._done()
            with self._lock:
                self._life = self._life.answered()
            return response
        assert lost is not None  # noqa: S101 - the loop ran
        raise lost

    def content_folder(self) -> Path:
        """Return the folder (mode 0700) for content that is handed to and from the plugin.

        It is the plugin's ``TMPDIR``, and stays until the manager is closed.
        """
        with self._lock:
            if self._content is None:
                self._content = self._around.content.new()
            return self._content

    def stop(self) -> None:
        """Stop the process, if there is one, and wait for its end; a later call starts it again."""
        with self._lock:
            running = self._running
            if running and self.state is State.RUNNING:
                self._life = self._life.after(Event.STOP)
        if running:
            running.stop()

    def wait_for_exit(self, timeout: float) -> int | None:
        """Wait at most ``timeout`` seconds for the process to end; return its exit status or None.

        None too if there never was a process.
        """
        running = self._running
        return running.wait_for_end(timeout) if running else None

    def close(self) -> None:
        """Stop the process for good, also one that is just starting."""
        with self._lock:
            self._life = self._life.after(Event.CLOSE)
            running = self._running
        if running:
            running.stop()
        with self._starting:
            running = self._running
        if running:
            running.stop()

    def _ready_client(self, *, count_call: bool) -> tuple[Client, RunningPlugin]:
        seen = self._attempts
        ready = self._if_running(count_call=count_call)
        if ready:
            return ready
        with self._starting:
            ready = self._if_running(count_call=count_call)
            if ready:
                return ready
            if self._failure and self._attempts > seen:
                # It failed while this caller waited: one failure is the answer to all who did.
                raise _copy(self._failure)
            self._failure = None
            try:
                self._start()
            except OcmPkgError as error:
                self._failure = self._last_failure = error
                raise
            finally:
                self._attempts += 1
            ready = self._if_running(count_call=count_call)
        if ready:
            return ready
        raise self._explained(
            PluginStartError(f"plugin {self.plugin.label} ended as soon as it was ready"),
            "start",
            self._running,
        )

    def _if_running(self, *, count_call: bool) -> tuple[Client, RunningPlugin] | None:
        with self._lock:
            if self.state is not State.RUNNING or not self._client or not self._running:
                return None
            if self._running.status is not None:
                return None
            self._calls += count_call
            return self._client, self._running

    def _done(self) -> None:
        with self._lock:
            self._calls -= 1
            self._last_call = time.monotonic()

    def _start(self) -> None:
        previous = self._running
        if previous:
            previous.stop()
            self._ended(previous)
        with self._lock:
            if not self._life.may_start:
                raise self._refused()
            self._life = self._life.after(Event.START)
        try:
            self._client = start_plugin(
                self.plugin,
                self._around,
                self._limits,
                content=self.content_folder(),
                idle=self._idle_seconds_left,
                started=self._started,
                ended=self._ended,
            )
        except BaseException as error:
            self._move(Event.BROKEN, {State.STARTING})
            if isinstance(error, PluginError):
                self._explained(error, "start", self._running)
            raise
        with self._lock:
            self._last_call = time.monotonic()
        self._move(Event.READY, {State.STARTING})

    def _started(self, running: RunningPlugin) -> None:
        """Remember a new process, so that ``close`` finds it even before it is ready."""
        with self._lock:
            self._running = running
            closed = self.state is State.CLOSED
        if closed:
            raise self._refused()

    def _refused(self) -> PluginStartError:
        if self.state is State.CLOSED:
            return PluginStartError(f"plugin {self.plugin.label} is not started: it was closed")
        last = self._last_failure
        return PluginStartError(
            f"plugin {self.plugin.label} is not started again: it failed twice in a row",
            hint="try it by hand: ocm-pkg test FILE; or reinstall or update it",
            detail=last.detail if last else self._details("start", self._running),
        )

    def _idle_seconds_left(self) -> float:
        """Return the seconds until the process should be stopped; 0 once that was decided."""
        with self._lock:
            limit = self._around.idle_timeout + _IDLE_SLACK
            if self.state is not State.RUNNING or self._calls:
                return limit
            left = limit - (time.monotonic() - self._last_call)
            if left <= 0:
                self._life = self._life.after(Event.STOP)
            return max(left, 0.0)

    def _ended(self, running: RunningPlugin) -> None:
        if running is self._running and running.status is not None:
            event = Event.GONE if running.status == 0 else Event.DIED
            self._move(event, {State.RUNNING, State.STOPPING})

    def _move(self, event: Event, allowed: set[State]) -> None:
        with self._lock:
            if self.state in allowed:
                self._life = self._life.after(event)

    def _lost(self, error: ConnectionLostError, running: RunningPlugin) -> PluginCallError:
        """Return the error for a lost connection, after the process is known to be gone or not."""
        if running.wait_for_end(_patience(error)) is None and not error.sent:
            # It runs, but does not listen any more: no later call could reach it either.
            running.stop()
        status = running.status
        ending = f"; {describe_exit(status)}" if status is not None else ""
        shown = PluginCallError(
            f"{error.message}{ending}",
            hint="see what it logs with --loglevel debug; try it by hand: ocm-pkg test FILE",
        )
        shown.__cause__ = error
        return self._explained(shown, "call", running)

    def _unless_healthy(self, client: Client, running: RunningPlugin) -> RunningPlugin:
        """Stop a plugin that a call timed out on, unless it still answers its health check."""
        try:
            healthy = client.healthy(_HEALTH)
        except PluginProtocolError:
            healthy = False
        if not healthy:
            running.stop()
        return running

    def explain(self, error: PluginError, phase: str) -> None:
        """Add to an error's detail the phase, how the process is, and what it last wrote."""
        self._explained(error, phase, self._running)

    def _explained(self, error: ErrorT, phase: str, running: RunningPlugin | None) -> ErrorT:
        error.detail = (*error.detail, *self._details(phase, running))
        return error

    def _details(self, phase: str, running: RunningPlugin | None) -> tuple[str, ...]:
        if running is None:
            return (f"phase: {phase}",)
        status = running.status
        state = describe_exit(status) if status is not None else "it still runs"
        return (
            f"phase: {phase}",
            f"process: {state}",
            *(f"stderr: {line}" for line in running.tail.lines()),
        )


def _patience(error: ConnectionLostError) -> float:
    """How long a plugin that dropped a connection may take to be gone."""
    return 0.5 if error.sent else 2.0


def _copy(error: OcmPkgError) -> OcmPkgError:
    """Return the same error for another thread: a traceback belongs to one."""
    copy = type(error)(error.message, hint=error.hint, at=error.at, detail=error.detail)
    copy.__cause__ = error
    return copy
