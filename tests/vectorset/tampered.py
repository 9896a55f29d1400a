"""Signed component versions that were changed afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.vectorset import documents, wire
from tests.vectorset.signed import BAD
from tests.vectorset.world import OK, REFUSED, name_and_version

if TYPE_CHECKING:
    from tests.vectorset.world import World

NO_SIGNATURE_DOCUMENT = ("signature-empty", "signature-nonhex")


def check(world: World) -> None:
    """Apply the rules for ``tampered/*``."""
    name = world.vector["id"].rpartition("/")[2]
    expected = world.vector["expect"]
    reference = world.reference()
    key_a = ("--key", world.set.key("test-key-a.public.pem"))
    if name.startswith("blob-"):
        blob(world, key_a)
    elif name == "signature-uppercase-hex":
        world.verify(reference, *key_a, codes=REFUSED, why="one spelling of a signature")
    elif "verify ok" in expected:
        world.verify(reference, *key_a, codes=OK, why=expected)
    else:
        codes = REFUSED if name in NO_SIGNATURE_DOCUMENT else BAD
        world.verify(reference, *key_a, codes=codes, why=expected)
        world.verify(reference, *key_a, "--level", "signature", codes=codes, why=expected)
    if name == "other-key":
        world.verify(reference, "--key", world.set.key("test-key-b.public.pem"))


def blob(world: World, key: tuple[str, str]) -> None:
    """Content that was changed: the signature is good, and nobody gets the content."""
    reference = world.reference()
    world.verify(reference, *key, codes=BAD, why="the content was changed")
    world.verify(reference, *key, "--level", "signature")
    descriptor = wire.stored(world.ctf, *name_and_version(world.vector)).descriptor
    changed = documents.resources(descriptor)[0]
    world.download(reference, documents.identity(changed), BAD)
