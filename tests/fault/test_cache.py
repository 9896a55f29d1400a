"""I20, and what else can happen to a folder that many processes share and nobody watches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.fs.blobcache import BlobCache
from ocm_pkg.model.digest import digest_of
from tests.fakes.arena import NAME
from tests.fakes.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.arena import Arena
    from tests.fakes.served import Served

DOWNLOAD = ("--identity", "name=hello", "--output", "out")


@pytest.fixture
def registry(arena: Arena) -> Iterator[Served]:
    with served() as running:
        arena.constructor()
        arena.accepted("add", "cv", "-r", running.url)
        running.forget()
        yield running


@pytest.fixture
def ref(registry: Served) -> str:
    return f"{registry.url}//{NAME}:1.0.0"


@pytest.fixture
def folder(arena: Arena) -> Path:
    return arena.base / "home/.cache/ocm-pkg/blobs"


def downloaded(arena: Arena, ref: str, *more: str) -> bytes:
    (arena.work / "out").unlink(missing_ok=True)
    arena.accepted("download", "resource", ref, *DOWNLOAD, *more)
    return (arena.work / "out").read_bytes()


@pytest.mark.parametrize("evil", [b"evil", b"", b"ru", b"run!", b"RUN"])
def test_I20_a_poisoned_item_is_never_used(
    arena: Arena, registry: Served, ref: str, folder: Path, evil: bytes
) -> None:
    assert downloaded(arena, ref) == b"run"
    for path in folder.glob("sha256-*"):
        path.write_bytes(evil)
    assert downloaded(arena, ref) == b"run"
    assert {path.name for path in folder.glob("sha256-*") if path.read_bytes() == evil} == set()
    for path in folder.glob("sha256-*"):
        path.write_bytes(evil)
    registry.forget()
    arena.refused("download", "resource", ref, *DOWNLOAD, "--offline", code=5, says="E503")
    assert registry.requests == []
    assert downloaded(arena, ref) == b"run"
    assert downloaded(arena, ref, "--offline") == b"run"


def test_I20_a_poisoned_note_of_a_tag_gives_other_content_but_never_wrong_content(
    arena: Arena, ref: str, folder: Path
) -> None:
    arena.accepted("get", "cv", ref)
    [note] = folder.glob("tags/*/*.json")
    text = note.read_text()
    for evil in (
        text.replace('"size": ', '"size": 1'),
        text.replace("sha256:", "sha256:../../"),
        text.replace(str(folder), "x")[:-30],
        "[" * 10_000,
        "\x00",
    ):
        note.write_text(evil)
        arena.refused("get", "cv", ref, "--offline", code=5)
    arena.accepted("get", "cv", ref)
    arena.accepted("get", "cv", ref, "--offline")


@pytest.mark.parametrize("what", ["folder", "parent", "items"])
def test_I20_the_cache_may_vanish_between_and_during_commands(
    arena: Arena, registry: Served, ref: str, folder: Path, what: str
) -> None:
    assert downloaded(arena, ref) == b"run"
    gone = threading.Event()

    def remove() -> None:
        number = 0
        while not gone.is_set():
            number += 1
            if what == "items":
                for path in folder.glob("*"):
                    path.unlink(missing_ok=True) if not path.is_dir() else None
                continue
            victim = folder if what == "folder" else folder.parent
            if victim.exists():
                victim.rename(arena.base / f"home/gone{number}")

    thread = threading.Thread(target=remove)
    thread.start()
    try:
        for _ in range(10):
            assert downloaded(arena, ref) == b"run"
    finally:
        gone.set()
        thread.join()
    assert downloaded(arena, ref) == b"run"
    registry.forget()


SHARED = """
import os, sys
from pathlib import Path
from ocm_pkg.fs.blobcache import BlobCache
from ocm_pkg.model.digest import digest_of
cache = BlobCache(Path(sys.argv[1]), 400_000, free_bytes=0)
for number in range(300):
    data = (b"%d " % (number * 7 % 60)) * 2000
    digest = digest_of(data)
    found = cache.open(digest, len(data))
    if found is None:
        writer = cache.writer(digest, len(data))
        if writer is not None:
            writer.write(memoryview(data))
            writer.commit()
    else:
        with found:
            assert found.read() == data
print("whole")
"""


def test_I20_ten_processes_share_a_cache(tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    command = [sys.executable, "-c", SHARED, str(folder)]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    running = [
        subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(10)
    ]
    for one in running:
        out, err = one.communicate(timeout=60)
        assert (one.returncode, out, err) == (0, b"whole\n", b"")
    assert not list((folder / "incoming").iterdir())
    for path in folder.glob("sha256-*"):
        assert digest_of(path.read_bytes()).hex == path.name.removeprefix("sha256-")
    cache = BlobCache(folder, 400_000)
    assert cache.usage().items
    cache.prune()
    assert cache.usage().size <= 400_000


KILLED = """
import sys, time
from pathlib import Path
from ocm_pkg.fs.blobcache import BlobCache
from ocm_pkg.model.digest import digest_of
writer = BlobCache(Path(sys.argv[1]), free_bytes=0).writer(digest_of(b"x"), int(sys.argv[2]))
writer.write(memoryview(bytes(1000)))
print("writing", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("size", [2000, 8 * 1024 * 1024])
def test_what_a_killed_command_left_is_removed_by_the_next(
    arena: Arena, ref: str, folder: Path, size: int
) -> None:
    command = [sys.executable, "-c", KILLED, str(folder), str(size)]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        assert len(list((folder / "incoming").iterdir())) == 1
        arena.accepted("get", "cv", ref)
        assert len(list((folder / "incoming").iterdir())) == 1
        process.send_signal(signal.SIGKILL)
    arena.accepted("cache", "prune", "--all")
    arena.accepted("get", "cv", ref)
    assert list((folder / "incoming").iterdir()) == []


def test_a_cache_that_cannot_be_written_changes_nothing_but_speed(
    arena: Arena, registry: Served, ref: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = arena.base / "home/.cache"
    home.write_text("a file where the folder should be")
    assert downloaded(arena, ref) == downloaded(arena, ref) == b"run"
    assert registry.count("GET", "/blobs/") == 6
    home.unlink()
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert downloaded(arena, ref) == b"run"
    assert list(folder.iterdir()) == []
    folder.chmod(0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert downloaded(arena, ref) == b"run"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert downloaded(arena, ref) == b"run"
    assert list(folder.glob("sha256-*"))


def test_links_in_the_cache_lead_nowhere(arena: Arena, ref: str, folder: Path) -> None:
    assert downloaded(arena, ref) == b"run"
    precious = arena.outside / "precious"
    for path in folder.glob("sha256-*"):
        path.unlink()
        path.symlink_to(precious)
    for name in ("journal", "incoming"):
        away = folder / name
        away.rename(folder / f"was-{name}")
        away.symlink_to(arena.outside if name == "incoming" else precious)
    assert downloaded(arena, ref) == b"run"
    arena.accepted("cache", "prune", "--all")
    assert precious.read_text() == "precious"
    assert [path.name for path in arena.outside.iterdir()] == ["precious"]
    assert all(path.is_symlink() for path in folder.glob("sha256-*"))
