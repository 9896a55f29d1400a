"""Finds processes that a plugin started and that left its group, by a mark in their environment."""

from __future__ import annotations

import os
import signal

MARK = "OCM_PKG_PLUGIN_START"
"""The variable that every process of one start inherits; its value is random."""

_ROUNDS = 10


def kill_marked(value: str) -> int:
    """Kill every process of ours that has the mark; return how many (Linux only).

    A killed process can't start another one; a few rounds catch those started meanwhile.
    """
    if not hasattr(os, "pidfd_open"):
        return 0
    wanted = f"{MARK}={value}".encode()
    killed = 0
    for _ in range(_ROUNDS):
        found = sum(_kill_if_marked(pid, wanted) for pid in _processes())
        killed += found
        if not found:
            break
    return killed


def _processes() -> list[int]:
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - names are enough, and there are many
    except OSError:
        return []
    own = os.getpid()
    return [int(name) for name in names if name.isdigit() and int(name) != own]


def _kill_if_marked(pid: int, wanted: bytes) -> bool:
    try:
        # The handle comes first: should the number become another's, the signal reaches nobody.
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if wanted not in _environment(pid).split(b"\0"):
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _environment(pid: int) -> bytes:
    file = os.open(f"/proc/{pid}/environ", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 1 << 20)
    finally:
        os.close(file)
