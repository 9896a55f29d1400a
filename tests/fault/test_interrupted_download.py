"""Row N14 for one large download: Ctrl-C leaves neither a part of it nor anything else."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.model.digest import digest_of
from ocm_pkg.store.serving import Response
from tests.fakes.arena import NAME
from tests.fakes.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.store.serving import Request
    from tests.fakes.arena import Arena

LARGE = hashlib.shake_256(b"large").digest(6 * 1024 * 1024)
DIGEST = str(digest_of(LARGE))


class Halting:
    """Sends half of the content, and the rest when the test is over."""

    def __init__(self) -> None:
        self.is_on = False
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __call__(self, request: Request) -> Response | None:
        if not self.is_on or request.method != "GET" or f"/blobs/{DIGEST}" not in request.path:
            return None
        return Response(200, {"Content-Length": str(len(LARGE))}, self._slowly())

    def _slowly(self) -> Iterator[bytes]:
        yield LARGE[: len(LARGE) // 2]
        self.reached.set()
        self.go_on.wait(30)


def tree(arena: Arena) -> set[str]:
    """Return all files of the arena but what the cache is made of: its own rows look there."""
    return {
        str(path.relative_to(arena.base))
        for path in arena.base.rglob("*")
        if path.name.startswith("ocm-pkg-") or ".cache/ocm-pkg/" not in str(path)
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_N14_an_interrupted_download_leaves_the_old_file_and_no_part(
    arena: Arena, number: int
) -> None:
    arena.file("file", LARGE)
    source = {"type": "file", "path": "file", "mediaType": "application/octet-stream"}
    arena.constructor(resources=[{"name": "hello", "type": "blob", "input": source}])
    halting = Halting()
    with served(intercept=halting) as registry:
        arena.accepted("add", "cv", "-r", registry.url)
        arena.file("out", "what was there before")
        ref = f"{registry.url}//{NAME}:1.0.0"
        get = ("download", "resource", ref, "--identity", "name=hello", "--output", "out")
        arena.accepted("get", "cv", ref)
        halting.is_on = True
        before = tree(arena)
        process = subprocess.Popen(
            [sys.executable, "-m", "ocm_pkg", *get],
            cwd=arena.work,
            env={**arena.environ, "PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            assert halting.reached.wait(10), process.communicate(timeout=5)
            started = time.monotonic()
            process.send_signal(number)
            out, err = process.communicate(timeout=10)
            assert time.monotonic() - started < 2
        finally:
            process.kill()
            halting.go_on.set()
        assert process.returncode in {130, 128 + number}
        assert "Traceback" not in out + err
        assert tree(arena) == before
        assert (arena.work / "out").read_text() == "what was there before"
        halting.is_on = False
        arena.accepted(*get)
        assert (arena.work / "out").read_bytes() == LARGE
        assert not list((arena.base / "home/.cache/ocm-pkg/blobs/incoming").iterdir())
