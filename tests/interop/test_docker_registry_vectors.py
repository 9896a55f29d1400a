"""What the reference tools made, through Debian's docker-registry and back, byte for byte."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.services.transfer import transfer
from ocm_pkg.store.provider import BuiltinProvider
from ocm_pkg.store.registries import Registries
from tests.fakes.docker_registry import docker_registry, needs_docker_registry
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocm_pkg.store.repository import ComponentRepository

VECTORS = Path(__file__).parents[3] / "shared/vectors"
KINDS = ("components/", "extra/", "signed/")
pytestmark = [
    needs_docker_registry,
    pytest.mark.skipif(not VECTORS.is_dir(), reason="needs ../shared/vectors"),
]


def copies() -> list[Any]:
    path = VECTORS / "MANIFEST.json"
    entries = json.loads(path.read_text())["vectors"] if path.is_file() else []
    wanted = [one for one in entries if "ctf" in one and one["id"].startswith(KINDS)]
    return [pytest.param(one, id=one["id"], marks=_marks(one["id"])) for one in wanted]


def _marks(name: str) -> tuple[pytest.MarkDecorator, ...]:
    """The components of the newer tool stand for all of them."""
    return () if name.startswith("components/") and "v2" in name else (pytest.mark.slow,)


@pytest.fixture(scope="module")
def empty_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Gives the URL of a part of the registry that nobody used before."""
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        numbers = itertools.count()
        yield lambda: f"{running.url}/vector-{next(numbers)}"


@pytest.mark.parametrize("entry", copies())
def test_a_component_version_comes_back_byte_for_byte(
    entry: dict[str, Any], empty_path: Callable[[], str], tmp_path: Path
) -> None:
    whole = entry.get("component_version") or f"{entry['component']}:{entry['version']}"
    name, _, version = whole.partition(":")
    with Registries() as registries:
        provider = BuiltinProvider(registry=registries.repository_store)

        def open_at(text: str) -> ComponentRepository:
            return provider.open(RepositorySpec.parse(text), create=True)

        def copied(source: ComponentRepository, text: str) -> ComponentRepository:
            to = open_at(text)
            arguments = {"source": source, "destination": to, "repository": text}
            assert transfer(name, version, **arguments)[-1].written
            assert not transfer(name, version, **arguments)[-1].written
            return to

        source = open_at(str(VECTORS / entry["ctf"]))
        copied(source, str(tmp_path / "copy"))
        there = copied(source, empty_path())
        elsewhere = copied(there, empty_path())
        copied(elsewhere, str(tmp_path / "back"))
        assert there.get(name, version).encoded == source.get(name, version).encoded
    assert snapshot(tmp_path / "back") == snapshot(tmp_path / "copy")
