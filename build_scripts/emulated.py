"""Run a command where programs for linux/arm64 run too, by an emulator that only it knows of.

    python build_scripts/emulated.py COMMAND [ARGUMENT...]

The command runs in a user and mount namespace of its own, with an own binfmt_misc (Linux 6.7 and
newer), so nothing of the machine changes. It needs root and qemu-user-static.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

QEMU = "qemu-aarch64-static"
BINFMT = "/proc/sys/fs/binfmt_misc"
_NEW_NAMESPACES = 0x10000000 | 0x00020000  # CLONE_NEWUSER | CLONE_NEWNS
_PRIVATE = 0x4000 | 0x40000  # MS_REC | MS_PRIVATE
_IDS = "0 0 65536\n"
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


def check(result: int, what: str) -> None:
    """Raise ``OSError`` if a call of the C library failed."""
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def namespaces() -> None:
    """Enter new ones, in which the first 65536 users are what they were."""
    libc = ctypes.CDLL(None, use_errno=True)
    entered, mapped = os.pipe(), os.pipe()
    pid = os.getpid()
    helper = os.fork()
    if helper == 0:  # stays outside, where it may write the maps
        os.close(entered[1])
        os.read(entered[0], 1)
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}/{name}").write_text(_IDS)
        os.write(mapped[1], b"x")
        os._exit(0)
    os.close(mapped[1])
    check(libc.unshare(_NEW_NAMESPACES), "unshare")
    os.write(entered[1], b"x")
    done = os.read(mapped[0], 1)
    os.waitpid(helper, 0)
    if not done:
        raise PermissionError("the users of the namespace could not be set")
    check(libc.mount(None, b"/", None, _PRIVATE, None), "mount")
    check(libc.mount(b"binfmt_misc", BINFMT.encode(), b"binfmt_misc", 0, None), "binfmt_misc")


def register(qemu: str) -> None:
    """Tell the kernel about the emulator, whose file is opened now (F) and found in any root."""
    Path(BINFMT, "register").write_text(f":qemu-aarch64:M::{_MAGIC}:{_MASK}:{qemu}:FP\n")


def main() -> int:
    """Become the command."""
    if not sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    qemu = shutil.which(QEMU)
    if qemu is None:
        print(f"{QEMU} is missing (Debian: apt install qemu-user-static)", file=sys.stderr)
        return 1
    try:
        namespaces()
        register(qemu)
    except OSError as error:
        print(f"no private binfmt_misc: {error}", file=sys.stderr)
        return 1
    return os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
