"""Archives that break the format somewhere, and constructors with names and versions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.vectorset import documents, wire
from tests.vectorset.world import ANY, OK, REFUSED, name_and_version

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.vectorset.world import World

OPEN = frozenset({"index-unknown-field"})
REJECTED = frozenset({"provider-object", "descriptor-tar-dot-slash"})
MISSING = ("missing", "absent", "0 bytes")
INVALID = frozenset({2})
DOCUMENT = Path(__file__).resolve().parents[2] / "docs/compatibility.md"


def check(world: World) -> None:
    """Apply the rules for ``malformed/*``."""
    name = world.vector["id"].rpartition("/")[2]
    expected = world.vector["expect"]
    if name in OPEN:
        undecided(world, name)
    elif name == "unknown-field":
        unknown_member(world)
    elif name == "huge-ints":
        huge_integers(world)
    elif expected.startswith("reject") or name in REJECTED:
        codes = refusals(world, name)
        both(world, codes, codes)
    elif expected.startswith("accept"):
        accepted(world)
    else:
        both(world, OK, refusals(world, name))


def refusals(world: World, name: str) -> Collection[int]:
    """Return the codes that say no: also 3 where something is missing, 8 for equal identities."""
    codes = set(REFUSED)
    if any(word in f"{name} {world.vector['defect']}" for word in MISSING):
        codes.add(3)
    if name == "duplicate-identity":
        codes.add(8)
    return codes


def both(world: World, get: Collection[int], download: Collection[int]) -> None:
    """Get and download, each with its codes."""
    world.get(world.reference(), get)
    world.download(world.reference(), identity(world), download)


def identity(world: World) -> Mapping[str, str]:
    """Return the identity of the first resource before the archive was broken."""
    written = world.set.written(*name_and_version(world.vector))
    descriptor = documents.read(world.set.folder / written["descriptor"])
    found = documents.identity(documents.resources(descriptor)[0])
    return {name: value for name, value in found.items() if name != "version"}


def accepted(world: World) -> None:
    """As good as any: read and downloaded."""
    got = world.get(world.reference())
    if got is None:
        return
    stored = wire.stored(world.ctf, *name_and_version(world.vector))
    world.equal(got, stored.descriptor, "get cv")
    for resource in documents.resources(got):
        world.content(world.reference(), resource)


def undecided(world: World, name: str) -> None:
    """Either way, but documented."""
    both(world, ANY, ANY)
    if name not in DOCUMENT.read_text():
        world.problem(f"docs/compatibility.md does not say what becomes of {name}")


def unknown_member(world: World) -> None:
    """Refused, or kept by a copy."""
    if world.get(world.reference(), OK | REFUSED) is None:
        return
    target = world.path("target")
    if world.run("transfer", "cv", world.reference(), target).code == 0:
        key = name_and_version(world.vector)
        copy, original = wire.stored(target, *key), wire.stored(world.ctf, *key)
        world.equal(copy.descriptor, original.descriptor, "the copy's descriptor")


def huge_integers(world: World) -> None:
    """Refused, or shown with every digit."""
    done = world.run("get", "cv", world.reference(), "-o", "json", codes=OK | REFUSED)
    stored = wire.stored(world.ctf, *name_and_version(world.vector))
    digits = re.findall(rb"\d{300,}", stored.data)
    if done.code == 0 and not all(each in done.out for each in digits):
        world.problem("numbers are shown without all of their digits")


def constructor(world: World) -> None:
    """Refused and nothing stored, or added and readable, as both reference tools agree."""
    said = {text == "ok" for text in world.vector["reference_behaviour"].values()}
    if len(said) != 1:
        world.problem("the reference tools do not agree: there is no rule")
        return
    target = world.path("ctf")
    arguments = ("add", "cv", "-r", target, "-c", world.set.folder / world.vector["file"])
    world.run(*arguments, codes=OK if True in said else INVALID)
    if True not in said:
        if target.exists() and any(target.rglob("sha256.*")):
            world.problem("something was stored")
        return
    got = world.get(world.reference(target))
    if got is not None:
        names = [one["name"] for one in documents.resources(got)]
        if names != [world.vector["resource"]]:
            world.problem(f"it has the resources {names}")
        for resource in documents.resources(got):
            world.content(world.reference(target), resource)
