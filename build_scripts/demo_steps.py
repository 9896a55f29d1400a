"""Runs the commands of the demo in one folder, shows them, and remembers them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Demo:
    """Runs commands in one folder and remembers them."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.commands: list[str] = []
        self.environment = {
            **os.environ,
            "XDG_DATA_HOME": str(out / "data"),
            "XDG_CONFIG_HOME": str(out / "config"),
            "XDG_CACHE_HOME": str(out / "cache"),
        }

    def step(self, title: str) -> None:
        """Begin a step."""
        print(f"├─ {title}", flush=True)

    def say(self, text: str) -> None:
        """Print lines below the step."""
        for line in text.splitlines():
            print(f"│    {line}", flush=True)

    def show(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one ocm-pkg command and show what it printed; end the demo if it fails."""
        self._remember(words)
        done = self._run(words)
        self.say(done.stdout + (done.stderr if "--loglevel" in words else ""))
        return done

    def read(self, *words: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return what a command says in JSON, without showing it."""
        return json.loads(self._run((*words, "-o", "json")).stdout)

    @contextmanager
    def serving(self, *words: str) -> Iterator[str]:
        """Run `ocm-pkg serve` in the background; give its URL, and stop it at the end."""
        self._remember(("serve", *words), " &")
        server = subprocess.Popen(  # noqa: S603 (our own program)
            [*self._program(), "serve", *words, "-o", "json"],
            cwd=self.out,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert server.stdout is not None  # noqa: S101 (a pipe was asked for)
        try:
            line = server.stdout.readline()
            if not line:
                sys.exit(f"demo: the registry did not start: it ended with {server.wait(10)}")
            url = str(json.loads(line)["url"])
            self.say(f"it is {url}")
            yield url
        finally:
            server.terminate()
            server.wait(20)

    def _remember(self, words: tuple[str, ...], end: str = "") -> None:
        shown = shlex.join(["ocm-pkg", *words]) + end
        self.commands.append(shown)
        self.say(f"$ {shown}")

    def _run(self, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(  # noqa: S603 (our own program)
            [*self._program(), *words],
            cwd=self.out,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            self.say(done.stdout + done.stderr)
            sys.exit(f"demo: {shlex.join(words)} ended with {done.returncode}")
        return done

    @staticmethod
    def _program() -> list[str]:
        return [sys.executable, "-m", "ocm_pkg"]
