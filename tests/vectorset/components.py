"""Component versions that the reference tools wrote: read, normalised, hashed, downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.vectorset import documents, wire
from tests.vectorset.world import name_and_version

if TYPE_CHECKING:
    from tests.vectorset.world import Vector, World


def check(world: World) -> None:
    """Apply the rules for ``components/*`` and the component versions of ``extra``."""
    vector, reference = world.vector, world.reference()
    got = world.get(reference)
    if got is None:
        return
    if "descriptor" not in vector:
        listed(world)
    elif "schema" not in vector:
        world.equal(got, documents.read(world.set.folder / vector["descriptor"]), "get cv")
    else:
        v3alpha1(world, got)
    hashes(world, reference, vector)
    contents(world, reference, got)


def listed(world: World) -> None:
    """Without a version: tags that are no versions are skipped."""
    component, version = name_and_version(world.vector)
    done = world.run("get", "cv", f"{world.ctf}//{component}", "-o", "json")
    if done.code == 0:
        versions = [documents.component_of(one)["version"] for one in done.json]
        if versions != [version]:
            world.problem(f"the versions are {versions}, and not {version} alone")


def v3alpha1(world: World, got: Any) -> None:
    """Another schema: all that the recorded document says, in the form that is printed."""
    recorded = documents.read(world.set.folder / world.vector["descriptor"])
    ours, theirs = documents.component_of(got), documents.component_of(recorded)
    for member in ("name", "version", "creationTime", "labels", "resources", "sources"):
        world.equal(ours.get(member), theirs.get(member), f"get cv: {member}")


def hashes(world: World, reference: str, vector: Vector) -> None:
    """Bytes and digests under every algorithm that was recorded."""
    for algorithm, recorded in vector.get("normalisation", {}).items():
        folder = vector.get("normalised_dir") or f"{vector['ctf'].rpartition('/')[0]}/normalised"
        name = f"{algorithm.replace('/', '-')}.txt"
        world.normalised(reference, algorithm, (world.set.folder / folder / name).read_bytes())
        digests = {"sha256": recorded} if isinstance(recorded, str) else recorded
        world.hashed(reference, algorithm, digests["sha256"], digests.get("sha512", ""))


def contents(world: World, reference: str, descriptor: Any) -> None:
    """The first plain local blob, and every local OCI artifact as an OCI layout."""
    local = [one for one in documents.resources(descriptor) if documents.is_local(one)]
    plain = [one for one in local if not wire.is_manifest(one["access"].get("mediaType"))]
    artifacts = [one for one in local if wire.is_manifest(one["access"].get("mediaType"))]
    for resource in [*plain[:1], *artifacts]:
        world.content(reference, resource)
