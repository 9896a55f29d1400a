"""References of images in registries, taken apart; what isn't one is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ocm_pkg.errors import InvalidDocumentError, InvalidReferenceError, escaped
from ocm_pkg.model.digest import Digest
from ocm_pkg.store.remote import is_name

HUB, HUB_API = "docker.io", "registry-1.docker.io"

_HUBS = frozenset({HUB, "index.docker.io"})
_MAX_REFERENCE = 1024
_HOST = re.compile(
    r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9][A-Za-z0-9-]*)*)(?::[0-9]{1,5})?"
)
_IN_REGISTRY = re.compile(
    r"([a-z0-9._/-]+)(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@([a-z0-9]+:[0-9a-f]+))?"
)


@dataclass(frozen=True, slots=True)
class ImageName:
    """An image reference: the URL of its registry, the repository there, tag and digest."""

    base_url: str
    repository: str
    tag: str | None
    digest: Digest | None


def split_reference(reference: str) -> tuple[str, str, str, str | None, Digest | None]:
    """Return scheme, host, name, tag and digest; ``InvalidReferenceError`` if it is no reference.

    Without a host it is Docker Hub's, and the host of that is the one that has its API. Without a
    scheme it is https.
    """
    scheme, found, rest = reference.rpartition("://")
    host, slash, inside = rest.partition("/")
    if not (slash and (found or host == "localhost" or "." in host or ":" in host)):
        host, inside = HUB, rest
    match = _IN_REGISTRY.fullmatch(inside)
    known = {"http", "https"} if found else {""}
    if match is None or not _HOST.fullmatch(host) or scheme not in known:
        raise _no_image(reference)
    name, tag, digest = match.groups()
    if len(reference) > _MAX_REFERENCE or not is_name(name):
        raise _no_image(reference)
    try:
        parsed = None if digest is None else Digest.parse(digest)
    except InvalidDocumentError as error:
        raise _no_image(reference) from error
    return scheme or "https", HUB_API if host in _HUBS else host, name, tag, parsed


def _no_image(reference: str) -> InvalidReferenceError:
    return InvalidReferenceError(
        f"{escaped(reference, 200)!r} is not an image reference",
        hint="write HOST/NAME:TAG or HOST/NAME@sha256:..., e.g. ghcr.io/example/app:1.0.0",
    )
