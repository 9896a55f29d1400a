"""Component references in circles, deep, wide, or to the same place again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.store.repository import ComponentRepository
from tests.fakes import rawctf
from tests.fakes.arena import KEYS, MIB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fakes.arena import Arena

ROOT = "ctf//example.com/c0:1.0.0"
COMMANDS: list[tuple[str, ...]] = [
    ("get", "cv", ROOT, "--recursive"),
    ("get", "cv", ROOT, "--recursive", "-o", "tree"),
    ("transfer", "cv", ROOT, "other", "--recursive"),
]


def component(number: int, children: Sequence[int]) -> dict[str, Any]:
    """Return a component ``example.com/cN`` that refers to others, several times if asked."""
    references = [
        {"name": f"r{index}", "componentName": f"example.com/c{child}", "version": "1.0.0"}
        for index, child in enumerate(children)
    ]
    return rawctf.descriptor(f"example.com/c{number}", componentReferences=references)


def stored(arena: Arena, *graph: Sequence[int]) -> None:
    for number, children in enumerate(graph):
        rawctf.store(arena.ctf, f"example.com/c{number}", "1.0.0", component(number, children))


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The component versions that were read, in their order."""
    found: list[str] = []
    real = ComponentRepository.get

    def get(self: ComponentRepository, component: str, version: str) -> Any:
        found.append(component)
        return real(self, component, version)

    monkeypatch.setattr(ComponentRepository, "get", get)
    return found


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("graph", [[[0]], [[1], [0]], [[1], [2], [3], [1]]])
def test_D13_a_circle(arena: Arena, command: tuple[str, ...], graph: list[list[int]]) -> None:
    stored(arena, *graph)
    arena.refused(*command, says="circle")


@pytest.mark.parametrize("command", COMMANDS)
def test_D13_deeper_than_the_limit(arena: Arena, command: tuple[str, ...]) -> None:
    stored(arena, *([number + 1] for number in range(99)), [])
    arena.refused(*command, says="64 levels")


def test_D13_wider_than_the_limit(arena: Arena) -> None:
    stored(arena, range(1, 1002), *([] for _ in range(1001)))
    arena.refused(*COMMANDS[0], says="more than 1000")


def test_D13_a_tree_that_is_wide_and_deep_takes_little_memory(arena: Arena) -> None:
    width, depth = 1000, 100
    layers = [range(1, width + 1)]
    layers += [range(layer * width + 1, layer * width + 21) for layer in range(1, depth)]
    for number, children in enumerate(layers):
        rawctf.store(arena.ctf, f"example.com/c{number}", "1.0.0", component(number, children))
    stored_up_to = len(layers)
    for number in range(stored_up_to, width + 1):
        rawctf.store(arena.ctf, f"example.com/c{number}", "1.0.0", component(number, []))
    arena.refused(*COMMANDS[0], code={2, 3}, memory=128 * MIB)


@pytest.mark.parametrize("command", [*COMMANDS, ("describe", "cv", ROOT)])
def test_D13_each_is_read_and_shown_once_however_many_ways_lead_to_it(
    arena: Arena, fetched: list[str], command: tuple[str, ...]
) -> None:
    stored(arena, *([number + 1] * 3 for number in range(40)), [])
    ended = arena.accepted(*command)
    assert ended.seconds < 10
    assert len(ended.out.splitlines()) < 250
    if command[0] != "transfer":
        assert len(fetched) == len(set(fetched))


def signed(arena: Arena, graph: Sequence[Sequence[int]]) -> list[object]:
    """Store and sign from the leaves up; return the command that verifies the root."""
    stored(arena, *graph)
    key = arena.key("test-key-a.private.pem")
    for number in reversed(range(len(graph))):
        arena.accepted("sign", "cv", f"ctf//example.com/c{number}:1.0.0", "--key", key)
    return ["verify", "cv", ROOT, "--key", KEYS / "test-key-a.public.pem"]


def test_D13_verify_reads_each_once_however_many_ways_lead_to_it(
    arena: Arena, fetched: list[str]
) -> None:
    verify = signed(arena, [*([number + 1] * 3 for number in range(8)), []])
    fetched.clear()
    checks = arena.accepted(*verify, "-o", "json").json["checks"]
    assert len(fetched) == len(set(fetched))
    assert {check["result"] for check in checks} == {"ok"}
    assert len(checks) == 1 + 8 * 3


def test_D13_verify_stops_at_its_limits(arena: Arena) -> None:
    verify = signed(arena, [[1, 2, 3, 4], [], [], [], []])
    arena.accepted(*verify)
    arena.refused(*verify, "--limit", "components=4", code=4, says="more than 4")
    verify = signed(arena, [[1], [2], []])
    arena.accepted(*verify, "--limit", "reference-depth=2")
    arena.refused(*verify, "--limit", "reference-depth=1", code=4, says="deeper than 1")


def test_D13_twin_a_tree_within_the_limits(arena: Arena) -> None:
    stored(arena, [1, 2], [3], [3], [])
    found = arena.accepted("get", "cv", ROOT, "--recursive", "-o", "json").json
    assert len(found) == 4
    arena.accepted("transfer", "cv", ROOT, "other", "--recursive")
    assert len(arena.accepted("get", "cv", "./other", "-o", "json").json) == 4
