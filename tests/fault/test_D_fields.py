"""Names, versions, identities and accesses that are none, in documents and on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import rawctf
from tests.fakes.arena import NAME, REF

if TYPE_CHECKING:
    from tests.fakes.arena import Arena

BAD_NAMES = [
    *(".", "..", "../x", "a/../../b", "", "a b", "-a", "A", "example.com", "example.com/"),
    *("example.com/-a", "example.com/a/../b", "example.com//a", "example.com/a\x1b[31m"),
    *(
        "example.com/a\u202eb",
        "example.com/pl\u0443gin",
        "example.com/" + "a" * 5000,
        "example.com/a\0",
    ),
    *("/example.com/a", "example.com/a\n", "example.com/a\\b", "example.com/%2e%2e"),
]
BAD_VERSIONS = [
    *("../../x", "1.0.0/../../x", "1.0.0\0", "", "latest", "01.0.0", "1.0.0.0", "1.0.0 ", " 1.0.0"),
    *("1.0.0\n", "v", "1.0.0-", "1.0.0+", "1.0.0-\u0661", "1" * 300, "1.0.0\x1b[2J", "sha256:x"),
]
BAD_ELEMENTS = [
    ".",
    "..",
    "../x",
    "",
    "x",
    "a b",
    "A1",
    "a.b",
    "a/b",
    "-ab",
    "a\x1b[1m",
    "a" * 5000,
]
BAD_IDENTITIES: list[Any] = [
    [],
    "os=linux",
    {"name": "other"},
    {"os": 1},
    {"os": None},
    {"a": "b"},
    {"OS": "linux"},
    {"os.version": "1"},
    {"": "x"},
    {"../x": "y"},
    {"os\x1b[1m": "linux"},
]


def accessed(access: Any) -> dict[str, Any]:
    return rawctf.descriptor(NAME, resources=[rawctf.resource("hello", b"run", access=access)])


def on_platforms(*identities: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "name": "hello",
            "type": "ocmPlugin",
            "extraIdentity": identity,
            "input": {"type": "utf8", "text": "#!/bin/sh\n"},
        }
        for identity in identities
    ]


def test_D07_to_D12_twin_a_good_document_is_stored_and_read(arena: Arena) -> None:
    arena.constructor(resources=on_platforms({"os": "linux", "architecture": "amd64"}))
    arena.accepted("add", "cv")
    [shown] = arena.accepted("get", "cv", REF, "-o", "json").json
    assert shown["component"]["name"] == NAME
    where = ("--identity", "name=hello", "-O", "got")
    arena.accepted("download", "resource", REF, *where)
    assert (arena.work / "got").read_text() == "#!/bin/sh\n"


@pytest.mark.parametrize("name", BAD_NAMES)
def test_D07_component_names_that_are_none(arena: Arena, name: str) -> None:
    arena.constructor(name=name)
    arena.refused("add", "cv")
    arena.stored(rawctf.descriptor(name))
    arena.refused("get", "cv", REF)
    arena.stored(rawctf.descriptor(NAME, componentReferences=[reference(name)]))
    arena.refused("get", "cv", REF, "--recursive")


@pytest.mark.parametrize("name", [name for name in BAD_NAMES if "\0" not in name and name])
def test_D07_component_names_that_are_none_on_the_command_line(arena: Arena, name: str) -> None:
    arena.stored(rawctf.descriptor(NAME))
    arena.refused("get", "cv", f"ctf//{name}:1.0.0", code={2, 3})
    arena.refused("transfer", "cv", f"ctf//{name}:1.0.0", "other", code={2, 3})


@pytest.mark.parametrize("name", BAD_ELEMENTS)
def test_D07_element_names_that_are_none(arena: Arena, name: str) -> None:
    text = {"type": "utf8", "text": "x"}
    arena.constructor(resources=[{"name": name, "type": "blob", "input": text}])
    arena.refused("add", "cv")
    arena.stored(rawctf.descriptor(NAME, resources=[rawctf.resource(name, b"run")]))
    arena.refused("get", "cv", REF)


@pytest.mark.parametrize("version", BAD_VERSIONS)
def test_D08_versions_that_are_none(arena: Arena, version: str) -> None:
    arena.constructor(version=version)
    arena.refused("add", "cv")
    arena.constructor(version=...)
    if "\0" not in version:
        arena.refused("add", "cv", "--set", f"version={version}")
    arena.stored(rawctf.descriptor(NAME, version))
    arena.refused("get", "cv", REF)
    one = rawctf.resource("hello", b"run", version=version)
    arena.stored(rawctf.descriptor(NAME, resources=[one]))
    arena.refused("get", "cv", REF)


@pytest.mark.parametrize("version", [one for one in BAD_VERSIONS if one and "\0" not in one])
def test_D08_versions_that_are_none_on_the_command_line(arena: Arena, version: str) -> None:
    arena.stored(rawctf.descriptor(NAME))
    arena.refused("get", "cv", f"ctf//{NAME}:{version}")
    arena.refused("plugin", "install", f"ctf//{NAME}:{version}", "--allow-unsigned")


def test_D08_tags_that_stand_for_no_version_are_passed_over(arena: Arena) -> None:
    for tag in ("1.0.0", "latest", "../../x", "sha256-abc"):
        rawctf.store(arena.ctf, NAME, tag, rawctf.descriptor(NAME))
    arena.accepted("get", "cv", f"ctf//{NAME}")
    assert len(arena.accepted("get", "cv", "./ctf", "-o", "json").json) == 1


@pytest.mark.parametrize("identity", BAD_IDENTITIES)
def test_D09_identities_that_are_none(arena: Arena, identity: Any) -> None:
    text = {"type": "utf8", "text": "x"}
    one = {"name": "hello", "type": "ocmPlugin", "extraIdentity": identity, "input": text}
    arena.constructor(resources=[one])
    arena.refused("add", "cv")
    one = rawctf.resource("hello", b"run", extraIdentity=identity)
    arena.stored(rawctf.descriptor(NAME, resources=[one]))
    arena.refused("get", "cv", REF)


@pytest.mark.parametrize(
    "identity",
    [
        {},
        {"os": "linux"},
        {"architecture": "amd64"},
        {"os": "linux", "arch": "amd64"},
        {"os": "plan10", "architecture": "amd64"},
        {"os": "linux", "architecture": "pdp11"},
        {"os": "linux ", "architecture": "amd64"},
    ],
)
def test_D09_a_platform_that_does_not_match_lists_the_candidates(
    arena: Arena, identity: dict[str, str]
) -> None:
    arena.constructor(resources=on_platforms(identity))
    arena.accepted("add", "cv")
    install = ("plugin", "install", REF, "--allow-unsigned", "--platform", "linux/amd64")
    arena.refused(*install, code=3, says=identity.get("os", "name=hello"))


@pytest.mark.parametrize(
    "identity",
    [
        {"os": "linux", "architecture": "x86_64"},
        {"os": "Linux", "architecture": "AMD64"},
    ],
)
def test_D09_twin_documented_spellings_of_a_platform_match(
    arena: Arena, identity: dict[str, str]
) -> None:
    arena.constructor(resources=on_platforms(identity))
    arena.accepted("add", "cv")
    install = ("plugin", "install", REF, "--allow-unsigned", "--platform", "linux/amd64")
    ended = arena.run(*install, "--dry-run")
    assert "no ocmPlugin for" not in ended.err
    assert ended.code != 3


@pytest.mark.parametrize("member", ["resources", "sources", "componentReferences"])
def test_D10_two_elements_with_one_identity(arena: Arena, member: str) -> None:
    twice: list[dict[str, Any]] = {
        "resources": on_platforms({"os": "linux"}, {"os": "linux"}),
        "sources": [{"name": "ab", "type": "git", "input": {"type": "utf8", "text": "x"}}] * 2,
        "componentReferences": [reference("example.com/base")] * 2,
    }[member]
    arena.constructor(**{member: twice})
    arena.refused("add", "cv", says=f"{member}[1]")
    stored: list[dict[str, Any]] = {
        "resources": [rawctf.resource("hello", b"run")] * 2,
        "sources": [{"name": "ab", "version": "1", "type": "git", "access": {"type": "none"}}] * 2,
        "componentReferences": [reference("example.com/base")] * 2,
    }[member]
    arena.stored(rawctf.descriptor(NAME, **{member: stored}))
    arena.refused("get", "cv", REF, says=f"{member}[1]")


def test_D10_two_that_match_equally_well_are_listed(arena: Arena) -> None:
    linux = {"os": "linux", "architecture": "amd64"}
    arena.constructor(
        resources=on_platforms({**linux, "variant": "v2"}, {**linux, "variant": "v3"})
    )
    arena.accepted("add", "cv")
    install = ("plugin", "install", REF, "--allow-unsigned", "--platform", "linux/amd64")
    arena.refused(*install, code=8, says="variant=v3")
    arena.refused(
        "download", "resource", REF, "--identity", "name=hello", code=8, says="variant=v3"
    )
    arena.accepted("download", "resource", REF, "--identity", "name=hello,variant=v3")


@pytest.mark.parametrize(
    ("access", "code"),
    [
        ({"localReference": "../../outside/precious"}, 2),
        ({"localReference": "/etc/passwd"}, 2),
        ({"localReference": ""}, 2),
        ({"localReference": "md5:d41d8cd98f00b204e9800998ecf8427e"}, 2),
        ({"localReference": "sha256:../../../outside/precious"}, 2),
        ({"localReference": "sha256:" + "A" * 64}, 2),
        ({"localReference": None}, 2),
        ({"localReference": "sha256:" + "0" * 64}, 4),
        ({"type": "wget", "url": "file:///etc/passwd"}, 5),
        ({"type": "wget", "url": "http://127.0.0.1:1/x"}, 5),
        ({"type": "ociArtifact", "imageReference": "127.0.0.1:1/x:y"}, 5),
        ({"type": "file", "path": "/etc/passwd"}, 2),
        ({"type": "../../x"}, 2),
        ({"type": "x\x1b[31m"}, 2),
        ({"type": "none"}, 5),
    ],
)
def test_D11_an_access_that_leads_elsewhere(
    arena: Arena, access: dict[str, Any], code: int
) -> None:
    arena.stored(accessed({**rawctf.local_access(b"run"), **access}))
    arena.refused("download", "resource", REF, "--identity", "name=hello", code=code)
    arena.refused(
        *("download", "resource", REF, "--identity", "name=hello"),
        *("--output", arena.outside / "evil"),
        code=code,
    )


@pytest.mark.parametrize("access", [None, "localBlob", [], {}, {"type": ""}, {"type": 1}])
def test_D11_an_access_that_is_none(arena: Arena, access: Any) -> None:
    arena.stored(accessed(access))
    arena.refused("get", "cv", REF)


@pytest.mark.parametrize(
    ("name", "version"),
    [("example.com/plugins/other", "1.0.0"), (NAME, "2.0.0"), (NAME, "v1.0.0"), (NAME, "1.0")],
)
def test_D12_a_descriptor_of_another_component_version(
    arena: Arena, name: str, version: str
) -> None:
    arena.stored(rawctf.descriptor(name, version))
    for command in ("get", "describe", "hash", "verify"):
        arena.refused(command, "cv", REF, code=4, says=f"{name}:{version}")
    arena.refused("transfer", "cv", REF, "other", code=4)
    arena.refused("plugin", "install", REF, "--allow-unsigned", code=4)


def reference(name: str) -> dict[str, Any]:
    return {"name": "base", "componentName": name, "version": "1.0.0"}


TERMINAL = "\x9b31m\x85\u202e\u2066\u200f\u2028\x7fend"


@pytest.mark.parametrize("form", ["table", "json", "yaml", "ndjson", "tree"])
def test_D07_text_of_others_never_reaches_the_terminal_as_it_is(arena: Arena, form: str) -> None:
    one = rawctf.resource("hello", b"run", type=f"t{TERMINAL}")
    label = {"name": f"n{TERMINAL}", "value": TERMINAL}
    value = rawctf.descriptor(NAME, provider=f"p{TERMINAL}", labels=[label], resources=[one])
    arena.stored(value)
    arena.clean(ended := arena.accepted("get", "cv", REF, "-o", form))
    if form == "json":
        assert ended.json == [value]
    for text in ("text", "json", "yaml"):
        arena.clean(arena.accepted("describe", "cv", REF, "-o", text))


@pytest.mark.parametrize("provider", ["{", '{"name": 1}', "{}", "[1]", '{"labels": []}', "null"])
def test_D14_a_provider_that_only_looks_like_json_is_text(arena: Arena, provider: str) -> None:
    arena.stored(rawctf.descriptor(NAME, provider=provider))
    for command in ("get", "describe", "hash"):
        arena.accepted(command, "cv", REF)
