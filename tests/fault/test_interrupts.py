"""Row N14: Ctrl-C in the middle of eight transfers."""

from __future__ import annotations

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
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.store.serving import Request
    from tests.fakes.arena import Arena

AT_ONCE, SIZE = 8, 1_000_000
CONTENTS = [index.to_bytes(4, "big") * (SIZE // 4) for index in range(20)]
DIGESTS = [digest_of(data).hex for data in CONTENTS]
REF = f"{NAME}:1.0.0"


class Hanging:
    """Lets requests for content hang, in the middle of their bodies or before them."""

    def __init__(self) -> None:
        self.method = ""
        self.in_body = False
        self.go_on = threading.Event()
        self.reached = threading.Semaphore(0)

    def __call__(self, request: Request) -> Response | None:
        if request.method != self.method or "/blobs/" not in request.path:
            return None
        if self.method == "GET" and not any(digest in request.path for digest in DIGESTS):
            return None
        if not self.in_body:
            self._hang()
            return None
        return Response(200, {"Content-Length": str(SIZE)}, self._slowly())

    def _slowly(self) -> Iterator[bytes]:
        yield b"x" * 1000
        self._hang()

    def _hang(self) -> None:
        self.reached.release()
        self.go_on.wait(30)


def started(arena: Arena, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ocm_pkg", *arguments],
        cwd=arena.work,
        env={**arena.environ, "PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def interrupted(arena: Arena, hanging: Hanging, *arguments: str, number: int) -> float:
    """Interrupt a command when eight of its requests hang; return how long it takes to end."""
    process = started(arena, *arguments)
    try:
        for _ in range(AT_ONCE):
            assert hanging.reached.acquire(timeout=10)
        before = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
        seconds = time.monotonic() - before
    finally:
        process.kill()
        hanging.go_on.set()
    assert process.returncode in {130, 128 + number}, (process.returncode, err)
    assert "Traceback" not in err + out, err
    assert "error[" not in err
    # What has the number of this process is the registry's.
    own = f".{os.getpid()}."
    assert [path for path in (arena.base / "tmp").iterdir() if own not in path.name] == []
    return seconds


def ctf(arena: Arena) -> None:
    """Make a component version of twenty large resources in ./ctf."""
    resources = []
    for index, data in enumerate(CONTENTS):
        arena.file(f"file{index}", data)
        source = {"type": "file", "path": f"file{index}", "mediaType": "text/plain"}
        resources.append({"name": f"r{index}", "type": "blob", "input": source})
    arena.constructor(resources=resources)
    arena.accepted("add", "cv")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("in_body", [True, False], ids=["middle", "start"])
def test_N14_an_interrupt_in_the_middle_of_eight_downloads_ends_them_all_and_leaves_nothing(
    arena: Arena, number: int, in_body: bool
) -> None:
    ctf(arena)
    hanging = Hanging()
    with served(intercept=hanging) as registry:
        arena.accepted("transfer", "cv", f"ctf//{REF}", registry.url)
        before = snapshot(arena.base / "work")
        hanging.method, hanging.in_body = "GET", in_body
        get = ("transfer", "cv", f"{registry.url}//{REF}", "new/copy")
        assert interrupted(arena, hanging, *get, number=number) < 2
        assert snapshot(arena.base / "work") == before
        hanging.method = ""
        arena.accepted(*get)


@pytest.mark.parametrize("method", ["PUT", "POST", "HEAD"])
def test_N14_an_interrupt_in_the_middle_of_eight_uploads_ends_them_all_and_publishes_nothing(
    arena: Arena, method: str
) -> None:
    ctf(arena)
    before = snapshot(arena.base / "work")
    hanging = Hanging()
    with served(intercept=hanging) as registry:
        hanging.method = method
        put = ("transfer", "cv", f"ctf//{REF}", registry.url)
        assert interrupted(arena, hanging, *put, number=signal.SIGINT) < 2
        assert snapshot(arena.base / "work") == before
        assert list(registry.store.tags(f"component-descriptors/{NAME}")) == []
        hanging.method = ""
        arena.accepted(*put)


def test_N14_an_interrupted_verification_ends_too(arena: Arena) -> None:
    ctf(arena)
    key, public = arena.key("test-key-a.private.pem"), arena.key("test-key-a.public.pem")
    arena.accepted("sign", "cv", f"ctf//{REF}", "--key", key)
    hanging = Hanging()
    with served(intercept=hanging) as registry:
        arena.accepted("transfer", "cv", f"ctf//{REF}", registry.url)
        before = snapshot(arena.base / "work")
        hanging.method, hanging.in_body = "GET", True
        check = ("verify", "cv", f"{registry.url}//{REF}", "--key", str(public))
        assert interrupted(arena, hanging, *check, number=signal.SIGINT) < 2
        assert snapshot(arena.base / "work") == before
        hanging.method = ""
        arena.accepted(*check)
