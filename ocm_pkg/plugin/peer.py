"""Makes sure that what answers at an address is the plugin that was started.

On Linux the system says who listens. Where it does not, nothing can be checked: then the private
folder's mode is what keeps others from a unix socket.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.errors import PluginProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.contract.startup import Address
    from ocm_pkg.plugin.running import RunningPlugin

_CREDENTIALS = struct.Struct("3i")
_LISTENING = "0A"
_TABLES = (Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6"))


def check_peer(
    connection: socket.socket, address: Address, *, plugin: str, running: RunningPlugin
) -> None:
    """Raise ``PluginProtocolError`` if another than the plugin listens at ``address``.

    In its own private folder (mode 0700) the listener must be of our user; at any other socket, and
    on TCP, where others can listen too, it must be of the plugin's process group.
    """
    if address.path is None:
        own = _owns_port(running.pid, address.port)
    elif not hasattr(socket, "SO_PEERCRED"):
        return
    else:
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, user, _ = _CREDENTIALS.unpack(data)
        inside = Path(address.path).parent == running.folder
        own = user == os.getuid() and (inside or _group(pid) == running.pid)
    if not own:
        raise PluginProtocolError(
            f"plugin {plugin}: another process listens at {address.line()}, and was not called",
            hint="find out which program that is; a plugin listens at a place of its own",
        )


def _owns_port(group: int, port: int) -> bool:
    """Whether the sockets that listen on a port are of a process group; true if unknown."""
    listening = {inode for table in _TABLES for inode in _listeners(table, port)}
    if not listening:
        return not _TABLES[0].exists()
    return listening <= {inode for pid in _members(group) for inode in _sockets(pid)}


def _listeners(table: Path, port: int) -> Iterator[str]:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        fields = line.split()
        if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
            yield fields[9]


def _members(group: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _group(int(entry.name)) == group:
            yield int(entry.name)


def _sockets(pid: int) -> Iterator[str]:
    try:
        handles = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return
    for handle in handles:
        try:
            target = str(handle.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[len("socket:[") : -1]


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except OSError:
        return None
