"""Container images that a build starts from: named by their digest, so that they never change."""

from __future__ import annotations

import re

_NAME = re.compile(
    r"[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*(?::[0-9]{1,5})?"
    r"(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*"
    r"(?::\w[\w.-]{0,127})?",
    re.ASCII,
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ANY = "NAME:TAG"
_FIND = f"docker buildx imagetools inspect {_ANY}, or skopeo inspect docker://{_ANY}, says it"


def image_problem(image: str) -> tuple[str, str] | None:
    """Return what is wrong with the name of an image, and what to do; None if it is pinned.

    It is ``[HOST[:PORT]/]NAME[:TAG]@sha256:`` and 64 lower-case hexadecimal digits.
    """
    name, at, digest = image.partition("@")
    if _NAME.fullmatch(name) is None or len(name) > 200:
        return f"{image[:80]!r} names no image", f"HOST/NAME@sha256:...; {_FIND}"
    if not at:
        return (
            "does not say the image's digest, so it could be another one tomorrow",
            f"write {name}@sha256:... with the digest of today; {_FIND.replace(_ANY, name)}",
        )
    if _DIGEST.fullmatch(digest) is None:
        return (
            f"ends with {digest[:80]!r}, which is no digest",
            f"sha256: and 64 hexadecimal digits, without capital letters; {_FIND}",
        )
    return None
