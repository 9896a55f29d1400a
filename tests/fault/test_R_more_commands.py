"""Rows R01, R02, R08, R09, R22 and R31 by command, for content of every size and every reader."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.digest import Digest, digest_of
from ocm_pkg.model.platform import Platform
from ocm_pkg.store import media
from ocm_pkg.store.repository import ComponentRepository
from ocm_pkg.store.serving import Response
from tests.fakes import rawctf
from tests.fakes.arena import NAME, REF
from tests.fakes.faults import Faults
from tests.fakes.plugins_to_install import COMPONENT, descriptor, program, signed
from tests.fakes.plugins_to_install import resource as plugin_resource
from tests.fakes.registrystore import connected
from tests.fakes.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ocm_pkg.store.serving import Request
    from tests.fakes.arena import Arena
    from tests.fakes.served import Served

ELSEWHERE = Platform("darwin", "arm64")
"""What is installed for another platform is not tried."""

NOTE = re.compile(r"[0-9a-f]{40}\.json|journal|lock")
"""What a cache has beside its items."""

LARGE = hashlib.shake_256(b"large").digest(6 * 1024 * 1024)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def registry(faults: Faults) -> Iterator[Served]:
    with served(intercept=faults) as running:
        yield running


def large(arena: Arena, registry: Served) -> str:
    """Store a component version with large content, signed; return its reference."""
    arena.file("file", LARGE)
    source = {"type": "file", "path": "file", "mediaType": "application/octet-stream"}
    arena.constructor(resources=[{"name": "hello", "type": "blob", "input": source}])
    arena.accepted("add", "cv", "-r", registry.url)
    ref = f"{registry.url}//{NAME}:1.0.0"
    arena.accepted("sign", "cv", ref, "--key", arena.key("test-key-a.private.pem"))
    return ref


def unexpected(arena: Arena) -> list[Path]:
    """Return the files of the cache that are no complete item, or are wrong."""
    folder = arena.base / "home/.cache/ocm-pkg/blobs"
    files = [path for path in folder.rglob("*") if path.is_file()]
    good = {f"sha256-{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files}
    return [path for path in files if path.name not in good and not NOTE.fullmatch(path.name)]


BODIES = {
    "first byte": b"?" + LARGE[1:],
    "last byte": LARGE[:-1] + b"?",
    "shorter": LARGE[:-1],
    "much shorter": LARGE[:100],
    "longer": LARGE + b"x",
    "empty": b"",
}


@pytest.mark.parametrize("framed", [True, False], ids=["with length", "without"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_R01_R02_large_content_that_is_not_what_it_should_be_leaves_nothing(
    arena: Arena, registry: Served, faults: Faults, body: bytes, framed: bool
) -> None:
    ref, digest = large(arena, registry), digest_of(LARGE)
    public = arena.key("test-key-a.public.pem")

    def other(request: Request) -> Response:
        if framed:
            return replace(request.answer(), body=body)
        return Response(200, {}, iter([body[:100], body[100:]]))

    faults.add("GET", f"/blobs/{digest}", other)
    for command in (
        ("download", "resource", ref, "--identity", "name=hello", "--output", "out"),
        ("transfer", "cv", ref, "./copy"),
        ("transfer", "cv", ref, f"{registry.url}/other", "--copy-resources"),
        ("verify", "cv", ref, "--key", public),
    ):
        if "--copy-resources" in command:
            faults.add("POST", "mount=", Response.error(404, "UNSUPPORTED"))
        arena.refused(*command, code=4, says=str(digest))
        assert unexpected(arena) == []
    assert list(registry.store.tags(f"other/component-descriptors/{NAME}")) == []
    faults.clear()
    arena.accepted("download", "resource", ref, "--identity", "name=hello", "--output", "out")
    assert (arena.work / "out").read_bytes() == LARGE


def test_R01_what_was_installed_stays_when_the_new_version_has_other_bytes(
    arena: Arena, registry: Served, faults: Faults
) -> None:
    repository = ComponentRepository(registry.store)
    for number in ("1.0.0", "1.1.0"):
        made = signed(descriptor(number, [plugin_resource(program(number), ELSEWHERE)]))
        element = made.component.resources[0]
        repository.put_blob(COMPONENT, number, element, BytesBlob(program(number)))
        repository.add(made)
    one = f"{registry.url}//{COMPONENT}"
    trust = ("--key", arena.key("test-key-a.public.pem"), "--platform", str(ELSEWHERE))
    arena.accepted("install", f"{one}:1.0.0", *trust)
    good = program("1.1.0")
    for body in (good[:-1] + b"!", good[:-1], good + b"x"):
        faults.clear()
        faults.add("GET", digest_of(good).hex, lambda one, b=body: replace(one.answer(), body=b))
        arena.refused("install", f"{one}:1.1.0", *trust, code=4)
    faults.clear()
    arena.accepted("install", f"{one}:1.1.0", *trust)


def image(arena: Arena, registry: Served, top: Any) -> tuple[str, ...]:
    """Store a component version that refers to an image; return the command that fetches it."""
    registry.store.tag("acme/app", top, "1.0.0")
    one = {
        "name": "image",
        "version": "1.0.0",
        "type": "ociImage",
        "relation": "external",
        "access": {"type": "ociArtifact", "imageReference": f"{registry.url}/acme/app:1.0.0"},
    }
    arena.stored(rawctf.descriptor(NAME, resources=[one]))
    return ("download", "resource", REF, "--identity", "name=image", "--output", "out.tar")


def pushed(registry: Served, value: dict[str, Any]) -> Any:
    data = json.dumps({"schemaVersion": 2, **value}).encode()
    return registry.store.push("acme/app", BytesBlob(data), value["mediaType"])


def nested(registry: Served, levels: int) -> Any:
    config = registry.store.push("acme/app", BytesBlob(b"{}"), "application/json").to_json()
    top = pushed(registry, {"mediaType": media.OCI_MANIFEST, "config": config, "layers": []})
    for _ in range(levels):
        top = pushed(registry, {"mediaType": media.OCI_INDEX, "manifests": [top.to_json()]})
    return top


def test_R08_indexes_in_indexes_are_refused_at_the_limit_of_depth(
    arena: Arena, registry: Served
) -> None:
    command = image(arena, registry, nested(registry, 1000))
    registry.forget()
    arena.refused(*command, code=2, says="levels", seconds=2)
    assert len(registry.requests) < 20
    arena.accepted(*image(arena, registry, nested(registry, 2)))


def test_R08_an_index_that_says_that_it_contains_itself_is_refused(
    arena: Arena, registry: Served, faults: Faults
) -> None:
    top = nested(registry, 1)
    command = image(arena, registry, top)
    entry = {"mediaType": media.OCI_INDEX, "digest": str(top.digest), "size": top.size}
    value = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": [entry]}
    body = json.dumps(value).encode()
    faults.add("GET", "/manifests/", Response(200, {"Content-Type": media.OCI_INDEX}, body))
    arena.refused(*command, code=4, seconds=2)


@pytest.mark.parametrize(
    "digest",
    [
        "sha256:../../x",
        "sha256:" + "A" * 64,
        "sha256:" + "a" * 63,
        "md5:" + "a" * 32,
        "sha256:" + "a" * 64 + "\n",
        "sha384:" + "a" * 96,
        "sha256:sha256:" + "a" * 64,
        "../../../outside/precious",
    ],
)
@pytest.mark.parametrize("member", ["manifest", "access", "header"])
def test_R09_a_digest_that_is_none_is_refused_before_it_is_used(
    arena: Arena, registry: Served, faults: Faults, digest: str, member: str
) -> None:
    arena.constructor()
    arena.accepted("add", "cv", "-r", registry.url)
    ref = f"{registry.url}//{NAME}:1.0.0"
    if member == "access":
        one = rawctf.resource("hello", b"run", access=rawctf.local_access(b"run"))
        one["access"]["localReference"] = digest
        value = json.dumps(rawctf.descriptor(NAME, resources=[one])).encode()
        layer = {"mediaType": rawctf.JSON, "digest": str(digest_of(value)), "size": len(value)}
        faults.add("GET", "/blobs/", Response(200, {}, value))
    else:
        layer = {"mediaType": "text/plain", "digest": digest, "size": 3}
    if member == "header":
        escaped = digest.replace("\n", "%0A")
        lie = {"Docker_Content_Digest": escaped}
        faults.add("GET", "/manifests/", lambda one: one.answer().with_headers(**lie))
    else:
        manifest = {"schemaVersion": 2, "config": layer, "layers": [layer]}
        body = json.dumps(manifest).encode()
        faults.add("GET", "/manifests/", Response(200, {"Content-Type": media.OCI_MANIFEST}, body))
    for command in (
        ("download", "resource", ref, "--identity", "name=hello", "--output", "out"),
        ("transfer", "cv", ref, "./copy"),
    ):
        registry.forget()
        arena.refused(*command, code={2, 4, 5})
        targets = [target for _method, target in registry.requests]
        assert not any(".." in one or "precious" in one for one in targets)


@pytest.mark.parametrize(
    "answer",
    [
        Response(202),
        Response(201),
        Response(202, {"Location": ""}),
        Response(200, {"Location": "/v2/x"}),
        Response(204),
    ],
    ids=["202 without Location", "201 at once", "empty Location", "200", "204"],
)
def test_R22_an_upload_that_begins_in_no_way_that_there_is_is_refused(
    arena: Arena, registry: Served, faults: Faults, answer: Response
) -> None:
    arena.constructor()
    faults.add("POST", "/blobs/uploads/", answer)
    arena.refused("add", "cv", "-r", registry.url, code=5, seconds=2)
    assert list(registry.store.tags(f"component-descriptors/{NAME}")) == []
    assert registry.count("PUT", "/manifests/") == 0
    faults.clear()
    arena.accepted("add", "cv", "-r", registry.url)


@pytest.mark.parametrize("path", ["Upper/case", "a//b", "a/../b", "a_", "x" * 256, "a b"])
def test_R31_a_repository_that_no_registry_has_is_refused_without_asking(
    arena: Arena, registry: Served, path: str
) -> None:
    arena.constructor()
    arena.accepted("add", "cv")
    where = f"{registry.url}/{path}"
    arena.refused("get", "cv", f"{where}//{REF.partition('//')[2]}", code=2)
    arena.refused("add", "cv", "-r", where, code=2)
    arena.refused("transfer", "cv", REF, where, code=2)
    assert registry.requests == []


def test_R31_a_version_that_is_too_long_for_a_tag_is_refused_and_a_plus_is_not(
    arena: Arena, registry: Served
) -> None:
    arena.constructor(version="1.0.0-" + "a" * 123)
    arena.refused("add", "cv", "-r", registry.url, code=2)
    assert registry.requests == []
    arena.constructor(version="1.0.0+build.5")
    arena.accepted("add", "cv", "-r", registry.url)
    tags = registry.store.tags(f"component-descriptors/{NAME}")
    assert list(tags) == ["1.0.0.build-build.5"]
    ref = f"{registry.url}//{NAME}:1.0.0+build.5"
    arena.accepted("download", "resource", ref, "--identity", "name=hello", "--output", "out")


class Sha512Blob(BytesBlob):
    """Content whose digest is a sha512."""

    @property
    def digest(self) -> Digest:
        """Return the digest."""
        return Digest("sha512", hashlib.sha512(self._data).hexdigest())


def test_R10_content_by_sha512_is_fetched_moved_and_checked(
    arena: Arena, registry: Served, faults: Faults
) -> None:
    with connected(registry.url) as store:
        parts = [
            store.push("acme/app", Sha512Blob(data), media_type).to_json()
            for data, media_type in ((b"the layer", "a/tar"), (b"{}", "a/config"))
        ]
        value = {"schemaVersion": 2, "mediaType": media.OCI_MANIFEST, "config": parts[1]}
        data = json.dumps({**value, "layers": parts[:1]}).encode()
        top = store.push("acme/app", Sha512Blob(data), media.OCI_MANIFEST)
    assert {top.digest.algorithm, parts[0]["digest"][:6]} == {"sha512"}
    common = {"version": "1.0.0", "relation": "external"}
    image = {"type": "ociArtifact", "imageReference": f"{registry.url}/acme/app@{top.digest}"}
    blob = {"type": "ociBlob", "ref": f"{registry.url}/acme/app", **parts[0]}
    resources = [
        {"name": "image", "type": "ociImage", "access": image, **common},
        {"name": "blob", "type": "blob", "access": blob, **common},
    ]
    arena.stored(rawctf.descriptor(NAME, resources=resources))

    def get(ref: str, name: str) -> tuple[str, ...]:
        return ("download", "resource", ref, "--identity", f"name={name}", "--output", name)

    arena.accepted(*get(REF, "image"))
    arena.accepted(*get(REF, "blob"))
    assert (arena.work / "blob").read_bytes() == b"the layer"
    with tarfile.open(arena.work / "image") as tar:
        assert f"blobs/sha512/{top.digest.hex}" in tar.getnames()
    copy = f"{registry.url}/copy"
    arena.accepted("transfer", "cv", REF, copy, "--copy-resources")
    arena.accepted("transfer", "cv", f"{copy}//{NAME}:1.0.0", "./copy")
    arena.accepted("transfer", "cv", f"copy//{NAME}:1.0.0", "./copy.tgz")
    for where in (copy, "copy", "copy.tgz"):
        ref = f"{where}//{NAME}:1.0.0"
        (arena.work / "blob").unlink()
        (arena.work / "image").unlink()
        arena.accepted(*get(ref, "blob"))
        arena.accepted(*get(ref, "image"))
        assert (arena.work / "blob").read_bytes() == b"the layer"
    (arena.work / "blob").unlink()
    arena.accepted("cache", "prune", "--all")
    faults.add("GET", "/acme/app/blobs/sha512:", Response(200, {}, b"the l4yer"))
    arena.refused(*get(REF, "blob"), code=4, says="sha512:")
