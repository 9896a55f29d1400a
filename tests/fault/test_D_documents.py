"""Schemas, variables and inputs: what is kept, what is replaced, what is never read."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.fakes import rawctf
from tests.fakes.arena import KEYS, MIB, NAME, REF

if TYPE_CHECKING:
    from tests.fakes.arena import Arena

V3 = {
    "apiVersion": "ocm.software/v3alpha1",
    "kind": "ComponentVersion",
    "metadata": {"name": NAME, "version": "1.0.0", "provider": {"name": "example.com"}},
    "spec": {},
}
FILE = {"name": "hello", "type": "ocmPlugin"}


def constructor_with(arena: Arena, path: str, kind: str = "file") -> None:
    arena.constructor(resources=[{**FILE, "input": {"type": kind, "path": path}}])


@pytest.mark.parametrize("version", ["v1", "v3", "v2x", "V2", "", "v2 ", None, 2, "v\x1b[1m"])
def test_D14_another_schema_version(arena: Arena, version: Any) -> None:
    arena.stored({**rawctf.descriptor(NAME), "meta": {"schemaVersion": version}})
    arena.refused("get", "cv", REF)
    arena.refused("transfer", "cv", REF, "other")


@pytest.mark.parametrize(
    "value",
    [
        {**V3, **rawctf.descriptor(NAME)},
        {**V3, "meta": {"schemaVersion": "v2"}},
        {**V3, "apiVersion": "ocm.software/v4"},
        {**V3, "kind": "Component"},
        {**rawctf.descriptor(NAME), "apiVersion": "ocm.software/v3alpha1"},
        {key: value for key, value in rawctf.descriptor(NAME).items() if key != "meta"},
        {},
        [],
        "text",
        None,
    ],
)
def test_D14_both_forms_in_one_document_or_none(arena: Arena, value: Any) -> None:
    arena.stored(json.dumps(value).encode())
    arena.refused("get", "cv", REF)


def test_D14_twin_unknown_members_are_kept_byte_for_byte_by_a_copy(arena: Arena) -> None:
    content = b"run"
    one = rawctf.resource("hello", content, unknown={"b": 1.0, "a": [None, 10**20]})
    value = rawctf.descriptor(NAME, resources=[one], **{"x-team": "infra"})
    value |= {"more": True}
    data = json.dumps(value, indent=3).encode()
    rawctf.store(arena.ctf, NAME, "1.0.0", data, [content])
    arena.accepted("transfer", "cv", REF, "other")
    assert rawctf.path_of(arena.work / "other", rawctf.digest_of(data)).read_bytes() == data
    assert arena.accepted("get", "cv", REF, "-o", "json").json == [value]


def test_D14_twin_unknown_members_survive_a_signature(arena: Arena) -> None:
    value = rawctf.descriptor(NAME, **{"x-team": {"a": None}})
    arena.stored(value)
    arena.accepted("sign", "cv", REF, "--key", arena.key("test-key-a.private.pem"))
    shown = rawctf.read(arena.ctf, NAME, "1.0.0")
    assert shown["component"]["x-team"] == {"a": None}


@pytest.mark.parametrize("text", ["${HOME}", "$HOME", "$(id)", "`id`", "{{ 7 }}", "$${X}", "%s"])
def test_D15_nothing_is_replaced_in_a_descriptor(arena: Arena, text: str) -> None:
    label = {"name": "note", "value": text}
    arena.stored(rawctf.descriptor(NAME, provider=text, labels=[label]))
    [shown] = arena.accepted("get", "cv", REF, "-o", "json").json
    assert shown["component"]["labels"] == [label]
    assert shown["component"]["provider"] == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$HOME", "$HOME"),
        ("$(touch evil)", "$(touch evil)"),
        ("`touch evil`", "`touch evil`"),
        ("{{ 7 }}", "{{ 7 }}"),
        ("$${X}", "${X}"),
        ("${X}", "${Y} {a: *b} # \n$(touch evil)"),
    ],
)
def test_D15_only_names_in_braces_are_replaced(arena: Arena, text: str, value: str) -> None:
    arena.constructor(labels=[{"name": "note", "value": text}])
    arena.accepted("add", "cv", "--set", "X=${Y} {a: *b} # \n$(touch evil)")
    [shown] = arena.accepted("get", "cv", REF, "-o", "json").json
    assert shown["component"]["labels"][0]["value"] == value
    assert not (arena.work / "evil").exists()


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("${VERSOIN}", "${VERSION}"),
        ("${nothing-like-it}", "--set nothing-like-it=VALUE"),
        ("${}", "$${"),
        ("${a b}", "$${"),
        ("${$(id)}", "$${"),
    ],
)
def test_D15_an_unknown_name_is_shown_with_its_line_and_what_was_meant(
    arena: Arena, text: str, fix: str
) -> None:
    lines = [f"name: {NAME}", "version: 1.0.0", f"provider: {{name: '{text}'}}", ""]
    arena.file("component-constructor.yaml", "\n".join(lines))
    ended = arena.refused("add", "cv", "--set", "VERSION=1.0.0")
    assert "component-constructor.yaml:3:12" in ended.err
    assert f"| {lines[2]}" in ended.err
    assert fix in ended.err.partition("fix: ")[2]


@pytest.mark.parametrize("setting", ["x", "=1", "", "${a}"])
def test_D15_a_setting_that_is_none(arena: Arena, setting: str) -> None:
    arena.constructor()
    arena.refused("add", "cv", "--set", setting, says="--set")


def test_D15_a_value_that_breaks_the_document_points_at_the_place_that_took_it(
    arena: Arena,
) -> None:
    lines = [f"name: {NAME}", "version: ${VERSION}", "provider: {name: example.com}", ""]
    arena.file("component-constructor.yaml", "\n".join(lines))
    ended = arena.refused("add", "cv", "--set", "VERSION=1.0.0.0", says="'1.0.0.0'")
    assert "component-constructor.yaml:2:1" in ended.err
    assert "fix: write a version like 1.2.3" in ended.err
    assert "| version: ${VERSION}" in ended.err


@pytest.mark.parametrize("kind", ["file", "dir"])
@pytest.mark.parametrize(
    "path", ["/etc", "../outside", "link", "links/link", "..", "/dev/zero", "missing", "a\0b", ""]
)
def test_D16_inputs_that_are_not_inside(arena: Arena, kind: str, path: str) -> None:
    (arena.work / "link").symlink_to("../outside")
    (arena.work / "links").symlink_to(".")
    constructor_with(arena, path, kind)
    arena.refused("add", "cv", code={2, 3})


@pytest.mark.parametrize("kind", ["file", "dir"])
def test_D16_inputs_that_are_no_files(arena: Arena, kind: str) -> None:
    os.mkfifo(arena.work / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for name in ("fifo", "socket"):
            constructor_with(arena, name, kind)
            arena.refused("add", "cv", seconds=2)


@pytest.mark.parametrize("name", ["fifo", "out", "socket"])
def test_D16_a_folder_with_something_that_is_no_file(arena: Arena, name: str) -> None:
    folder = arena.work / "docs"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        if name == "fifo":
            os.mkfifo(folder / name)
        elif name == "socket":
            listening.bind(str((folder / name).relative_to(arena.work)))
        else:
            (folder / name).symlink_to("../../outside/precious")
        constructor_with(arena, "docs", "dir")
        arena.refused("add", "cv", code={2, 4}, seconds=2)


@pytest.mark.parametrize("kind", ["file", "dir"])
def test_D16_a_sparse_terabyte(arena: Arena, kind: str) -> None:
    (arena.work / "docs").mkdir()
    with (arena.work / "docs/huge").open("wb") as huge:
        huge.truncate(1 << 40)
    constructor_with(arena, "docs/huge" if kind == "file" else "docs", kind)
    before = arena.run("add", "cv")
    assert before.code == 2
    assert before.seconds < 2
    assert not arena.ctf.exists()
    (arena.work / "docs/huge").unlink()


def test_D16_twin_inputs_inside_are_read(arena: Arena) -> None:
    (arena.work / "docs").mkdir()
    (arena.work / "docs/a").write_text("a")
    (arena.work / "link").symlink_to("docs/a")
    constructor_with(arena, "link")
    arena.accepted("add", "cv")
    arena.accepted("download", "resource", REF, "--identity", "name=hello", "-O", "got")
    assert (arena.work / "got").read_text() == "a"


def test_D16_twin_a_folder_above_can_be_named(arena: Arena) -> None:
    constructor_with(arena, "outside/precious")
    arena.refused("add", "cv", code=3)
    arena.accepted("add", "cv", "--working-directory", "..")


@pytest.mark.parametrize("number", ["1", "1.0", "1e0", "10e-1"])
@pytest.mark.parametrize("form", ["v1", "v2", "v3", "v4alpha1"])
def test_D18_one_value_has_one_form(arena: Arena, number: str, form: str) -> None:
    label = {"name": "note", "value": {"b": "here", "a": "\u00e9/<\u2028"}, "signing": True}
    value = rawctf.descriptor(NAME, labels=[label])
    arena.stored(json.dumps(value).replace('"here"', "1").encode())
    expected = arena.accepted("hash", "cv", REF, "--normalisation", form).out
    turned = dict(reversed(value["component"].items()))
    text = json.dumps({**value, "component": turned}, indent=1).replace('"here"', number)
    arena.stored(text.encode())
    assert arena.accepted("hash", "cv", REF, "--normalisation", form).out == expected
    arena.stored(yaml.safe_dump(json.loads(text)).encode(), rawctf.YAML)
    assert arena.accepted("hash", "cv", REF, "--normalisation", form).out == expected
    arena.stored(text.replace("\\u00e9", "e\\u0301").encode())
    assert arena.accepted("hash", "cv", REF, "--normalisation", form).out != expected


def labelled(arena: Arena) -> list[object]:
    signed = {"name": "signed", "value": {"a": 1}, "signing": True}
    loose = {"name": "loose", "value": {"a": 1}}
    one = {**FILE, "labels": [signed, loose], "input": {"type": "utf8", "text": "x"}}
    return arena.signed(labels=[signed, loose], resources=[one])


@pytest.mark.parametrize("where", ["component", "resource"])
@pytest.mark.parametrize(
    ("which", "member", "value", "code"),
    [
        (0, "value", {"a": 2}, 4),
        (0, "name", "other", 4),
        (0, "signing", None, 4),
        (0, "signing", False, 4),
        (1, "signing", True, 4),
        (1, "value", {"a": 2}, 0),
        (1, "name", "other", 0),
        (1, "signing", False, 0),
    ],
)
def test_D19_a_change_is_seen_for_signed_labels_and_for_no_other(
    arena: Arena, where: str, which: int, member: str, value: Any, code: int
) -> None:
    verify = labelled(arena)

    def edit(descriptor: dict[str, Any]) -> None:
        component = descriptor["component"]
        owner = component if where == "component" else component["resources"][0]
        owner["labels"][which][member] = value
        if value is None:
            del owner["labels"][which][member]

    arena.accepted(*verify)
    rawctf.change(arena.ctf, NAME, "1.0.0", edit)
    if code:
        arena.refused(*verify, code=code, says="E403")
    else:
        arena.accepted(*verify)


def test_a_huge_document_is_refused_by_size_and_not_by_reading_it(arena: Arena) -> None:
    arena.stored(b" " * (5 * MIB) + json.dumps(rawctf.descriptor(NAME)).encode())
    arena.refused("get", "cv", REF, says="bytes")
    arena.refused("verify", "cv", REF, "--key", KEYS / "test-key-a.public.pem", says="bytes")
