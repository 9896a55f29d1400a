"""Starts a plugin in either contract and waits until it answers."""

from __future__ import annotations

import logging
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ocm_pkg.contract.config import PluginConfig
from ocm_pkg.contract.startup import Address
from ocm_pkg.errors import OcmPkgError, PluginProtocolError, PluginStartError, PluginTimeoutError
from ocm_pkg.fs.process import ProgramStartError, child_environment
from ocm_pkg.plugin.client import Client, Deadline
from ocm_pkg.plugin.folders import hint_for
from ocm_pkg.plugin.peer import check_peer
from ocm_pkg.plugin.running import RunningPlugin
from ocm_pkg.plugin.text import describe_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ocm_pkg.plugin.folders import PrivateFolder
    from ocm_pkg.plugin.limits import Limits
    from ocm_pkg.plugin.registry import ExternalPlugin

Transport: TypeAlias = Literal["socket", "tcp"]
Contract: TypeAlias = Literal["adr", "v2"]

_log = logging.getLogger(__name__)
_FIRST_POLL = 0.002
_POLL_GROWTH = 1.4
_LAST_POLL = 0.25
_HEALTH = 5.0
_SOCKET = "s"
_TRY_BY_HAND = "try it by hand: ocm-pkg test FILE"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every start needs: environment, folders for sockets and for content, transport.

    ``idle_timeout`` is in seconds: after that long without a call the plugin ends. Of
    ``configurations`` it is given those of the types that it asked for.
    """

    environment: Mapping[str, str]
    sockets: PrivateFolder
    content: PrivateFolder
    transport: Transport = "socket"
    idle_timeout: float = 3600.0
    configurations: tuple[dict[str, Any], ...] = ()


def start_plugin(
    plugin: ExternalPlugin,
    around: Surroundings,
    limits: Limits,
    *,
    content: Path,
    idle: Callable[[], float | None],
    started: Callable[[RunningPlugin], None],
    ended: Callable[[RunningPlugin], None],
) -> Client:
    """Start a plugin; return a client once it answers its health check.

    ``started`` is told of the process at once, before it is ready; ``idle`` and ``ended`` are those
    of ``RunningPlugin``. If it does not get ready the process is gone when the error is raised:
    ``PluginStartError``, ``PluginTimeoutError`` or ``PluginProtocolError``.
    """
    start = _Start(plugin, around, limits, content, idle, started, ended)
    try:
        return start.run()
    except (PluginStartError, PluginProtocolError):
        if around.transport != "tcp":
            raise
    # The port was free a moment ago, but another program may have taken it.
    return start.run()


@dataclass(frozen=True, slots=True)
class _Start:
    plugin: ExternalPlugin
    around: Surroundings
    limits: Limits
    content: Path
    idle: Callable[[], float | None]
    started: Callable[[RunningPlugin], None]
    ended: Callable[[RunningPlugin], None]

    def run(self) -> Client:
        deadline = Deadline(self.limits.start)
        contract: Contract = "v2" if "v2" in self.plugin.capabilities.contracts else "adr"
        folder = self.around.sockets.new()
        config, address = self._config(folder)
        command = ["server"] if contract == "adr" else []
        argv = [str(self.plugin.path), *command, "--config", config.to_json(contract)]
        running = self._process(argv, config.id, folder)
        try:
            self.started(running)
            client = self._await_ready(running, address if contract == "adr" else None, deadline)
        except BaseException as error:
            running.stop(at_once=not isinstance(error, OcmPkgError))
            raise
        _log.info("plugin %s started: pid %d", self.plugin.label, running.pid)
        return client

    def _process(self, argv: list[str], identifier: str, folder: Path) -> RunningPlugin:
        try:
            return RunningPlugin(
                argv,
                name=self.plugin.name,
                identifier=identifier,
                environment=child_environment(
                    self.around.environment, {"TMPDIR": str(self.content)}
                ),
                folder=folder,
                folders=self.around.sockets,
                grace=self.limits.grace,
                idle=self.idle,
                ended=self.ended,
            )
        except BaseException as error:
            self.around.sockets.remove(folder)
            if not isinstance(error, ProgramStartError):
                raise
            raise PluginStartError(
                f"plugin {self.plugin.label} did not start: {error.message}", hint=error.hint
            ) from error

    def _config(self, folder: Path) -> tuple[PluginConfig, Address]:
        # The Go SDK listens at a path made of the id, in a folder that all users share: a random
        # part keeps two managers, and two starts, apart.
        identifier = f"{_plain(self.plugin.name)}-{os.urandom(4).hex()}"
        idle = int(self.around.idle_timeout * 1e9)
        wanted = self.plugin.capabilities.config_types
        given = tuple(one for one in self.around.configurations if one.get("type") in wanted)
        if self.around.transport == "tcp":
            address = Address.tcp(f"127.0.0.1:{_free_port()}")
            return PluginConfig(identifier, "tcp", f":{address.port}", idle, given), address
        path = str(folder / _SOCKET)
        return PluginConfig(identifier, "socket", path, idle, given), Address.unix(path)

    def _await_ready(
        self, running: RunningPlugin, given: Address | None, deadline: Deadline
    ) -> Client:
        pause = _FIRST_POLL
        while running.status is None:
            address = running.address or given
            if address and (address.path is None or Path(address.path).is_socket()):
                client = self._client_at(address, running)
                if client.healthy(min(_HEALTH, deadline.left)):
                    return client
            if not deadline.left:
                raise self._late(running)
            if running.address is None:
                running.wait_for_news(min(pause, deadline.left))
            else:
                running.wait_for_end(min(pause, deadline.left))
            pause = min(pause * _POLL_GROWTH, _LAST_POLL)
        raise PluginStartError(
            f"plugin {self.plugin.label} ended before it was ready: "
            f"{describe_exit(running.status)}",
            hint=hint_for(self.content) or _TRY_BY_HAND,
        )

    def _late(self, running: RunningPlugin) -> PluginTimeoutError:
        address = running.address
        what = f"it does not answer at {address.line()}" if address else "it printed no address"
        return PluginTimeoutError(
            f"plugin {self.plugin.label} was not ready within {self.limits.start:g} s: {what}",
            hint=_TRY_BY_HAND,
        )

    def _client_at(self, address: Address, running: RunningPlugin) -> Client:
        def check(connection: socket.socket) -> None:
            check_peer(connection, address, plugin=self.plugin.label, running=running)

        return Client(
            address, plugin=self.plugin.label, limits=self.limits.client, check_peer=check
        )


def _plain(name: str) -> str:
    """Return a short name of characters that are safe in a file name and on any line."""
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in name)[:40]


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
