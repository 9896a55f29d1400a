"""What the reference tools pushed to a registry, served again and read as it was recorded."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from pathlib import Path

import pytest

from ocm_pkg.fs.blob import read_all
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.registrystore import connected
from tests.fakes.served import served
from tests.vectorset.registry import rebuilt
from tests.vectorset.wire import tag_of
from tests.vectorset.world import VectorSet, World, name_and_version, snapshot

SET = Path(__file__).parents[2].parent / "shared/vectors"
pytestmark = pytest.mark.skipif(not SET.is_dir(), reason="needs ../shared/vectors")


def pushed():
    """Return the vectors that tell what a registry had in the end."""
    if not SET.is_dir():
        return []
    vectors = VectorSet(SET).vectors.values()
    return [one for one in vectors if one["kind"] == "registry-dump" and "push_error" not in one]


class NoCommands:
    """No command is run here."""

    def run(self, _arguments, _folder):
        raise AssertionError

    def close(self):
        pass


def get(running, path):
    with closing(http.client.HTTPConnection(running.host, timeout=10)) as client:
        client.request("GET", path)
        answer = client.getresponse()
        return answer.status, answer.headers, answer.read()


@pytest.mark.parametrize("vector", pushed(), ids=lambda vector: vector["id"])
def test_a_recorded_registry_is_served_and_read_identically(vector, tmp_path):
    world = World(VectorSet(SET), vector, NoCommands(), tmp_path)
    ctf = rebuilt(world)
    assert world.problems == []
    before = snapshot(ctf)
    component, version = name_and_version(vector)
    repository = f"component-descriptors/{component}"
    dump = SET / vector["dir"]
    with served(CTFStore(ctf), writable=False) as running:
        status, headers, body = get(running, f"/v2/{repository}/manifests/{tag_of(version)}")
        assert (status, body) == (200, (dump / "top.json").read_bytes())
        assert headers["Docker-Content-Digest"] == vector["top"]["digest"]
        assert headers["Content-Type"] == vector["top"]["content-type"]
        recorded = json.loads((dump / "tags-list.json").read_bytes())["tags"]
        tags = json.loads(get(running, f"/v2/{repository}/tags/list")[2])
        assert tags == {"name": repository, "tags": recorded}
        with connected(running.url) as store:
            same(ComponentRepository(store), ComponentRepository(CTFStore(ctf)), vector)
        assert running.log == []
    assert snapshot(ctf) == before


def same(remote, local, vector):
    """Compare a component version in the registry with the one in the CTF, to the last byte."""
    component, version = name_and_version(vector)
    assert list(remote.versions(component)) == list(local.versions(component)) == [version]
    there, here = remote.get(component, version), local.get(component, version)
    assert there.encoded == here.encoded
    assert there == here
    elements = [one for one in here.component.resources if one.access.is_local_blob]
    for element in elements:
        blobs = [one.blob(here, element) for one in (remote, local)]
        contents = [read_all(blob, 1 << 24, element.name) for blob in blobs]
        assert contents[0] == contents[1]


def test_every_recorded_push_is_checked():
    assert len(pushed()) == len([path for path in (SET / "registry").iterdir() if path.is_dir()])
