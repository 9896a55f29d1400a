"""What the reference tools pushed to a registry, rebuilt as an archive; and what they could not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.vectorset import components, documents, wire
from tests.vectorset.world import name_and_version

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vectorset.world import World


def check(world: World) -> None:
    """Apply the rules for ``registry/*``."""
    if "push_error" in world.vector:
        not_pushed(world)
        return
    ctf = rebuilt(world)
    reference = world.reference(ctf)
    layer = (world.set.folder / world.vector["dir"] / "descriptor-layer.bin").read_bytes()
    dumped = documents.load(wire.descriptor_text(layer))
    got = world.get(reference)
    if got is None:
        return
    world.equal(got, dumped, "get cv")
    written = world.set.written(*name_and_version(world.vector), world.vector["source_ctf"])
    source = documents.read(world.set.folder / written["descriptor"])
    if documents.same(documents.signed_part(dumped), documents.signed_part(source)):
        components.hashes(world, reference, written)
    for resource in documents.resources(got):
        if documents.is_local(resource):
            world.content(reference, resource)


def rebuilt(world: World) -> Path:
    """Return an archive of the dumped documents, with the source's blobs."""
    vector = world.vector
    ctf = world.path("rebuilt")
    contents = wire.blobs(world.set.folder / vector["source_ctf"])
    for path in (world.set.folder / vector["dir"]).iterdir():
        contents[wire.sha256(path.read_bytes())] = path.read_bytes()
    top = {"digest": vector["top"]["digest"], "mediaType": vector["top"]["content-type"]}
    component, _version = name_and_version(vector)
    for digest in wire.write(ctf, contents, component, vector["top"]["tag"], top):
        world.problem(f"neither the dump nor its source has {digest}")
    return ctf


def not_pushed(world: World) -> None:
    """What the reference could not copy is copied, with its bytes and its digests."""
    vector = world.vector
    component, version = name_and_version(vector)
    source = world.set.folder / vector["source_ctf"]
    target = world.path("target")
    done = world.run("transfer", "cv", world.reference(source), target)
    if done.code != 0:
        return
    before, after = (wire.stored(each, component, version) for each in (source, target))
    if wire.descriptor_text(before.data) != wire.descriptor_text(after.data):
        world.problem("the copy's descriptor has other bytes")
    if before.layers != after.layers:
        world.problem(f"the copy has the blobs {after.layers}, and not {before.layers}")
    for digest in before.layers:
        if wire.blob(target, digest) != wire.blob(source, digest):
            world.problem(f"{digest} has other bytes in the copy")
    reference = world.reference(target)
    components.hashes(world, reference, world.set.written(component, version, vector["source_ctf"]))
    components.contents(world, reference, after.descriptor)
