"""What pushing and pulling large content may cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.arena import MIB, NAME
from tests.fakes.docker_registry import docker_registry, needs_docker_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.arena import Arena
    from tests.fakes.docker_registry import RunningRegistry

pytestmark = needs_docker_registry
ABOVE_IDLE = 64 * MIB
RESIDENT = 96 * MIB
SAME = 8 * MIB
"""What two runs of one command differ by."""


@pytest.fixture
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def large(arena: Arena, name: str, size: int) -> None:
    """Make a component version of one file that has holes, but for its ends."""
    with (arena.work / name).open("wb") as out:
        out.write(name.encode())
        out.seek(size - 4)
        out.write(b"end\n")
    one = {"name": "large", "type": "blob", "input": {"type": "file", "path": name}}
    arena.constructor(name=f"example.com/{name}", resources=[one])


def peaks(arena: Arena, registry: RunningRegistry, name: str, size: int) -> tuple[int, int]:
    """Push and pull content of ``size`` bytes; return the peaks of both processes in bytes."""
    large(arena, name, size)
    pushed = arena.measured("add", "cv", "-r", registry.url)
    assert pushed.code == 0, pushed
    reference = f"{registry.url}//example.com/{name}:1.0.0"
    output = ("--identity", "name=large", "--output", f"{name}.got")
    pulled = arena.measured("download", "resource", reference, *output)
    assert pulled.code == 0, pulled
    got = arena.work / f"{name}.got"
    with got.open("rb") as stream:
        assert stream.read(len(name)) == name.encode()
        stream.seek(-4, 2)
        assert stream.read() == b"end\n"
    assert got.stat().st_size == (arena.work / name).stat().st_size
    got.unlink()
    return pushed.peak, pulled.peak


def test_B01_memory_does_not_grow_with_the_size_of_a_blob(
    arena: Arena, registry: RunningRegistry
) -> None:
    idle = peaks(arena, registry, "small", 64)
    some = peaks(arena, registry, "some", 50 * MIB)
    for peak, least in zip(some, idle, strict=True):
        assert peak - least <= ABOVE_IDLE
        assert peak <= RESIDENT


@pytest.mark.slow
def test_B01_a_blob_of_500_mb_takes_no_more_memory_than_one_of_50(
    arena: Arena, registry: RunningRegistry
) -> None:
    idle = peaks(arena, registry, "small", 64)
    some = peaks(arena, registry, "some", 50 * MIB)
    more = peaks(arena, registry, "more", 500 * MIB)
    for peak, less, least in zip(more, some, idle, strict=True):
        assert peak - least <= ABOVE_IDLE
        assert abs(peak - less) <= SAME


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_B01_a_blob_of_2_gb_goes_up_and_down_in_96_mib(
    arena: Arena, registry: RunningRegistry
) -> None:
    for peak in peaks(arena, registry, "huge", 2048 * MIB):
        assert peak <= RESIDENT


def test_B04_pushing_what_is_there_sends_no_content_and_asks_little(
    arena: Arena, registry: RunningRegistry
) -> None:
    parts = [
        {"name": f"part-{number}", "type": "blob", "input": {"type": "utf8", "text": str(number)}}
        for number in range(20)
    ]
    arena.constructor(resources=parts)
    arena.accepted("add", "cv", "-r", registry.url)
    for command in (
        ("add", "cv", "-r", registry.url),
        ("transfer", "cv", f"ctf//{NAME}:1.0.0", registry.url),
    ):
        if command[0] == "transfer":
            arena.accepted("add", "cv")
        before = len(registry.requests())
        arena.accepted(*command)
        asked = registry.requests()[before:]
        assert len(asked) <= len(parts) + 3, asked
        assert not [one for one in asked if not one.startswith(("HEAD", "GET"))], asked
