"""YAML and JSON that attack their reader, through every door that such a document has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fakes import rawctf
from tests.fakes.arena import IDLE, MIB, NAME, REF

if TYPE_CHECKING:
    from tests.fakes.arena import Arena, Ended

CONSTRUCTOR = f"""\
name: {NAME}
version: 1.0.0
provider: {{name: example.com}}
"""
DESCRIPTOR = f"""\
meta: {{schemaVersion: v2}}
component:
  name: {NAME}
  version: 1.0.0
  provider: example.com
  repositoryContexts: []
  resources: []
  sources: []
  componentReferences: []
"""
PROJECT = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
build: {builder: prebuilt}
targets: [{platform: linux/amd64, builder: prebuilt, path: hello}]
"""
DOORS = ("constructor", "descriptor", "project")
BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
)


def document(door: str, extra: str) -> bytes:
    """Return a good document of a door with something added."""
    base = {"constructor": CONSTRUCTOR, "descriptor": DESCRIPTOR, "project": PROJECT}[door]
    return (base + extra).encode("utf-8", "surrogatepass")


def command(arena: Arena, door: str, data: bytes) -> list[object]:
    """Bring a document to its door; return the command that reads it."""
    if door == "constructor":
        arena.file("component-constructor.yaml", data)
        return ["add", "cv"]
    if door == "project":
        arena.file("ocm-pkg.yaml", data)
        return ["build", "--plan"]
    arena.stored(data, rawctf.YAML)
    return ["get", "cv", REF]


def refused(arena: Arena, door: str, data: bytes, says: str = "", **limits: int) -> Ended:
    return arena.refused(*command(arena, door, data), says=says, **limits)


@pytest.mark.parametrize("door", DOORS)
def test_D01_to_D06_twin_the_document_without_the_attack_is_read(arena: Arena, door: str) -> None:
    arena.accepted(*command(arena, door, document(door, "# nothing\n")))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("bomb", [BOMB, "labels: &a [*a]", "labels: &a {b: {c: *a}}"])
def test_D01_alias_bombs_and_anchors_inside_themselves(arena: Arena, door: str, bomb: str) -> None:
    refused(arena, door, document(door, bomb), seconds=1)


@pytest.mark.parametrize("door", DOORS)
def test_D01_an_alias_bomb_takes_little_memory(arena: Arena, door: str) -> None:
    refused(arena, door, document(door, BOMB), memory=IDLE + 64 * MIB)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "extra",
    [
        "x: !!python/object/apply:os.system ['touch evil']\n",
        "x: !!python/name:os.system\n",
        "x: !local thing\n",
        "x: !<tag:yaml.org,2002:python/object/new:os.system> [touch evil]\n",
        "x: !!binary aGVsbG8=\n",
        "x: !!set {a, b}\n",
        "x: &base {a: 1}\ny:\n  <<: *base\n",
    ],
)
def test_D02_tags_and_merge_keys(arena: Arena, door: str, extra: str) -> None:
    refused(arena, door, document(door, extra))


@pytest.mark.parametrize("door", DOORS)
def test_D02_a_binary_bomb_takes_little_memory(arena: Arena, door: str) -> None:
    bomb = "x: !!binary " + "QUFB" * 900_000 + "\n"
    refused(arena, door, document(door, bomb), memory=128 * MIB)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("key", ["same", '"same"', "'same'", "? same\n"])
def test_D03_a_key_twice_names_the_key_and_both_lines(arena: Arena, door: str, key: str) -> None:
    first = document(door, "").count(b"\n") + 1
    ended = refused(arena, door, document(door, f"same: 1\n{key}: 2\n"), says="'same'")
    assert f"line {first}" in ended.err or f":{first}:" in ended.err
    assert str(first + 1) in ended.err


