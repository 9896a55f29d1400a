"""A publisher that is killed: readers see the old version or the new one, and each is complete."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.arena import NAME
from tests.fakes.docker_registry import docker_registry, needs_docker_registry
from tests.fakes.forwarder import forwarder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.arena import Arena
    from tests.fakes.docker_registry import RunningRegistry

pytestmark = needs_docker_registry
STEPS = 40
"""More than publishing takes requests."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


class Killer:
    """Kills a process at its request number ``step``, when that comes or when it was answered."""

    def __init__(self, step: int) -> None:
        self._step, self._count = step, 0
        self._lock = threading.Lock()
        self._started = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self.last = "nothing"

    def watch(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._started.set()

    def hook(self, what: str) -> None:
        self._started.wait(10)
        with self._lock:
            self._count += 1
            if self._count == self._step and self._process is not None:
                self.last = what
                self._process.kill()
                self._process.wait()


def publish(arena: Arena, url: str, killer: Killer) -> int:
    """Publish with replacement, in a process of its own; return its status."""
    policy = ("--component-version-conflict-policy", "replace")
    process = subprocess.Popen(
        [sys.executable, "-m", "ocm_pkg", "-q", "add", "cv", "-r", url, *policy],
        cwd=arena.work,
        env={**arena.environ, "PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    killer.watch(process)
    return process.wait(60)


def constructor(arena: Arena, content: str) -> None:
    parts = [
        {"name": name, "type": "blob", "input": {"type": "utf8", "text": f"{content} {name}"}}
        for name in ("first", "second")
    ]
    arena.constructor(resources=parts)


def content(arena: Arena, repository: str) -> str:
    """Return which content is there, after reading all of it; empty if there is no version."""
    reference = f"{repository}//{NAME}:1.0.0"
    if arena.run("get", "cv", reference).code == 3:
        return ""
    found = set()
    for name in ("first", "second"):
        output = ("--identity", f"name={name}", "--output", name)
        arena.accepted("download", "resource", reference, *output)
        path = arena.work / name
        word, part = path.read_text().split()
        assert part == name
        found.add(word)
        path.unlink()
    [word] = found
    return word


def rounds(
    arena: Arena, registry: RunningRegistry, *, answered: bool, old: str
) -> list[tuple[str, str]]:
    """Kill a publisher at each of its requests; return the request and what readers see then."""
    seen = []
    for step in range(1, STEPS):
        path = f"{'after' if answered else 'before'}-{old or 'nothing'}-{step}"
        repository = f"{registry.url}/{path}"
        if old:
            constructor(arena, old)
            arena.accepted("add", "cv", "-r", repository)
        constructor(arena, "new")
        killer = Killer(step)
        with forwarder(registry.host, **{"after" if answered else "before": killer.hook}) as proxy:
            status = publish(arena, f"{proxy.url}/{path}", killer)
        seen.append((killer.last, content(arena, repository)))
        # What the killed one left is in nobody's way.
        arena.accepted("add", "cv", "-r", repository, "--component-version-conflict-policy", "skip")
        if status == 0:
            assert seen.pop()[1] == "new"
            return seen
    raise AssertionError(seen)


@pytest.mark.parametrize(
    ("answered", "old"),
    [
        (True, "old"),
        pytest.param(False, "old", marks=pytest.mark.slow),
        pytest.param(True, "", marks=pytest.mark.slow),
        pytest.param(False, "", marks=pytest.mark.slow),
    ],
)
def test_R34_a_killed_publisher_leaves_the_old_version_or_the_new_one(
    arena: Arena, registry: RunningRegistry, answered: bool, old: str
) -> None:
    seen = rounds(arena, registry, answered=answered, old=old)
    states = [state for _, state in seen]
    assert set(states) <= {old, "new"}
    # The tag is the commit: with its request the new one is there, and stays.
    assert states == sorted(states, key=["", old, "new"].index)
    if answered:
        [tagged] = [what for what, state in seen if state == "new"][:1]
        assert tagged.startswith("PUT ")
        assert tagged.endswith("/manifests/1.0.0")
