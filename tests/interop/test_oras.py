"""oras-py and ocm-pkg in one registry: each reads what the other one wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.fs.blob import read_all
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import mapping
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.registries import Registries
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import NAME, stored
from tests.fakes.docker_registry import PROGRAM, docker_registry
from tests.fakes.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = b"content " * 100_000
CLIENT = """\
import os
import sys
from oras.client import OrasClient

verb, target, folder = sys.argv[1:]
client = OrasClient(insecure=True)
os.chdir(folder)
if verb == "push":
    client.push(target, files=["content.bin:text/x-content"], disable_path_validation=True)
else:
    client.pull(target, outdir=".")
"""


@contextmanager
def _running(kind: str, folder: Path) -> Iterator[str]:
    """Run a registry; give its ``HOST:PORT``."""
    if kind == PROGRAM:
        with docker_registry(folder) as registry:
            yield registry.host
        return
    with served(CTFStore(folder / "ctf", create=True)) as server:
        yield server.host


@pytest.fixture(params=["serve", PROGRAM])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with _running(request.param, tmp_path / "registry") as running:
        yield running


def oras(verb: str, target: str, folder: Path) -> None:
    command = [sys.executable, "-c", CLIENT, verb, target, str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def test_what_oras_pushes_is_read(host, tmp_path):
    (tmp_path / "content.bin").write_bytes(DATA)
    oras("push", f"{host}/acme/files:1.0.0", tmp_path)
    with Registries() as registries:
        store = registries.store_of(f"http://{host}/acme")
        assert list(store.tags("files")) == ["1.0.0"]
        top = store.resolve("files", "1.0.0")
        data = read_all(store.fetch("files", top), mapping.MAX_DOCUMENT, "it")
        [value] = json.loads(data)["layers"]
        layer = OCIDescriptor.from_json(value, what="it")
        assert (layer.media_type, layer.digest) == ("text/x-content", digest_of(DATA))
        assert read_all(store.fetch("files", layer), len(DATA), "it") == DATA


def test_what_is_pushed_is_read_by_oras(host, tmp_path):
    with Registries() as registries:
        repository = ComponentRepository(registries.store_of(f"http://{host}/acme"))
        stored(repository, content=DATA)
    folder = tmp_path / "pulled"
    folder.mkdir()
    oras("pull", f"{host}/acme/{mapping.repository_of(NAME)}:1.0.0", folder)
    pulled = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert DATA in pulled
    assert any(NAME.encode() in each for each in pulled)
