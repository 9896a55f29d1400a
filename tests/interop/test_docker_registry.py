"""Every command that takes a repository, against Debian's docker-registry."""

from __future__ import annotations

import io
import json
import os
import zlib
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.model.digest import digest_of
from tests.fakes.arena import NAME, Arena
from tests.fakes.docker_registry import docker_registry, needs_docker_registry
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.docker_registry import RunningRegistry

pytestmark = needs_docker_registry
PLUGIN = '#!/bin/sh\necho \'{"type":{"Hello/v1":["readComponentVersionRepository"]}}\'\n'
USERS = {"ann": "s3cret-of-the-test"}
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def arena(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Arena:
    return Arena(tmp_path, capsys, monkeypatch)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with docker_registry(tmp_path_factory.mktemp("guarded"), htpasswd=USERS) as running:
        yield running


@pytest.fixture
def repository(registry: RunningRegistry, request: pytest.FixtureRequest) -> str:
    """An empty repository: a path of the registry that no other test has."""
    return f"{registry.url}/{zlib.crc32(request.node.name.encode()):x}"


def writes(registry: RunningRegistry) -> list[str]:
    return [one for one in registry.requests() if one.startswith(WRITES)]


def login(arena: Arena, registry: RunningRegistry, password: str) -> list[object]:
    """Write a configuration with a password; return the option that names it."""
    host, port = registry.host.split(":")
    identity = {"type": "OCIRegistry", "hostname": host, "port": port, "scheme": "http"}
    properties = {"username": "ann", "password": password}
    consumer = {
        "identity": identity,
        "credentials": [{"type": "Credentials/v1", "properties": properties}],
    }
    entry = {"type": "credentials.config.ocm.software", "consumers": [consumer]}
    value = {"type": "generic.config.ocm.software/v1", "configurations": [entry]}
    arena.file("ocmconfig", json.dumps(value)).chmod(0o600)
    return ["--config", "ocmconfig"]


def test_a_component_version_is_made_signed_verified_and_read_in_a_registry(
    arena: Arena, repository: str
) -> None:
    arena.constructor()
    reference = f"{repository}//{NAME}:1.0.0"
    made = arena.accepted("add", "cv", "-r", repository, "-o", "json").json
    assert [one["state"] for one in made["blobs"]] == ["written"]
    [got] = arena.accepted("get", "cv", reference, "-o", "json").json
    assert (got["component"]["name"], got["component"]["version"]) == (NAME, "1.0.0")
    private, public = (arena.key(f"test-key-a.{kind}.pem") for kind in ("private", "public"))
    arena.refused("verify", "cv", reference, "--key", public, code=4)
    arena.accepted("sign", "cv", reference, "--key", private)
    checked = arena.accepted("verify", "cv", reference, "--key", public, "-o", "json").json
    assert checked["result"] == "ok"
    arena.accepted("download", "resource", reference, "--identity", "name=hello", "--output", "got")
    assert (arena.work / "got").read_text() == "run"
    assert NAME in arena.accepted("get", "cv", f"{repository}//{NAME}").out
    assert "hello" in arena.accepted("describe", "cv", reference).out
    assert arena.accepted("hash", "cv", reference).out == made["digest"].split(":")[-1] + "\n"


def test_a_ctf_comes_back_from_a_registry_byte_for_byte(arena: Arena, repository: str) -> None:
    arena.file("large", os.urandom(3_000_000))
    resources = [
        {"name": "text", "type": "blob", "input": {"type": "utf8", "text": "text"}},
        {"name": "large", "type": "blob", "input": {"type": "file", "path": "large"}},
    ]
    for version in ("1.0.0", "1.1.0-rc.1", "1.1.0+build.7"):
        arena.signed(version=version, resources=resources)
    for version in ("1.0.0", "1.1.0-rc.1", "1.1.0+build.7"):
        arena.accepted("transfer", "cv", f"ctf//{NAME}:{version}", repository)
        arena.accepted("transfer", "cv", f"{repository}//{NAME}:{version}", "./back")
        arena.accepted("transfer", "cv", f"ctf//{NAME}:{version}", "./copy")
    listed = arena.accepted("get", "cv", f"{repository}//{NAME}", "-o", "json").json
    versions = [one["component"]["version"] for one in listed]
    assert versions == ["1.1.0+build.7", "1.1.0-rc.1", "1.0.0"]
    assert snapshot(arena.work / "back") == snapshot(arena.work / "copy")


def test_the_same_content_again_sends_nothing_and_says_so(
    arena: Arena, registry: RunningRegistry, repository: str
) -> None:
    arena.constructor()
    arena.accepted("add", "cv", "-r", repository)
    before = writes(registry)
    again = arena.accepted("add", "cv", "-r", repository, "-o", "json").json
    assert [one["state"] for one in again["blobs"]] == ["exists"]
    assert "already" in arena.accepted("add", "cv", "-r", repository).all
    assert writes(registry) == before


def test_other_content_under_a_published_version_is_refused_unless_it_may_replace(
    arena: Arena, registry: RunningRegistry, repository: str
) -> None:
    arena.constructor()
    arena.accepted("add", "cv", "-r", repository)
    other = {"name": "hello", "type": "ocmPlugin", "input": {"type": "utf8", "text": "other"}}
    arena.constructor(resources=[other])
    before = writes(registry)
    arena.refused("add", "cv", "-r", repository, code=8, says="other content")
    assert writes(registry) == before
    policy = ("--component-version-conflict-policy", "replace")
    arena.accepted("add", "cv", "-r", repository, *policy)
    reference = f"{repository}//{NAME}:1.0.0"
    arena.accepted("download", "resource", reference, "--identity", "name=hello", "--output", "got")
    assert (arena.work / "got").read_text() == "other"


def test_publish_sends_once_refuses_a_change_and_replaces_on_demand(
    arena: Arena, registry: RunningRegistry, repository: str
) -> None:
    arena.signed()
    command = ("publish", "--from", "ctf", "--to", repository, f"{NAME}:1.0.0")
    reference = f"{repository}//{NAME}:1.0.0"
    first = arena.accepted(*command, "-o", "json").json
    assert (first["version"], first["repository"]) == ("1.0.0", repository)
    assert {one["state"] for one in first["blobs"]} == {"written"}
    before = writes(registry)
    again = arena.accepted(*command, "-o", "json").json
    assert {one["state"] for one in again["blobs"]} == {"exists"}
    assert again["digest"] == first["digest"]
    changed = {"name": "hello", "type": "ocmPlugin", "input": {"type": "utf8", "text": "changed"}}
    arena.signed(resources=[changed])
    refused = arena.refused(*command, code=8, says="other content")
    assert "hello" in refused.err
    assert writes(registry) == before
    arena.accepted(*command, "--replace")
    verify = ("verify", "cv", reference, "--key", arena.key("test-key-a.public.pem"))
    assert arena.accepted(*verify, "-o", "json").json["result"] == "ok"
    arena.accepted("download", "resource", reference, "--identity", "name=hello", "--output", "got")
    assert (arena.work / "got").read_text() == "changed"


def test_a_transfer_within_a_registry_sends_no_content(
    arena: Arena, registry: RunningRegistry, repository: str
) -> None:
    arena.file("large", os.urandom(1_000_000))
    one = {"name": "large", "type": "blob", "input": {"type": "file", "path": "large"}}
    arena.constructor(resources=[one])
    arena.accepted("add", "cv", "-r", repository)
    before = len(registry.requests())
    arena.accepted("transfer", "cv", f"{repository}//{NAME}:1.0.0", f"{repository}/other")
    asked = registry.requests()[before:]
    digest = digest_of((arena.work / "large").read_bytes()).hex
    assert any(f"mount=sha256%3A{digest}" in each.replace(":", "%3A") for each in asked)
    assert not [each for each in asked if each.startswith(("PUT", "PATCH")) and digest in each]
    assert not [
        each for each in asked if each.startswith("GET") and f"blobs/sha256:{digest}" in each
    ]
    reference = f"{repository}/other//{NAME}:1.0.0"
    arena.accepted("download", "resource", reference, "--identity", "name=large", "--output", "got")
    assert (arena.work / "got").read_bytes() == (arena.work / "large").read_bytes()


def test_a_plugin_is_installed_from_a_registry(arena: Arena, repository: str) -> None:
    arena.file("program", PLUGIN)
    identity = {"os": "linux", "architecture": os.uname().machine.replace("x86_64", "amd64")}
    one = {"name": "hello", "type": "ocmPlugin", "extraIdentity": identity}
    arena.signed(resources=[{**one, "input": {"type": "file", "path": "program"}}])
    arena.accepted("transfer", "cv", f"ctf//{NAME}:1.0.0", repository)
    wanted = ("plugin", "install", f"{repository}//{NAME}", "--key")
    arena.key("test-key-b.public.pem")
    arena.refused(*wanted, "test-key-b.public.pem", code=4)
    installed = arena.accepted(*wanted, "test-key-a.public.pem", "-o", "json").json
    assert (installed["name"], installed["version"]) == ("hello", "1.0.0")
    assert installed["source"] == repository
    shown = arena.accepted("plugin", "capabilities", "hello", "-o", "json").json
    assert "Hello/v1" in shown["type"]


def test_B07_a_wrong_password_fails_at_once(arena: Arena, guarded: RunningRegistry) -> None:
    arena.constructor()
    repository = f"{guarded.url}/acme"
    arena.secrets.append("Basic ")
    wrong = login(arena, guarded, "wrong-s3cret-of-the-test")
    before = len(guarded.requests())
    arena.refused("add", "cv", "-r", repository, *wrong, code=5, seconds=2)
    assert len(guarded.requests()) - before <= 3
    arena.refused("get", "cv", f"{repository}//{NAME}:1.0.0", *wrong, code=5, seconds=2)
    nobody = arena.refused("add", "cv", "-r", repository, code=5, seconds=2)
    assert nobody.error == "E501"
    right = login(arena, guarded, USERS["ann"])
    arena.accepted("add", "cv", "-r", repository, *right)
    arena.accepted("get", "cv", f"{repository}//{NAME}:1.0.0", *right)


def test_a_login_is_checked_kept_used_and_forgotten(
    arena: Arena, guarded: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena.constructor()
    reference = f"{guarded.url}/login//{NAME}:1.0.0"
    command = ("login", guarded.url, "--username", "ann", "--password-stdin")
    kept = arena.base / "home/.docker/config.json"
    for word, code in (("wrong-s3cret-of-the-test", 5), (USERS["ann"], 0)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(word.encode())))
        ended = arena.run(*command)
        assert ended.code == code, ended
        assert ended.seconds < 2
        arena.clean(ended)
        assert kept.exists() == (code == 0)
    assert kept.stat().st_mode & 0o777 == 0o600
    arena.accepted("add", "cv", "-r", f"{guarded.url}/login")
    arena.accepted("get", "cv", reference)
    arena.accepted("logout", guarded.url)
    arena.refused("get", "cv", reference, code=5)
    again = arena.accepted("get", "cv", reference, "--offline", "-o", "json").json
    assert again[0]["component"]["name"] == NAME


def test_B07_what_is_not_there_is_not_found_at_once(
    arena: Arena, registry: RunningRegistry, repository: str
) -> None:
    arena.constructor()
    reference = f"{repository}//{NAME}"
    before = len(registry.requests())
    for text in (reference, f"{reference}:1.0.0"):
        arena.refused("get", "cv", text, code=3, seconds=2)
    assert len(registry.requests()) - before <= 3
    arena.accepted("add", "cv", "-r", repository)
    asked = len(registry.requests())
    arena.refused("get", "cv", f"{reference}:9.0.0", code=3, seconds=2)
    assert len(registry.requests()) - asked <= 2
    arena.accepted("get", "cv", f"{reference}:1.0.0")
