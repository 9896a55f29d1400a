"""Row N12 by command: a proxy or a login page answers each step in the registry's place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ocm_pkg.store.serving import Response
from tests.fakes.arena import NAME, REF
from tests.fakes.faults import Faults
from tests.fakes.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.arena import Arena
    from tests.fakes.served import Served

PAGE = b"<!DOCTYPE html><html><title>Log in</title><body>Log in to the network</body></html>"


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def registry(arena: Arena, faults: Faults) -> Iterator[Served]:
    arena.constructor()
    arena.accepted("add", "cv")
    with served(intercept=faults) as running:
        arena.accepted("transfer", "cv", REF, running.url)
        yield running


def push(registry: Served) -> tuple[str, ...]:
    return ("transfer", "cv", REF, f"{registry.url}/new")


def test_N12_twin_without_a_page_all_steps_work(arena: Arena, registry: Served) -> None:
    arena.accepted(*push(registry))
    arena.accepted("get", "cv", f"{registry.url}/new//{NAME}")


@pytest.mark.parametrize(
    ("method", "part"),
    [
        ("HEAD", "/blobs/"),
        ("GET", "/manifests/1.0.0"),
        ("POST", "/blobs/uploads/"),
        ("PUT", "/blobs/uploads/"),
        ("PUT", "/manifests/sha256:"),
        ("PUT", "/manifests/1.0.0"),
    ],
)
@pytest.mark.parametrize("status", [200, 302, 403, 511])
def test_N12_a_page_in_a_push_publishes_nothing_and_points_at_a_proxy(
    arena: Arena, registry: Served, faults: Faults, method: str, part: str, status: int
) -> None:
    headers = {"Content-Type": "text/html", "Location": "/login"}
    faults.add(method, part, Response(status, headers, PAGE))
    faults.add("HEAD", "/login", Response(200, headers, PAGE))
    faults.add("GET", "/login", Response(200, headers, PAGE))
    ended = arena.refused(*push(registry), code=(4, 5), seconds=3)
    assert status == 403 or "proxy" in ended.err
    assert "<body" not in ended.all
    assert list(registry.store.tags(f"new/component-descriptors/{NAME}")) == []
    faults.clear()
    arena.accepted(*push(registry))


@pytest.mark.parametrize("part", ["/tags/list", "/_catalog"])
def test_N12_a_page_in_place_of_a_list_points_at_a_proxy(
    arena: Arena, registry: Served, faults: Faults, part: str
) -> None:
    faults.add("GET", part, Response(200, {"Content-Type": "text/html"}, PAGE))
    what = f"{registry.url}//{NAME}" if "tags" in part else registry.url
    ended = arena.refused("get", "cv", what, code=5, says="proxy", seconds=2)
    assert ended.err.count("the list of") == 1
