"""The command line of a plugin: ``capabilities``, ``server --config JSON``, ``--config JSON``."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Literal, NamedTuple

from ocm_pkg.contract.config import PluginConfig
from ocm_pkg.contract.jsontext import write_json
from ocm_pkg.contract.startup import Address
from ocm_pkg.errors import OcmPkgError, PluginStartError, UsageError
from ocm_pkg.sdk.calls import Calls
from ocm_pkg.sdk.idle import IdleTracker
from ocm_pkg.sdk.listener import Listener
from ocm_pkg.sdk.log import Log
from ocm_pkg.sdk.server import Server, is_pipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocm_pkg.sdk.plugin import Plugin

_USAGE = """\
usage: {program} capabilities
       {program} server --config JSON
       {program} --config JSON

A plugin of the Open Component Model; plugin managers start it.
"""


class Command(NamedTuple):
    """What the arguments ask for; ``config`` is the JSON for ``server``."""

    name: Literal["capabilities", "server", "help"]
    config: str = ""


def parse_arguments(arguments: Sequence[str]) -> Command:
    """Return what to do.

    The flag is read as Go's ``flag`` package reads it: ``--config X``, ``-config X`` and
    ``--config=X`` are the same, the last one wins, the first argument that is no flag ends it.

    Raises:
        UsageError: an unknown command or flag, or a flag without its value.
        PluginStartError: no configuration.

    """
    if arguments and arguments[0] == "capabilities":
        return Command("capabilities")
    config: str | None = None
    rest = list(arguments[1:] if arguments and arguments[0] == "server" else arguments)
    if rest and not rest[0].startswith("-"):
        raise UsageError(f"unknown command {rest[0][:80]!r}", hint="try capabilities")
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "--"):
        flag, equals, value = rest.pop(0).partition("=")
        name = flag.removeprefix("-").removeprefix("-")
        if name in ("h", "help"):
            return Command("help")
        if name != "config":
            raise UsageError(f"flag provided but not defined: -{name[:80]}")
        if not equals:
            if not rest:
                raise UsageError("flag needs an argument: -config")
            value = rest.pop(0)
        config = value
    if not config:
        raise PluginStartError("missing required flag --config")
    return Command("server", config)


def serve(plugin: Plugin, argv: Sequence[str] | None = None) -> int:
    """Run a plugin's command line; return its exit status.

    ``argv`` are the arguments without the program's name, by default those of the process. From
    here on, what anything prints on stdout goes to stderr: stdout is the manager's. The status is
    0 also when the plugin ends by a signal, idle time, a call of ``/shutdown`` or because its
    manager is gone; 2 for arguments that can't be understood; 1 if it cannot start.
    """
    log = Log()
    try:
        answers = os.dup(1)
        os.dup2(2, 1)
        return _run(plugin, sys.argv[1:] if argv is None else argv, answers, log)
    except OcmPkgError as error:
        hint = {} if error.hint is None else {"hint": error.hint}
        log.write("ERROR", error.message, plugin=plugin.id, **hint)
        return 2 if isinstance(error, UsageError) else 1
    except Exception as error:  # noqa: BLE001 - how a plugin fails is one log line
        log.write("ERROR", "the plugin failed", plugin=plugin.id, error=repr(error))
        return 1
    finally:
        _flush_stdout()


def _run(plugin: Plugin, arguments: Sequence[str], answers: int, log: Log) -> int:
    command = parse_arguments(arguments)
    if command.name == "help":
        _print(answers, _USAGE.format(program=sys.argv[0]))
        return 0
    if command.name == "capabilities":
        _print(answers, write_json(plugin.capabilities().to_json()) + "\n")
        return 0
    config = PluginConfig.parse(command.config)
    stops = (signal.SIGINT, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    listener = listen(config, os.environ)
    server = Server(
        listener,
        Calls(plugin, log).answer,
        idle=IdleTracker(config.idle_timeout_ns, time.monotonic_ns),
        log=log,
        lifeline=0 if is_pipe(0) else None,
    )
    try:
        signal.set_wakeup_fd(server.wakeup, warn_on_full_buffer=False)
        for number in stops:
            signal.signal(number, lambda *_: server.stop())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, stops)
        _print(answers, listener.address.line() + "\n")
        plugin.configure(config.config_types)
        reason = server.run()
    finally:
        signal.set_wakeup_fd(-1)
        server.close()
    log.write("INFO", "plugin ended", id=config.id, reason=reason)
    return 0


def listen(config: PluginConfig, environ: Mapping[str, str]) -> Listener:
    """Listen where the configuration says, or else where nobody else comes.

    Raises:
        PluginStartError: the place is taken, or there is none.
        PluginProtocolError: the location is no place for a plugin.

    """
    if config.type == "tcp":
        return Listener.at(Address.tcp(config.location or "127.0.0.1:0"))
    if config.location is not None:
        return Listener.at(Address.unix(config.location))
    folders = (environ.get("XDG_RUNTIME_DIR"), environ.get("TMPDIR"), "/tmp")  # noqa: S108 - 0700
    return Listener.private([folder for folder in folders if folder])


def _print(descriptor: int, text: str) -> None:
    data = text.encode()
    while data:
        data = data[os.write(descriptor, data) :]


def _flush_stdout() -> None:
    """Get rid of stray prints while a failure can still be ignored: nobody may be reading."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
