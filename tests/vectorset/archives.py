"""Archives in one file."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

from tests.vectorset import components, documents, wire
from tests.vectorset.world import name_and_version

if TYPE_CHECKING:
    from tests.vectorset.world import World


def check(world: World) -> None:
    """Apply the rule for ``archives/*``: as if it were the folder that it holds."""
    reference = world.reference()
    if wire.sha256(world.ctf.read_bytes()) != f"sha256:{world.vector['sha256']}":
        world.problem("the file is not the one that was recorded")
    folder = world.path("unpacked")
    with tarfile.open(world.ctf) as tar:
        tar.extractall(folder, filter="data")
    stored = wire.stored(folder, *name_and_version(world.vector))
    got = world.get(reference)
    if got is None:
        return
    world.equal(got, stored.descriptor, "get cv")
    hashes(world, reference, stored.descriptor)
    for resource in documents.resources(got):
        world.content(reference, resource)


def hashes(world: World, reference: str, descriptor: object) -> None:
    """The recorded digests, if the same component version is recorded; else those of its folder."""
    for written in world.set.vectors.values():
        if written["kind"] != "component-version" or "normalised_dir" not in written:
            continue
        recorded = documents.read(world.set.folder / written["descriptor"])
        if documents.same(documents.signed_part(recorded), documents.signed_part(descriptor)):
            components.hashes(world, reference, written)
            return
    for algorithm in documents.ALGORITHMS:
        folder = world.reference(world.path("unpacked"))
        done = world.run("hash", "cv", folder, "--normalisation", algorithm)
        if done.code == 0:
            world.hashed(reference, algorithm, done.out.decode().strip())
