"""``plugin install`` as it is typed, with each bad input there is, on a fresh machine and over what
is installed; and where the commands run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.arena import NAME, REF
from tests.fakes.binaries import pe
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.arena import Arena

GOOD = '#!/bin/sh\necho \'{"type":{"Hello/v1":["readComponentVersionRepository"]}}\'\n'
INSTALL = ["plugin", "install"]


def offer(
    arena: Arena, program: bytes | str = GOOD, version: str = "1.0.0", system: str = "linux"
) -> None:
    """Store and sign a plugin for this machine; key a is the trusted one."""
    arena.file("program", program)
    identity = {"os": system, "architecture": os.uname().machine.replace("x86_64", "amd64")}
    one = {"name": "hello", "type": "ocmPlugin", "extraIdentity": identity}
    arena.signed(version=version, resources=[{**one, "input": {"type": "file", "path": "program"}}])


def changed_blob(arena: Arena) -> None:
    program = GOOD + "# newer"
    offer(arena, program, "9.0.0")
    for path in (arena.ctf / "blobs").iterdir():
        if path.read_text() == program:
            path.write_text(program.replace("Hello", "Hallo"))


def unsigned(arena: Arena) -> None:
    arena.constructor(version="9.0.0")
    arena.accepted("add", "cv")


BAD: dict[str, tuple[Callable[[Arena], object], int, str]] = {
    "no such version": (
        lambda arena: offer(arena, version="2.0.0"),
        3,
        "is not in the repository",
    ),
    "no platform": (lambda arena: offer(arena, GOOD, "9.0.0", "darwin"), 3, "it has darwin/"),
    "unsigned": (unsigned, 4, "is not signed"),
    "changed blob": (changed_blob, 4, "is not what was promised"),
    "wrong header": (lambda arena: offer(arena, pe(), "9.0.0"), 4, "is for windows/amd64"),
    "garbage": (lambda arena: offer(arena, "#!/bin/sh\necho x", "9.0.0"), 7, "not one JSON value"),
    "dies": (lambda arena: offer(arena, "#!/bin/sh\nexit 3", "9.0.0"), 7, "exit status 3"),
}
HANGS = (lambda arena: offer(arena, "#!/bin/sh\nsleep 100", "9.0.0"), 7, "within 10 s")


def install(version: str) -> list[object]:
    return [*INSTALL, f"ctf//{NAME}:{version}", "--key", "test-key-a.public.pem"]


@pytest.mark.parametrize(
    ("attack", "code", "says"),
    [
        *(pytest.param(*one, id=name) for name, one in BAD.items()),
        pytest.param(*HANGS, id="hangs", marks=pytest.mark.slow),
    ],
)
def test_a_bad_plugin_leaves_nothing_behind_and_a_good_one_is_installed(
    arena: Arena, attack: Callable[[Arena], object], code: int, says: str
) -> None:
    arena.key("test-key-a.public.pem")
    attack(arena)
    shown = arena.refused(*install("9.0.0"), code=code, says=says, seconds=30)
    assert ".ocm-pkg-tmp" not in shown.err
    assert list((arena.base / "home").iterdir()) == []
    offer(arena)
    arena.accepted(*install("1.0.0"))
    arena.refused(*install("9.0.0"), code=code, says=says, seconds=30)
    ended = arena.run(*install("9.0.0"), "-o", "json")
    assert ended.json["error"].keys() >= {"code", "message", "hint"}
    (row,) = arena.accepted("plugin", "list", "-o", "json").json
    assert (row["version"], row["state"]) == ("1.0.0", "ok")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((REF, "--key", "nope.pem"), 3, "nope.pem does not exist"),
        ((REF, "--key", "test-key-b.public.pem"), 4, "none of the trusted keys"),
        (("nope//" + NAME,), 3, "the CTF nope does not exist"),
        ((NAME,), 2, "names no repository"),
        ((REF, "--platform", "plan9"), 2, "plan9"),
        ((REF, "--as", "A.B"), 2, "A.B"),
    ],
)
def test_a_mistaken_command_leaves_nothing_behind(
    arena: Arena, arguments: tuple[str, ...], code: int, says: str
) -> None:
    offer(arena)
    arena.key("test-key-b.public.pem")
    arena.refused(*INSTALL, *arguments, code=code, says=says)
    arena.accepted(*install("1.0.0"))
    before = snapshot(arena.base)
    arena.refused(*INSTALL, *arguments, code=code, says=says)
    assert snapshot(arena.base) == before


def test_the_source_reads_the_same_in_any_folder(arena: Arena) -> None:
    offer(arena)
    shown = arena.accepted(*install("1.0.0"), "-o", "json").json
    assert shown["source"] == str(arena.ctf.resolve())
    again = [*INSTALL, f"{shown['source']}//{NAME}", "--key", "test-key-a.public.pem"]
    assert "already installed" in arena.accepted(*again).out


def test_a_rehearsed_download_checks_everything_and_writes_nothing(arena: Arena) -> None:
    offer(arena)
    download = ["download", "resource", REF, "--identity", "name=hello", "--output", "there"]
    before = snapshot(arena.base)
    assert "would write" in arena.accepted(*download, "--dry-run").err
    assert snapshot(arena.base) == before
    arena.accepted(*download)
    assert (arena.work / "there").read_text() == GOOD
    changed_blob(arena)
    download[2] = f"ctf//{NAME}:9.0.0"
    arena.refused(*download, "--dry-run", code=4)


@pytest.mark.parametrize("closed", [{0}, {1}, {2}, {0, 1, 2}])
def test_streams_that_are_closed_are_no_error(arena: Arena, closed: set[int]) -> None:
    offer(arena)
    arena.accepted(*install("1.0.0"))
    shut = " ".join(f"{one}>&-" for one in sorted(closed))
    command = [sys.executable, "-m", "ocm_pkg", "plugin", "list", "-o", "json"]
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {shut}', "sh", *command],
        cwd=arena.work,
        env={**arena.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert 1 in closed or json.loads(done.stdout)[0]["name"] == "hello"


def test_without_a_home_the_error_says_what_to_set(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(arena)
    monkeypatch.delenv("HOME")
    arena.refused(*install("1.0.0"), code=2, says="OCM_PLUGIN_DIRECTORY")
    monkeypatch.setenv("OCM_PLUGIN_DIRECTORY", str(arena.work / "plugins"))
    for name in ("DATA", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(arena.work / name))
    arena.accepted(*install("1.0.0"))
