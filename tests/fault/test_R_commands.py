"""Rows of group R by command: what a user sees of a registry that is hostile or broken."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ocm_pkg.store import media
from ocm_pkg.store.serving import Response
from tests.fakes.arena import NAME
from tests.fakes.faults import Faults
from tests.fakes.rawserver import always, answered, raw_server
from tests.fakes.registryarena import RegistryArena
from tests.fakes.served import served

SESSION = "/blobs/uploads/"


@pytest.fixture
def world(arena, tmp_path_factory, monkeypatch):
    faults = Faults()
    with served(intercept=faults) as registry:
        cache = tmp_path_factory.mktemp("cache")
        yield RegistryArena(arena, registry, faults, cache, monkeypatch)


def download(world):
    return ["download", "resource", world.ref, "--identity", "name=hello", "--output", "out"]


def commands(world):
    """Return commands that read descriptor and content."""
    return [
        download(world),
        ["verify", "cv", world.ref, "--key", world.arena.key("test-key-a.public.pem")],
        ["transfer", "cv", world.ref, "./copy"],
    ]


def test_R01_to_R09_the_same_commands_succeed_with_a_good_registry(world):
    world.accepted(*download(world))
    assert (world.arena.work / "out").read_bytes() == b"run"
    world.accepted("transfer", "cv", world.ref, "./copy")
    shown = world.accepted("get", "cv", world.ref, "-o", "json").json
    assert NAME in json.dumps(shown)


def last_blob(world):
    """Return the digest of the content, which is not a part of the descriptor."""
    world.registry.forget()
    world.accepted(*download(world))
    (world.arena.work / "out").unlink()
    target = world.registry.requests[-1][1]
    world.registry.forget()
    return target.rpartition("/")[2]


def test_R01_other_bytes_are_never_written(world, monkeypatch, tmp_path_factory):
    digest = last_blob(world)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("empty")))
    world.fault("GET", digest, lambda one: replace(one.answer(), body=b"RUN"))
    ended = world.refused(*download(world), code=4, says=digest)
    assert ended.error == "E401"
    world.refused("transfer", "cv", world.ref, "./copy", code=4, says=digest)


@pytest.mark.parametrize("body", [b"ru", b"runs", b""])
def test_R02_content_of_another_size_is_never_written(world, body, monkeypatch, tmp_path_factory):
    digest = last_blob(world)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("empty")))
    world.fault("GET", digest, lambda one: replace(one.answer(), body=body))
    world.refused(*download(world), code=4, says="expected 3")


@pytest.mark.parametrize("member", ["/manifests/1.0.0", "/blobs/"])
def test_R03_and_R04_documents_with_other_bytes_are_refused(world, member):
    other = b'{"schemaVersion":2,"layers":[]}'
    world.fault("GET", member, lambda one: replace(one.answer(), body=other))
    for command in commands(world):
        world.refused(*command, code=4)


def test_R06_a_manifest_that_is_an_index_too_is_refused(world):
    value = {"schemaVersion": 2, "manifests": [], "layers": [], "config": {}}
    body = json.dumps(value).encode()
    world.fault("GET", "/manifests/", Response(200, {"Content-Type": media.OCI_MANIFEST}, body))
    for command in commands(world):
        world.refused(*command, code=2, says="a manifest and an index")


@pytest.mark.parametrize("digest", ["sha256:../../x", "sha256:" + "A" * 64, "md5:" + "a" * 32])
def test_R09_digests_that_are_none_are_refused_before_they_are_used(world, digest):
    layer = {"mediaType": "application/octet-stream", "digest": digest, "size": 3}
    value = {"schemaVersion": 2, "config": layer, "layers": [layer]}
    body = json.dumps(value).encode()
    world.fault("GET", "/manifests/", Response(200, {"Content-Type": media.OCI_MANIFEST}, body))
    for command in commands(world):
        world.refused(*command, code=2, says="digest")
    assert all("/blobs/" not in target for _method, target in world.registry.requests)


@pytest.mark.parametrize("status", [200, 404, 405])
def test_R22_a_registry_that_takes_no_upload_is_told(world, status):
    world.fault("POST", SESSION, Response.error(status, "DENIED", "\x1b[2Jno \u202e"))
    target = f"{world.registry.url}/elsewhere"
    world.refused("transfer", "cv", world.ref, target, code=5, says="no \\u202e")


@pytest.mark.parametrize(("status", "code"), [(400, "DIGEST_INVALID"), (413, "SIZE_INVALID")])
def test_R24_a_refusal_is_shown_in_the_registrys_own_words(world, status, code):
    world.fault("PUT", SESSION, Response.error(status, code, "\x1b[2Jtoo much"))
    target = f"{world.registry.url}/elsewhere"
    world.faults.add("POST", "mount=", Response.error(404, "UNSUPPORTED"))
    world.refused("transfer", "cv", world.ref, target, code=5, says=f"{status}")


def test_R17_an_upload_that_leads_elsewhere_gets_no_credentials(world):
    with raw_server(always(answered(b"", "201 Created"))) as elsewhere:
        leads = {"Location": f"http://user:s3cret@{elsewhere.address}/x"}
        world.fault("POST", SESSION, lambda one: one.answer().with_headers(**leads))
        target = f"{world.registry.url}/elsewhere"
        world.refused("transfer", "cv", world.ref, target, code=5, says="user name")
        assert elsewhere.requests == []


def test_R18_a_list_that_goes_on_elsewhere_is_refused(world):
    with raw_server(always(answered(b'{"tags":["9.9.9"]}'))) as elsewhere:
        link = {"Link": f'<{elsewhere.url}/v2/x>; rel="next"'}
        world.fault("GET", "/tags/", lambda one: one.answer().with_headers(**link))
        ref = world.ref.rpartition(":")[0]
        world.refused("get", "cv", ref, code=5, says=elsewhere.address)
        assert elsewhere.requests == []


def test_R33_a_registry_that_rewrites_manifests_is_found_out(world):
    config = {"mediaType": "text/plain", "digest": "sha256:" + "a" * 64, "size": 1}
    body = json.dumps({"schemaVersion": 2, "config": config, "layers": []}).encode()
    target = f"{world.registry.url}/elsewhere"
    other = Response(200, {"Content-Type": media.OCI_MANIFEST}, body)
    world.fault("PUT", "/manifests/sha256:", Response(201))
    world.fault("GET", "/manifests/sha256:", other)
    world.refused("transfer", "cv", world.ref, target, code=4)
