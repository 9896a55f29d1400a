"""Logging in at a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import termios
import time
from pathlib import Path

from tests.fakes.guarded import HIDDEN, LOGIN, guarded


def seen_until(master: int, text: str, seconds: float = 20) -> str:
    """Return what a terminal shows up to ``text``."""
    shown, end = "", time.monotonic() + seconds
    while text not in shown:
        assert time.monotonic() < end, shown
        shown += os.read(master, 1000).decode()
    return shown


def echoes(slave: int) -> bool:
    return bool(termios.tcgetattr(slave)[3] & termios.ECHO)


def test_a_password_that_is_typed_is_not_shown(tmp_path) -> None:
    master, slave = pty.openpty()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with guarded() as world, contextlib.closing(os.fdopen(master, "rb", buffering=0)):
        process = subprocess.Popen(
            [sys.executable, "-m", "ocm_pkg", "login", world.url],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environ,
            cwd=tmp_path,
            start_new_session=True,
        )
        try:
            seen_until(master, "User name: ")
            os.write(master, b"user\n")
            seen_until(master, "Password of user: ")
            end = time.monotonic() + 20
            while echoes(slave):
                assert time.monotonic() < end
                time.sleep(0.01)
            os.write(master, f"{HIDDEN}\n".encode())
            shown = seen_until(master, "stored in ")
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
            os.close(slave)
        assert "logged in to" in shown
        assert HIDDEN not in shown
        stored = json.loads((tmp_path / ".docker/config.json").read_text())
        assert stored == {"auths": {world.registry.host: {"auth": LOGIN}}}
