"""Rows N01, N03 and R26 against distribution 2.8.2, whose sessions do not survive a loss."""

from __future__ import annotations

import hashlib

import pytest

from ocm_pkg.fs.blob import FileBlob, read_all
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store.base import OCIDescriptor
from tests.fakes.cutter import cutter
from tests.fakes.docker_registry import docker_registry, needs_docker_registry
from tests.fakes.registrystore import REPOSITORY, connected

pytestmark = needs_docker_registry
MIB = 1024 * 1024
DATA = hashlib.shake_256(b"cuts").digest(12 * MIB)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def wire(registry):
    with cutter(registry.host) as wire:
        yield wire


def stored(wire, tmp_path, name, *, known=True, **options):
    """Push content of its own, and return it."""
    data = name.encode() + DATA
    path = tmp_path / "data"
    path.write_bytes(data)
    digest = digest_of(data) if known else None
    with connected(wire.url, **options) as store:
        pushed = store.push(REPOSITORY, FileBlob(path, None, len(data), digest), "text/plain")
    assert pushed == OCIDescriptor("text/plain", digest_of(data), len(data))
    return data, pushed


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("after", [100, 1000, 5 * MIB, 12 * MIB])
def test_N03_an_upload_that_is_cut_arrives_whole(wire, tmp_path, known, after):
    wire.cut(up=after)
    data, pushed = stored(wire, tmp_path, f"up-{known}-{after}", known=known)
    assert wire.cuts == 1
    with connected(wire.url) as store:
        assert read_all(store.fetch(REPOSITORY, pushed), 20 * MIB, "it") == data


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("after", [0, 200, 500, 700])
def test_N03_an_upload_whose_answer_is_cut_arrives_whole(wire, tmp_path, known, after):
    wire.cut(down=after)
    data, pushed = stored(wire, tmp_path, f"answer-{known}-{after}", known=known)
    with connected(wire.url) as store:
        assert read_all(store.fetch(REPOSITORY, pushed), 20 * MIB, "it") == data


@pytest.mark.parametrize("after", [100, 5 * MIB, 12 * MIB])
def test_N01_a_download_that_is_cut_goes_on(wire, tmp_path, after):
    data, pushed = stored(wire, tmp_path, "down")
    wire.cut(down=after)
    with connected(wire.url) as store:
        assert read_all(store.fetch(REPOSITORY, pushed), 20 * MIB, "it") == data
    assert wire.cuts == 1