@pytest.mark.parametrize("name", ["a", "resources"])
def test_D03_a_key_twice_in_json(arena: Arena, name: str) -> None:
    text = json.dumps(rawctf.descriptor(NAME, **{name: []}))
    arena.stored(text.replace(f'"{name}": []', f'"{name}": [], "{name}": []').encode())
    arena.refused("get", "cv", REF, says=name)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "extra",
    [
        "---\nname: other\n",
        "...\n---\n",
        "\tx: 1\n",
        "x:\n\t- a\n",
        "x: a\0b\n",
        "x: a\x1b[31mb\n",
        "x: \udc00\n",
        'x: "\\ud800"\n',
    ],
)
def test_D04_more_documents_tabs_and_bytes_that_are_no_text(
    arena: Arena, door: str, extra: str
) -> None:
    refused(arena, door, document(door, extra))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_D04_other_encodings(arena: Arena, door: str, encoding: str) -> None:
    text = document(door, "# \xe4\n").decode()
    refused(arena, door, text.encode(encoding))


@pytest.mark.parametrize("door", DOORS)
def test_D04_a_byte_order_mark_is_skipped_in_yaml(arena: Arena, door: str) -> None:
    arena.accepted(*command(arena, door, b"\xef\xbb\xbf" + document(door, "")))


@pytest.mark.parametrize("data", [b"{}{}", b"{}\n---\n{}", b"{} x", b"\xef\xbb\xbf{}", b"{\0}"])
def test_D04_json_with_more_than_one_value(arena: Arena, data: bytes) -> None:
    good = json.dumps(rawctf.descriptor(NAME)).encode()
    arena.stored(data.replace(b"{}", good, 1))
    arena.refused("get", "cv", REF)


@pytest.mark.parametrize("door", DOORS)
def test_D04_64_MiB_are_refused_before_they_are_parsed(arena: Arena, door: str) -> None:
    data = document(door, "x: [" + "a, " * (64 * MIB // 3) + "]\n")
    refused(arena, door, data, memory=128 * MIB)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("unit", ["[", "{a: ", "- ", "? "])
def test_D05_100000_levels_of_yaml(arena: Arena, door: str, unit: str) -> None:
    extra = "x:\n " + unit * 100_000 + "\n"
    refused(arena, door, document(door, extra), memory=128 * MIB)


@pytest.mark.parametrize("unit", [b"[", b'{"a":'])
def test_D05_100000_levels_of_json(arena: Arena, unit: bytes) -> None:
    good = json.dumps(rawctf.descriptor(NAME, labels=[])).encode()
    arena.stored(good.replace(b'"labels": []', b'"labels": ' + unit * 100_000))
    arena.refused("get", "cv", REF, memory=128 * MIB)


@pytest.mark.parametrize(
    "line",
    [
        "version: 1.10",
        "version: 1",
        "version: null",
        "version:",
        "version: true",
        "name: null",
        "name: 1e3",
        "provider: 2026-01-01",
        "labels: [{name: a, value: 1e400}]",
        "labels: [{name: a, value: .nan}]",
        "labels: [{name: a, value: -.inf}]",
        "labels: [{name: a, value: 1" + "0" * 5000 + "}]",
    ],
)
def test_D06_what_is_not_text_is_no_text(arena: Arena, line: str) -> None:
    key = line.partition(":")[0]
    kept = [one for one in CONSTRUCTOR.splitlines() if not one.startswith(f"{key}:")]
    arena.file("component-constructor.yaml", "\n".join([*kept, line, ""]))
    arena.refused("add", "cv")


@pytest.mark.parametrize("number", ["1e400", "NaN", "Infinity", "-Infinity", "1" + "0" * 5000])
def test_D06_numbers_of_json_that_no_double_holds(arena: Arena, number: str) -> None:
    value = rawctf.descriptor(NAME, labels=[{"name": "a", "value": "here"}])
    arena.stored(json.dumps(value).replace('"here"', number).encode())
    arena.refused("get", "cv", REF)


@pytest.mark.parametrize("text", ["no", "on", "y", "2026-01-01", "12:30:45", "0b1", "1_000", "~a"])
def test_D06_what_is_read_is_what_was_written(arena: Arena, text: str) -> None:
    extra = f"labels: [{{name: a, value: {text}}}]\n"
    arena.accepted(*command(arena, "constructor", document("constructor", extra)))
    [shown] = arena.accepted("get", "cv", REF, "-o", "json").json
    assert shown["component"]["labels"][0]["value"] == text
