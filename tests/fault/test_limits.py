"""The limits that users can set: each is obeyed, above and below its default."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.cli.limits import COUNTS, SIZES
from tests.fakes import rawctf
from tests.fakes.arena import KEYS, MIB, NAME, REF

if TYPE_CHECKING:
    from tests.fakes.arena import Arena

DOCUMENT = Path(__file__).parents[2] / "docs/limits.md"
VERIFY: list[object] = ["verify", "cv", REF, "--key", KEYS / "test-key-a.public.pem"]


@pytest.mark.parametrize(
    ("limit", "fix"),
    [
        ("component=5", "components"),
        ("components", "components=NUMBER"),
        ("components=0", "components=NUMBER"),
        ("components=-1", "components=NUMBER"),
        ("components=1e3", "components=NUMBER"),
        ("components=9999999999", "components=NUMBER"),
        ("archive-size=lots", "500MB"),
        ("=1", "known"),
        ("", "known"),
    ],
)
def test_a_limit_that_is_none_is_refused(arena: Arena, limit: str, fix: str) -> None:
    arena.stored(rawctf.descriptor(NAME))
    ended = arena.refused("get", "cv", REF, "--limit", limit)
    assert fix in ended.err.partition("fix: ")[2]


def test_every_limit_that_can_be_set_is_documented() -> None:
    named = re.findall(r"^\| `([a-z-]+)` \|", DOCUMENT.read_text(), re.MULTILINE)
    assert sorted(named) == sorted(COUNTS + SIZES)


def refuses_below(arena: Arena, limit: str, low: object, high: object, *command: object) -> None:
    arena.refused(*command, "--limit", f"{limit}={low}", code={2, 4})
    arena.accepted(*command, "--limit", f"{limit}={high}")


def related(arena: Arena) -> None:
    for name, child in ((NAME, "example.com/b"), ("example.com/b", "example.com/c")):
        reference = {"name": "child", "componentName": child, "version": "1.0.0"}
        value = rawctf.descriptor(name, componentReferences=[reference])
        rawctf.store(arena.ctf, name, "1.0.0", value)
    rawctf.store(arena.ctf, "example.com/c", "1.0.0", rawctf.descriptor("example.com/c"))
    key = arena.key("test-key-a.private.pem")
    for name in ("example.com/c", "example.com/b", NAME):
        arena.accepted("sign", "cv", f"ctf//{name}:1.0.0", "--key", key)


@pytest.mark.parametrize(
    ("limit", "low", "high"), [("components", 2, 3), ("reference-depth", 1, 2)]
)
def test_how_far_references_are_followed(arena: Arena, limit: str, low: int, high: int) -> None:
    related(arena)
    refuses_below(arena, limit, low, high, "get", "cv", REF, "--recursive")
    refuses_below(arena, limit, low, high, *VERIFY)
    refuses_below(arena, limit, low, high, "transfer", "cv", REF, "other", "--recursive")


def test_how_many_signatures_there_may_be(arena: Arena) -> None:
    arena.signed()

    def more(descriptor: dict[str, Any]) -> None:
        [one] = descriptor["signatures"]
        descriptor["signatures"] = [{**one, "name": f"s{number}"} for number in range(33)]

    rawctf.change(arena.ctf, NAME, "1.0.0", more)
    arena.refused(*VERIFY, code=4, says="--limit signatures")
    refuses_below(arena, "signatures", 32, 33, *VERIFY)


def test_how_large_a_descriptor_and_a_constructor_may_be(arena: Arena) -> None:
    label = {"name": "note", "value": "x" * 5 * MIB}
    arena.stored(rawctf.descriptor(NAME, labels=[label]))
    refuses_below(arena, "document-size", "4MiB", "6MiB", "get", "cv", REF)
    refuses_below(arena, "document-size", "4MiB", "6MiB", "transfer", "cv", REF, "other")
    arena.constructor(labels=[label], version="2.0.0")
    refuses_below(arena, "document-size", "4MiB", "6MiB", "add", "cv")


def test_how_many_values_a_document_may_hold_grows_with_its_size(arena: Arena) -> None:
    value = rawctf.descriptor(NAME, labels=[{"name": "note", "value": "here"}])
    text = json.dumps(value).replace('"here"', f"[{'1,' * 1_200_000}1]")
    arena.stored(text.encode())
    refuses_below(arena, "document-size", "4MiB", "16MiB", "get", "cv", REF)


def test_how_large_a_program_may_be(arena: Arena) -> None:
    program = '#!/bin/sh\necho \'{"type":{"Hello/v1":["generic"]}}\'\n' + "# filler\n" * 1000
    one = {"name": "hello", "type": "ocmPlugin", "input": {"type": "utf8", "text": program}}
    arena.constructor(
        resources=[{**one, "extraIdentity": {"os": "linux", "architecture": "amd64"}}]
    )
    arena.accepted("add", "cv")
    install = ("plugin", "install", REF, "--allow-unsigned", "--platform", "linux/amd64")
    refuses_below(arena, "program-size", "1KiB", "10KiB", *install)


def test_how_large_an_archive_may_be_unpacked(arena: Arena) -> None:
    one = {"name": "zeros", "type": "blob", "input": {"type": "utf8", "text": "0" * 100_000}}
    arena.constructor(resources=[one])
    arena.accepted("add", "cv", "-r", "some.tgz")
    ref = f"some.tgz//{NAME}:1.0.0"
    refuses_below(arena, "archive-size", "50kB", "1MB", "get", "cv", ref)
