"""One repository of a registry: what names it may have, its URLs, and the calls that reach it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ocm_pkg.errors import (
    InvalidDocumentError,
    InvalidReferenceError,
    NotFoundError,
    RegistryError,
    escaped,
)
from ocm_pkg.model.jsontext import Limits, parse_json
from ocm_pkg.store.client import Scope

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.document import JSONValue
    from ocm_pkg.store.client import RegistryClient
    from ocm_pkg.store.exchange import Body, Response

MAX_DOCUMENT = 4 * 1024 * 1024
"""Bytes that a manifest, or a list that a registry gives, may have."""

PULL = ("pull",)
PUSH = ("pull", "push")
DELETE = ("delete",)

_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_MAX_NAME = 255


def is_name(text: str) -> bool:
    """Whether a repository of a registry can have this name."""
    return len(text) <= _MAX_NAME and _NAME.fullmatch(text) is not None


def checked_name(name: str) -> str:
    """Return the name of an OCI repository, or raise ``InvalidReferenceError``."""
    if not is_name(name):
        raise InvalidReferenceError(
            f"{escaped(name, 100)!r} can't be the name of a repository in a registry",
            hint=f"it has at most {_MAX_NAME} characters: lower-case letters and digits in parts "
            "joined by one of / . _ -",
        )
    return name


def checked_tag(tag: str) -> str:
    """Return a tag, or raise ``InvalidReferenceError``."""
    if not _TAG.fullmatch(tag):
        raise InvalidReferenceError(
            f"{escaped(tag, 140)!r} can't be a tag",
            hint="a tag has at most 128 letters, digits, dots, dashes and underscores, and starts "
            "with none of the first two",
        )
    return tag


def is_tag(text: object) -> bool:
    """Whether a registry can have this as a tag."""
    return isinstance(text, str) and _TAG.fullmatch(text) is not None


class Remote:
    """The repository ``name``, given in full. Safe to use from many threads."""

    def __init__(self, client: RegistryClient, name: str) -> None:
        self.client = client
        self.name = checked_name(name)

    def url(self, kind: str, reference: object) -> str:
        """Return the path of a blob, manifest or list of the repository."""
        return f"/v2/{self.name}/{kind}/{reference}"

    def scope(self, actions: tuple[str, ...], origin: str | None = None) -> Scope:
        """Return the rights that a call needs; ``origin`` is another repository to read from."""
        also = () if origin is None else (Scope(origin, PULL),)
        return Scope(self.name, actions, also)

    def call(
        self,
        method: str,
        url: str,
        *,
        expect: Collection[int],
        actions: tuple[str, ...] = PULL,
        origin: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        idempotent: bool = True,
    ) -> Response:
        """Return the answer; see ``RegistryClient.call``."""
        return self.client.call(
            method,
            url,
            scope=self.scope(actions, origin),
            expect=expect,
            headers=headers,
            body=body,
            idempotent=idempotent,
        )

    def error(self, why: str, *, status: int = 0, hint: str | None = None) -> RegistryError:
        """Return the error for an answer that the protocol does not allow."""
        where = f"{self.client.origin} answered for {self.name}"
        return RegistryError(f"{where} {why}", status=status, hint=hint)


def read_document(response: Response, what: str) -> bytes:
    """Return the body of an answer; ``RegistryError`` if it is longer than a document may be."""
    if (response.length or 0) > MAX_DOCUMENT:
        response.close()
        raise RegistryError(
            f"{what} is longer than the {MAX_DOCUMENT} bytes allowed", status=response.status
        )
    return response.read(MAX_DOCUMENT)


def read_json(response: Response, what: str) -> JSONValue:
    """Return the JSON of an answer, read within the limit; ``RegistryError`` if it is none."""
    hint = response.page_hint
    data = read_document(response, what)
    try:
        return parse_json(data, name=what, limits=Limits(size=MAX_DOCUMENT))
    except InvalidDocumentError as error:
        raise RegistryError(
            error.message, status=response.status, hint=hint or error.hint
        ) from error


def missing(remote: Remote, digest: Digest) -> NotFoundError:
    """Return the error for content that something refers to, and that is not there."""
    return NotFoundError(
        f"{remote.name} in {remote.client.origin} has no content {digest}",
        hint="what refers to it is incomplete: ask its provider to publish it again",
    )
