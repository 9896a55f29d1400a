"""Row R32: one version is published twice; and what a second time costs (B04)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.arena import NAME
from tests.fakes.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.arena import Arena
    from tests.fakes.served import Served

REF = f"{NAME}:1.0.0"
REPLACE = {
    "add": ("--component-version-conflict-policy", "replace"),
    "transfer": ("--replace",),
    "publish": ("--replace",),
}
WRITING = {"POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture
def registry() -> Iterator[Served]:
    with served() as running:
        yield running


def write(arena: Arena, **changes: Any) -> None:
    """Write the constructor of a version with three resources, and make it in ./ctf."""
    texts = {"first": "one", "second": "two", "third": "three", **changes.pop("texts", {})}
    resources = [
        {"name": name, "type": "blob", "input": {"type": "utf8", "text": text}}
        for name, text in texts.items()
    ]
    arena.constructor(resources=resources, **changes)
    arena.accepted("add", "cv", *REPLACE["add"])


def command(how: str, url: str) -> list[str]:
    return {
        "add": ["add", "cv", "-r", url],
        "transfer": ["transfer", "cv", f"ctf//{REF}", url],
        "publish": ["publish", REF, "--to", url],
    }[how]


def written(registry: Served) -> list[str]:
    return [f"{method} {target}" for method, target in registry.requests if method in WRITING]


def content(arena: Arena, url: str) -> Any:
    return arena.accepted("get", "cv", f"{url}//{REF}", "-o", "json").json


every = pytest.mark.parametrize("how", ["add", "transfer", "publish"])


@every
def test_R32_other_content_under_a_published_version_is_refused(
    arena: Arena, registry: Served, how: str
) -> None:
    write(arena)
    arena.accepted(*command(how, registry.url))
    before = content(arena, registry.url)
    write(arena, texts={"second": "changed"})
    registry.forget()
    ended = arena.refused(*command(how, registry.url), code=8, says="with other content")
    assert (ended.error, written(registry)) == ("E801", [])
    assert "| resources[name=second].digest.value: " in ended.err
    assert "first" not in ended.err
    assert content(arena, registry.url) == before


@every
def test_R32_the_same_content_again_sends_nothing_and_says_so(
    arena: Arena, registry: Served, how: str
) -> None:
    write(arena)
    first = arena.accepted(*command(how, registry.url), "-o", "json").json
    assert [blob["state"] for blob in first["blobs"]] == ["written"] * 3
    registry.forget()
    again = arena.accepted(*command(how, registry.url))
    assert f"{REF} is there already, nothing sent" in again.err
    assert written(registry) == []
    again = arena.accepted(*command(how, registry.url), "-o", "json").json
    for blob in first["blobs"]:
        blob["state"] = "exists"
    assert again == first


@every
def test_R32_what_may_replace_replaces_and_sends_only_what_is_new(
    arena: Arena, registry: Served, how: str
) -> None:
    write(arena)
    arena.accepted(*command(how, registry.url))
    write(arena, texts={"second": "changed"})
    done = arena.accepted(*command(how, registry.url), *REPLACE[how], "-o", "json").json
    assert [blob["state"] for blob in done["blobs"]] == ["exists", "written", "exists"]
    arena.accepted(
        *("download", "resource", f"{registry.url}//{REF}"),
        *("--identity", "name=second", "--output", "second.out"),
    )
    assert (arena.work / "second.out").read_text() == "changed"


@every
def test_R32_the_difference_is_in_the_json_too(arena: Arena, registry: Served, how: str) -> None:
    write(arena)
    arena.accepted(*command(how, registry.url))
    write(arena, provider={"name": "another.example"})
    ended = arena.run(*command(how, registry.url), "-o", "json")
    assert ended.code == 8
    error = ended.json["error"]
    assert (error["code"], error["detail"]) == (
        "E801",
        ["provider: example.com -> another.example"],
    )


def test_R32_labels_and_signatures_that_differ_are_named_and_shown_escaped(
    arena: Arena, registry: Served
) -> None:
    def labelled(value: str) -> list[dict[str, Any]]:
        return [{"name": "team", "value": value, "signing": True}]

    write(arena, labels=labelled("\x1b[31mred"))
    arena.accepted(*command("add", registry.url))
    write(arena, labels=labelled("blue"))
    ended = arena.refused(*command("add", registry.url), code=8, says="labels[name=team].value")
    assert "\\x1b[31mred -> blue" in ended.err
    write(arena, labels=labelled("\x1b[31mred"))
    key = arena.key("test-key-a.private.pem")
    arena.accepted("sign", "cv", f"{registry.url}//{REF}", "--key", key, "--signature", "there")
    arena.accepted("sign", "cv", f"ctf//{REF}", "--key", key, "--signature", "here")
    ended = arena.refused(*command("transfer", registry.url), code=8, says="other signatures")
    assert "signatures[name=there]: (there) -> (none)" in ended.err
    assert "signatures[name=here]: (none) -> (there)" in ended.err


def test_R32_a_signature_that_is_new_is_added_and_no_content_is_sent(
    arena: Arena, registry: Served
) -> None:
    write(arena)
    arena.accepted(*command("publish", registry.url))
    arena.accepted("sign", "cv", f"ctf//{REF}", "--key", arena.key("test-key-a.private.pem"))
    done = arena.accepted(*command("publish", registry.url), "-o", "json").json
    assert {blob["state"] for blob in done["blobs"]} == {"exists"}
    assert len(content(arena, registry.url)[0]["signatures"]) == 1


@every
def test_B04_a_second_time_costs_a_request_for_each_blob_and_three(
    arena: Arena, registry: Served, how: str
) -> None:
    texts = {f"r{number}": str(number) for number in range(10)}
    write(arena, texts=texts)
    count = len(json.loads((arena.work / "component-constructor.yaml").read_text())["resources"])
    arena.accepted(*command(how, registry.url))
    registry.forget()
    arena.accepted(*command(how, registry.url))
    assert len(registry.requests) <= count + 3
    assert written(registry) == []


def test_content_that_is_gone_is_brought_back_by_the_same_again(
    arena: Arena, registry: Served
) -> None:
    write(arena)
    first = arena.accepted(*command("publish", registry.url), "-o", "json").json
    gone = first["blobs"][1]["digest"]
    from ocm_pkg.model.digest import Digest

    assert registry.store.delete(f"component-descriptors/{NAME}", Digest.parse(gone))  # type: ignore[attr-defined]
    for how in ("publish", "add"):
        done = arena.accepted(*command(how, registry.url), "-o", "json").json
        states = [blob["state"] for blob in done["blobs"]]
        assert states == (["exists", "written", "exists"] if how == "publish" else ["exists"] * 3)


@every
def test_a_dry_run_writes_nothing_and_finds_conflicts(
    arena: Arena, registry: Served, how: str
) -> None:
    write(arena)
    ended = arena.accepted(*command(how, registry.url), "--dry-run")
    assert f"{REF} would be stored" in ended.err
    assert written(registry) == []
    arena.accepted(*command(how, registry.url))
    write(arena, texts={"second": "changed"})
    arena.refused(*command(how, registry.url), "--dry-run", code=8, says="other content")
