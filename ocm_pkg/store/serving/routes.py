"""Which part of the distribution API a path means; names, tags and digests are checked; pure."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs, unquote

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import Digest
from ocm_pkg.store.serving.message import RefusedError

MAX_NAME = 255
_WORD = r"[a-z0-9]++(?:(?:\.|__|_|-++)[a-z0-9]++)*+"
_NAME = re.compile(rf"{_WORD}(?:/{_WORD})*+")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_SESSION = re.compile(r"[0-9a-f]{32}")
_PATH = re.compile(
    r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|tags|referrers)/(?P<rest>[^/]*(?:/[^/]*)?)"
)

METHODS = {
    "base": ("GET", "HEAD"),
    "catalog": ("GET", "HEAD"),
    "tags": ("GET", "HEAD"),
    "referrers": ("GET", "HEAD"),
    "manifest": ("GET", "HEAD", "PUT", "DELETE"),
    "blob": ("GET", "HEAD", "DELETE"),
    "uploads": ("POST",),
    "session": ("GET", "HEAD", "PATCH", "PUT", "DELETE"),
}


class Route(NamedTuple):
    """What a path means: one of ``METHODS``, in which repository, and what of it."""

    kind: str
    name: str = ""
    reference: str = ""


def route(path: str) -> Route:
    """Read a percent-encoded path, or raise ``RefusedError``."""
    text = decoded(path)
    if text in {"/v2/", "/v2"}:
        return Route("base")
    if text == "/v2/_catalog":
        return Route("catalog")
    if text.startswith("/v2/") and text.endswith("/blobs/uploads"):
        text += "/"
    match = _PATH.fullmatch(text)
    if match is None:
        raise RefusedError(404, "UNSUPPORTED", "the registry has no such path")
    found = _found(match["kind"], match["rest"])
    if found is None:
        raise RefusedError(404, "UNSUPPORTED", "the registry has no such path")
    return Route(found[0], checked_name(match["name"]), found[1])


def _found(kind: str, rest: str) -> tuple[str, str] | None:
    if kind == "tags":
        return ("tags", "") if rest == "list" else None
    if kind == "blobs" and rest.startswith("uploads/"):
        session = rest.removeprefix("uploads/")
        if session and not _SESSION.fullmatch(session):
            raise RefusedError(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload session")
        return ("session", session) if session else ("uploads", "")
    if not rest or "/" in rest:
        return None
    if kind == "manifests":
        return "manifest", rest if ":" not in rest and _tag_ok(rest) else str(digest(rest))
    return ("blob" if kind == "blobs" else "referrers"), str(digest(rest))


def _tag_ok(text: str) -> bool:
    if not _TAG.fullmatch(text):
        raise RefusedError(
            400, "MANIFEST_INVALID", "a tag has at most 128 letters, digits, _, . and -"
        )
    return True


def checked_name(name: str) -> str:
    """Return a repository's name, or raise ``RefusedError``."""
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise RefusedError(400, "NAME_INVALID", "this is not the name of a repository")
    return name


def digest(text: str) -> Digest:
    """Read a digest, or raise ``RefusedError``."""
    try:
        return Digest.parse(text)
    except InvalidDocumentError as error:
        raise RefusedError(
            400, "DIGEST_INVALID", "a digest is sha256: or sha512: and lower-case hex"
        ) from error


def decoded(text: str) -> str:
    """Undo percent-encoding, or raise ``RefusedError``: only UTF-8 without control characters."""
    try:
        plain = unquote(text, errors="strict")
    except UnicodeDecodeError:
        plain = "\0"
    if not plain.isprintable():
        raise RefusedError(400, "NAME_INVALID", "the path has characters that are not allowed")
    return plain


def parameters(query: str) -> dict[str, str]:
    """Return the first value of each parameter of a query, or raise ``RefusedError``."""
    try:
        found = parse_qs(query, keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError as error:
        raise RefusedError(400, "UNSUPPORTED", "the query cannot be read") from error
    return {name: values[0] for name, values in found.items()}
