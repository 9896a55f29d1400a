"""The whole of schema v2: all of it is kept, and what breaks it is refused."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import rawctf
from tests.fakes.arena import NAME, REF

if TYPE_CHECKING:
    from tests.fakes.arena import Arena

CONTENT = b"run"
DIGEST = {
    "hashAlgorithm": "SHA-512",
    "normalisationAlgorithm": "ociArtifactDigest/v1",
    "value": "0" * 128,
}
LABELS = [
    {"name": "signed", "value": [1, None, {"a": 1.5}], "signing": True, "version": "v1"},
    {"name": "merged", "value": None, "merge": {"algorithm": "default", "config": {"x": [1]}}},
    {"name": "other", "value": "", "signing": False, "more": {"unknown": True}},
]
UNKNOWN = {"type": "acme.Store/v2", "where": {"deep": [1, 2]}, "localReference": 7}


def whole() -> dict[str, Any]:
    """Return a descriptor with every member that the schema has, and some that it has not."""
    resource = rawctf.resource(
        "hello",
        CONTENT,
        labels=LABELS,
        extraIdentity={"os": "linux", "architecture": "amd64", "acme+x": ""},
        srcRefs=[{"identitySelector": {"name": "code"}, "labels": LABELS, "more": 1}],
    )
    image = rawctf.resource("image", b"", relation="external", access=UNKNOWN, digest=DIGEST)
    source = {"name": "code", "version": "1.0.0", "type": "git", "access": UNKNOWN}
    reference = {
        "name": "base",
        "componentName": "example.com/base",
        "version": "v1.2",
        "extraIdentity": {"channel": "stable"},
        "labels": LABELS,
        "digest": {**DIGEST, "normalisationAlgorithm": "jsonNormalisation/v3"},
    }
    value = rawctf.descriptor(
        NAME,
        provider='{"name":"acme","labels":[{"name":"a","value":1,"signing":true}]}',
        creationTime="2026-01-01T00:00:00.123+02:00",
        labels=LABELS,
        repositoryContexts=[{"type": "OCIRegistry", "baseUrl": "x", "more": [None]}],
        resources=[resource, image],
        sources=[{**source, "labels": LABELS, "extraIdentity": {"branch": "main"}}],
        componentReferences=[reference],
    )
    signature = {
        "name": "release",
        "digest": {**DIGEST, "normalisationAlgorithm": "jsonNormalisation/v3"},
        "signature": {"algorithm": "x", "mediaType": "y", "value": "z", "issuer": "CN=acme"},
        "timestamp": {"value": "tsa", "time": "2026-01-01T00:00:00Z"},
    }
    nested = {"name": "example.com/base", "version": "1.2.0", "digest": DIGEST}
    artifact = {"name": "hello", "version": "1.0.0", "digest": DIGEST}
    nested["resourceDigests"] = [{**artifact, "extraIdentity": {"os": "linux"}}]
    return {**value, "signatures": [signature], "nestedDigests": [nested], "x-more": {"a": None}}


def stored(arena: Arena, value: dict[str, Any]) -> bytes:
    data = json.dumps(value).encode()
    rawctf.store(arena.ctf, NAME, "1.0.0", data, [CONTENT])
    return data


def test_D14_twin_every_member_of_the_schema_is_kept(arena: Arena) -> None:
    data = stored(arena, whole())
    assert arena.accepted("get", "cv", REF, "-o", "json").json == [whole()]
    arena.accepted("transfer", "cv", REF, "other")
    assert rawctf.path_of(arena.work / "other", rawctf.digest_of(data)).read_bytes() == data
    for command in ("describe", "hash"):
        arena.accepted(command, "cv", REF)


def test_D14_twin_every_member_is_kept_when_it_is_signed(arena: Arena) -> None:
    value = whole()
    del value["component"]["componentReferences"][0]
    del value["signatures"][0]
    stored(arena, value)
    arena.accepted("sign", "cv", REF, "--key", arena.key("test-key-a.private.pem"))
    signed = rawctf.read(arena.ctf, NAME, "1.0.0")
    assert len(signed.pop("signatures")) == 1
    assert {**signed, "signatures": []} == value


WRONG: list[tuple[str, Any]] = [
    ("component.provider", {"name": "acme"}),
    ("component.provider", ""),
    ("component.provider", ...),
    ("component.name", ...),
    ("component.version", ...),
    ("component.repositoryContexts", ...),
    ("component.resources", ...),
    ("component.sources", ...),
    ("component.componentReferences", ...),
    ("component.repositoryContexts", {}),
    ("component.repositoryContexts", ["x"]),
    ("component.resources", {}),
    ("component.labels", {}),
    ("component.labels.0.name", ""),
    ("component.labels.0.name", ...),
    ("component.labels.0.value", ...),
    ("component.labels.0.version", "1"),
    ("component.labels.0.signing", "true"),
    ("component.labels.0.merge", "x"),
    ("component.creationTime", "yesterday"),
    ("component.creationTime", "2026-02-30T00:00:00Z"),
    ("component.creationTime", 1767225600),
    ("component.resources.0.type", ...),
    ("component.resources.0.type", ""),
    ("component.resources.0.version", ...),
    ("component.resources.0.relation", ...),
    ("component.resources.0.relation", "remote"),
    ("component.resources.0.access", ...),
    ("component.resources.0.access.type", ...),
    ("component.resources.0.srcRefs", {}),
    ("component.resources.0.srcRefs.0.identitySelector", {"name": 1}),
    ("component.resources.0.digest", "sha256:00"),
    ("component.resources.0.digest.value", ...),
    ("component.resources.0.digest.hashAlgorithm", ...),
    ("component.resources.0.digest.normalisationAlgorithm", 1),
    ("component.sources.0.type", ...),
    ("component.sources.0.access", ...),
    ("component.componentReferences.0.componentName", ...),
    ("component.componentReferences.0.componentName", "base"),
    ("component.componentReferences.0.version", "latest"),
    ("component.componentReferences.0.digest.value", None),
    ("signatures", {}),
    ("signatures.0.name", ...),
    ("signatures.0.name", "a" * 256),
    ("signatures.0.digest", ...),
    ("signatures.0.signature", ...),
    ("signatures.0.signature.algorithm", ...),
    ("signatures.0.signature.mediaType", ...),
    ("signatures.0.signature.value", ""),
    ("signatures.0.signature.issuer", {}),
    ("signatures.0.timestamp", "now"),
    ("nestedDigests", {}),
    ("nestedDigests.0.name", "base"),
    ("nestedDigests.0.version", ...),
    ("nestedDigests.0.resourceDigests.0.name", ...),
    ("meta", ...),
    ("meta", []),
    ("meta.schemaVersion", ...),
]


@pytest.mark.parametrize(("where", "wrong"), WRONG)
def test_D14_what_breaks_the_schema_is_refused_and_named(
    arena: Arena, where: str, wrong: Any
) -> None:
    value = copy.deepcopy(whole())
    *path, last = [int(part) if part.isdigit() else part for part in where.split(".")]
    owner: Any = value
    for part in path:
        owner = owner[part]
    if wrong is ...:
        del owner[last]
    else:
        owner[last] = wrong
    stored(arena, value)
    shown = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in where.split("."))
    arena.refused("get", "cv", REF, says=shown.removeprefix("."))
    arena.refused("transfer", "cv", REF, "other", says=shown.removeprefix("."))
