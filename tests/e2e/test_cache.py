"""What was fetched from a registry is there again: quicker, and without a network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.store import media
from tests.fakes.arena import NAME, Arena
from tests.fakes.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.served import Served

DOWNLOAD = ("--identity", "name=hello", "--output", "out")


@pytest.fixture
def registry() -> Iterator[Served]:
    with served() as running:
        yield running


@pytest.fixture
def arena(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    registry: Served,
) -> Arena:
    """A working folder; the registry has a component version."""
    arena = Arena(tmp_path, capsys, monkeypatch)
    arena.constructor()
    arena.accepted("add", "cv", "-r", registry.url)
    registry.forget()
    return arena


@pytest.fixture
def ref(registry: Served) -> str:
    return f"{registry.url}//{NAME}:1.0.0"


def test_content_is_fetched_once_and_what_a_tag_stands_for_each_time(
    arena: Arena, registry: Served, ref: str
) -> None:
    arena.accepted("download", "resource", ref, *DOWNLOAD)
    assert registry.count("GET", "/blobs/") == 3
    registry.forget()
    arena.accepted("download", "resource", ref, *DOWNLOAD)
    assert registry.count("GET", "/blobs/") == 0
    assert registry.count("GET", "/manifests/1.0.0") == 1
    assert (arena.work / "out").read_bytes() == b"run"


def test_offline_has_what_was_fetched_and_opens_no_connection(
    arena: Arena, registry: Served, ref: str
) -> None:
    online = arena.accepted("get", "cv", ref, "-o", "json")
    arena.accepted("download", "resource", ref, *DOWNLOAD)
    registry.forget()
    assert arena.accepted("--offline", "get", "cv", ref, "-o", "json").out == online.out
    newest = f"{registry.url}//{NAME}"
    assert arena.accepted("get", "cv", newest, "--offline", "-o", "json").out == online.out
    arena.accepted("download", "resource", ref, *DOWNLOAD, "--offline")
    assert (arena.work / "out").read_bytes() == b"run"
    arena.accepted("transfer", "cv", ref, "copy", "--offline")
    arena.accepted("get", "cv", f"copy//{NAME}:1.0.0")
    assert registry.requests == []


def test_offline_says_what_it_does_not_have_and_what_to_do(
    arena: Arena, registry: Served, ref: str
) -> None:
    for command in (
        ("get", "cv", ref),
        ("get", "cv", f"{registry.url}//{NAME}"),
        ("get", "cv", registry.url),
        ("download", "resource", ref, *DOWNLOAD),
        ("verify", "cv", ref, "--key", arena.key("test-key-a.public.pem")),
        ("add", "cv", "-r", registry.url),
        ("transfer", "cv", ref, "copy"),
    ):
        ended = arena.refused(*command, "--offline", code=5, says="E503")
        assert "without --offline" in ended.err or "leave out --offline" in ended.err
    assert registry.requests == []
    arena.accepted("get", "cv", ref)
    assert NAME in arena.accepted("get", "cv", ref, "--offline").out
    ended = arena.refused("download", "resource", ref, *DOWNLOAD, "--offline", code=5)
    assert f"component-descriptors/{NAME}@sha256:" in ended.err


def test_the_cache_is_shown_and_pruned(arena: Arena, ref: str) -> None:
    folder = arena.base / "home/.cache/ocm-pkg/blobs"
    assert arena.accepted("cache", "dir").out == f"{folder}\n"
    nothing = arena.accepted("cache", "dir", "-o", "json").json
    assert (nothing["items"], nothing["size"], nothing["tags"]) == (0, 0, 0)
    assert not folder.exists()
    arena.accepted("get", "cv", ref)
    found = arena.accepted("cache", "dir", "-o", "json").json
    assert found["folder"] == str(folder)
    assert (found["items"], found["tags"]) == (3, 1)
    assert (found["limit"], found["largestItem"]) == (2 * 1024**3, 256 * 1024**2)
    stays = arena.accepted("cache", "prune", "-o", "json").json
    assert stays["removed"] == {"items": 0, "size": 0, "tags": 0}
    planned = arena.accepted("cache", "prune", "--all", "--dry-run", "-o", "json").json
    assert "would remove 3 items" in arena.accepted("cache", "prune", "--all", "--dry-run").out
    assert planned["removed"] == {"items": 3, "size": found["size"], "tags": 1}
    done = arena.accepted("cache", "prune", "--all", "-o", "json").json
    assert done == planned
    assert "removed 0 items" in arena.accepted("cache", "prune", "--all").out
    assert arena.accepted("cache", "dir", "-o", "json").json["size"] == 0
    arena.refused("get", "cv", ref, "--offline", code=5)


def test_a_smaller_limit_keeps_less(arena: Arena, registry: Served, ref: str) -> None:
    arena.accepted("get", "cv", ref, "--limit", "cache-size=2kB")
    found = arena.accepted("cache", "dir", "-o", "json", "--limit", "cache-size=2kB").json
    assert (found["limit"], found["largestItem"]) == (2000, 250)
    assert 0 < found["size"] <= 2000
    pruned = arena.accepted("cache", "prune", "-o", "json", "--limit", "cache-size=1").json
    assert pruned["left"]["items"] == 0
    registry.forget()
    arena.accepted("get", "cv", ref)
    assert registry.count("GET", "/blobs/") == 2


def test_xdg_cache_home_says_where_it_is(
    arena: Arena, ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = arena.base / "elsewhere with spaces\n"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    arena.accepted("get", "cv", ref)
    assert arena.accepted("cache", "dir", "-o", "json").json["items"] == 3
    assert (folder / "ocm-pkg/blobs").stat().st_mode & 0o777 == 0o700
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    arena.refused("cache", "dir", code=2, says="XDG_CACHE_HOME")
    arena.refused("cache", "prune", code=2, says="XDG_CACHE_HOME")


def test_an_image_by_reference_is_there_offline_too(arena: Arena, registry: Served) -> None:
    store = registry.store
    parts = [
        store.push("acme/app", BytesBlob(data), f"application/vnd.oci.image.{kind}").to_json()
        for data, kind in ((b"{}", "config.v1+json"), (b"layer", "layer.v1.tar"))
    ]
    value = {"schemaVersion": 2, "config": parts[0], "layers": parts[1:]}
    top = store.push("acme/app", BytesBlob(json.dumps(value).encode()), media.OCI_MANIFEST)
    store.tag("acme/app", top, "1.0.0")
    access = {"type": "ociArtifact", "imageReference": f"{registry.url}/acme/app:1.0.0"}
    image = {"name": "image", "version": "1.0.0", "type": "ociImage", "access": access}
    arena.constructor(resources=[image])
    arena.refused("add", "cv", "--offline", code=5, says="run it once without --offline")
    arena.accepted("add", "cv")
    download = ("download", "resource", f"ctf//{NAME}", "--identity", "name=image")
    arena.refused(*download, "--offline", code=5, says="--offline")
    arena.accepted(*download)
    online = (arena.work / "image").read_bytes()
    (arena.work / "image").unlink()
    registry.forget()
    arena.accepted(*download, "--offline")
    assert (arena.work / "image").read_bytes() == online
    again = ("--component-version-conflict-policy", "replace", "--offline")
    arena.accepted("add", "cv", *again)
    assert registry.requests == []
