"""Signatures of the reference tools, crafted ones, and what the reference refused to sign."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.vectorset.world import OK, REFUSED, name_and_version

if TYPE_CHECKING:
    from tests.vectorset.world import Vector, VectorSet, World

UNREACHABLE = frozenset({5})
BAD = frozenset({4})
BAD_CERTIFICATES = ("expired", "serverauth", "key-mismatch", "leaf-only")


def check(world: World) -> None:
    """Apply the rules for ``signed/*`` and ``extra/signed-gpg``."""
    if world.vector["algorithm"] == "GPG":
        openpgp(world)
    elif world.vector["encoding"] == "PEM":
        certificates(world)
    elif "external" in world.vector["id"]:
        external(world)
    else:
        plain(world, accepted=is_accepted(world.vector))


def is_accepted(vector: Vector) -> bool:
    """Whether a reference tool accepts it with the right key, or refuses it for its own reason."""
    said = next(said for key, said in vector["verify"].items() if "test-key-a" in key)
    return "ok" in said.values() or "ocilayout" in vector["id"]


def plain(world: World, *, accepted: bool = True) -> None:
    """Key a and no other."""
    reference = world.reference()
    codes = OK if accepted else BAD
    world.verify(reference, "--key", world.set.key("test-key-a.public.pem"), codes=codes)
    world.verify(reference, "--key", world.set.key("test-key-b.public.pem"), codes=BAD)
    world.verify(reference, codes=REFUSED, why="nobody is trusted")


def external(world: World) -> None:
    """Content in a registry that is gone."""
    reference = world.reference()
    right = ("--key", world.set.key("test-key-a.public.pem"))
    wrong = ("--key", world.set.key("test-key-b.public.pem"))
    world.verify(reference, *right, codes=UNREACHABLE, why="its registry is gone")
    world.verify(reference, *right, "--level", "signature")
    done = world.verify(reference, *right, "--skip-external", "-o", "json")
    if done.code == 0 and not any(one["result"] == "skipped" for one in done.json["checks"]):
        world.problem(f"no check is listed as skipped: {done}")
    world.verify(reference, *wrong, "--level", "signature", codes=BAD)
    world.verify(reference, codes=REFUSED, why="nobody is trusted")


def certificates(world: World) -> None:
    """The right root and no other; a root in the signature is no anchor."""
    reference = world.reference()
    is_bad = any(word in world.vector["id"] for word in BAD_CERTIFICATES)
    root = ("--ca", world.set.key("test-root-ca.cert.pem"))
    other = ("--ca", world.set.key("test-other-root-ca.cert.pem"))
    world.verify(reference, *root, codes=REFUSED if is_bad else OK)
    world.verify(reference, *other, codes=REFUSED, why="another root")
    world.verify(reference, codes=REFUSED, why="no root")


def openpgp(world: World) -> None:
    """The public key and no RSA key."""
    if shutil.which("gpg") is None:
        world.not_asked = "gpg is missing"
        return
    reference = world.reference()
    world.verify(reference, "--key", world.set.folder / world.vector["key"])
    world.verify(
        reference, "--key", world.set.key("test-key-a.public.pem"), codes=REFUSED, why="an RSA key"
    )
    world.verify(reference, codes=REFUSED, why="nobody is trusted")


def crafted(world: World) -> None:
    """Apply the rule for ``crafted/*``."""
    if world.vector["encoding"] == "PEM":
        certificates(world)
    else:
        plain(world)


def sign_refused(world: World) -> None:
    """What the reference did not sign: sign it here, and see."""
    vector = world.vector
    source = _source(world.set, vector)
    world.vector = {**vector, **{name: source[name] for name in ("component", "version", "ctf")}}
    copy = world.copied(source["ctf"])
    reference = world.reference(copy)
    options = ["--algorithm", vector["algorithm"], "--signature", "default"]
    leaf = next((word for word in ("expired", "serverauth") if word in vector["id"]), "")
    if not leaf:
        options += ["--normalisation", "jsonNormalisation/v3"]
        key, public = (world.set.key(f"test-key-a.{half}.pem") for half in ("private", "public"))
        done = world.run("sign", "cv", reference, "--key", key, *options)
        if done.code == 0:
            world.verify(reference, "--key", public)
            other = world.set.key("test-key-b.public.pem")
            world.verify(reference, "--key", other, codes=BAD)
        return
    name = f"test-leaf-{leaf}"
    options += ["--encoding", "pem", "--chain", world.set.key(f"{name}.chain.pem")]
    key = world.set.key(f"{name}.private.pem")
    done = world.run("sign", "cv", reference, "--key", key, *options, codes=OK | REFUSED)
    if done.code == 0:
        root = world.set.key("test-root-ca.cert.pem")
        world.verify(reference, "--ca", root, codes=REFUSED, why=leaf)


def _source(vectors: VectorSet, vector: Vector) -> Vector:
    """Return what was to be signed; the entry says it only in its id."""
    tool = "v2" if vector["id"].endswith("-on-v2-ctf") else vector["tool"]
    name = vector["id"].removesuffix("-on-v2-ctf")
    written = [one for one in vectors.vectors.values() if one["id"].startswith("components/")]
    cases = {one["id"].split("/")[1] for one in written}
    case = max((one for one in cases if name.endswith(f"-{one}")), key=len, default="")
    if case:
        return vectors.vectors[f"components/{case}/{tool}"]
    signed = next(
        one for one in vectors.vectors.values() if one["id"].startswith("signed/") and "ctf" in one
    )
    component, version = name_and_version(signed)
    return next(
        one
        for one in written
        if (one["component"], one["version"], one["written_by"]) == (component, version, tool)
    )
