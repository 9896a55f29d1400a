"""Where a plugin listens: a socket in a folder that nobody else can enter, or loopback."""

from __future__ import annotations

import os
import re
import socket
import stat
import time

from ocm_pkg.contract.startup import Address
from ocm_pkg.errors import PluginStartError

_LONGEST_PATH = 100
_FOLDER = re.compile(r"ocm-[0-9a-f]{12}")
_SOCKET = "plugin.sock"
_STALE_SECONDS = 60
"""Younger folders may belong to a plugin that is about to listen."""


class Listener:
    """A listening socket of ours, and what has to be removed with it."""

    def __init__(self, stream: socket.socket, address: Address, folder: str | None = None) -> None:
        self.stream = stream
        self.address = address
        self._folder = folder
        self._inode = os.lstat(address.path).st_ino if address.path else 0

    @classmethod
    def at(cls, address: Address, folder: str | None = None) -> Listener:
        """Listen at an address; a socket path that exists is somebody else's and is refused."""
        if address.path is None:
            return cls._tcp(address)
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            stream.bind(address.path)
            stream.listen(128)
        except OSError as error:
            stream.close()
            raise PluginStartError(
                f"cannot listen on {address.path}: {error.strerror}",
                hint="the path must not exist, and its folder must",
            ) from error
        finally:
            os.umask(mask)
        return cls(stream, address, folder)

    @classmethod
    def private(cls, folders: list[str]) -> Listener:
        """Listen in a new folder that nobody else can enter, in the first folder that fits."""
        for parent in folders:
            folder = os.path.join(parent, f"ocm-{os.urandom(6).hex()}")  # noqa: PTH118 - start-up
            path = f"{folder}/{_SOCKET}"
            if len(os.fsencode(path)) >= _LONGEST_PATH or not path.startswith("/"):
                continue
            remove_stale(parent)
            try:
                os.mkdir(folder, 0o700)  # noqa: PTH102 - pathlib costs 10 ms at start
            except OSError:
                continue
            try:
                return cls.at(Address.unix(path), folder)
            except PluginStartError:
                os.rmdir(folder)  # noqa: PTH106 - as above
        raise PluginStartError(
            f"cannot make a folder for the socket in {' or '.join(folders)}",
            hint="set TMPDIR to a short path that can be written to",
        )

    @classmethod
    def _tcp(cls, address: Address) -> Listener:
        host = address.host or "127.0.0.1"
        stream = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stream.bind((host, address.port))
            stream.listen(128)
        except OSError as error:
            stream.close()
            raise PluginStartError(
                f"cannot listen on {host}:{address.port}: {error.strerror}"
            ) from error
        return cls(stream, Address(host=host, port=stream.getsockname()[1]))

    def close(self) -> None:
        """Stop listening and remove the socket and its private folder; once."""
        path = self.address.path if self.stream.fileno() >= 0 else None
        self.stream.close()
        if path is None:
            return
        try:
            if os.lstat(path).st_ino == self._inode:
                os.unlink(path)  # noqa: PTH108 - as above
            if self._folder:
                os.rmdir(self._folder)  # noqa: PTH106 - as above
        except OSError:
            return


def remove_stale(parent: str) -> None:
    """Remove the socket folders in ``parent`` that killed plugins of this user left there."""
    try:
        names = [name for name in os.listdir(parent) if _FOLDER.fullmatch(name)]  # noqa: PTH208 - start-up
    except OSError:
        return
    for name in names:
        folder = f"{parent}/{name}"
        try:
            if _is_stale(folder):
                os.unlink(f"{folder}/{_SOCKET}")  # noqa: PTH108 - as above
                os.rmdir(folder)  # noqa: PTH106 - as above
        except OSError:
            continue


def _is_stale(folder: str) -> bool:
    """Say whether a folder of ours has a socket on which nobody listens any more."""
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        return False
    if time.time() - status.st_mtime < _STALE_SECONDS:
        return False
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(0.1)
        try:
            stream.connect(f"{folder}/{_SOCKET}")
        except ConnectionRefusedError:
            return True
    return False
