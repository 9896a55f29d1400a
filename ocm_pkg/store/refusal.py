"""What a registry says about a request that it refuses, made fit to be shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from ocm_pkg.errors import InvalidDocumentError, OcmPkgError, RegistryError, escaped
from ocm_pkg.model.jsontext import Limits, parse_json
from ocm_pkg.store.exchange import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocm_pkg.model.document import JSONValue
    from ocm_pkg.store.exchange import Response

MAX_BODY = 64 * 1024
"""How much of the body of a refusal is read."""

_LONGEST = 300
_MOST_ERRORS = 3
_SHORTEST_SECRET = 3
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_TITLE = re.compile(r"<title[^>]{0,100}>([^<]{0,200})", re.IGNORECASE)
_HINTS = {
    413: "the registry, or a proxy before it, bounds what it takes: ask who runs it",
    507: "the registry has no space left: ask who runs it",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal: the registry's first code (``DENIED``), if it has one, and its text, if any."""

    code: str
    text: str


def read_refusal(response: Response, secrets: Iterable[str] = ()) -> Refusal:
    """Return what a response says, escaped and cut; no secret that it repeats; closes it.

    Understands the errors of the distribution specification and of OAuth, HTML and plain text.
    """
    try:
        data = response.excerpt(MAX_BODY)
    except OcmPkgError:
        # The status says enough.
        return Refusal("", "")
    hidden = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
    text = _without(data.decode("utf-8", "replace").strip(), hidden)
    code, said = _said(text, html=response.page_hint is not None)
    # JSON can spell a secret in ways that only reading it undoes.
    said = _without(said, hidden)
    return Refusal("" if _without(code, hidden) != code else code, escaped(_line(said), _LONGEST))


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _line(text: str) -> str:
    return " ".join(text.split())


def refused(
    response: Response, method: str, *, secrets: Iterable[str] = (), tries: int = 1, why: str = ""
) -> RegistryError:
    """Return the error for an answer with a status that nobody expected; closes it.

    ``tries`` is how often it was asked, ``why`` a reason of our own not to ask again.
    """
    refusal = read_refusal(response, secrets)
    message = f"{method} {shown(response.url)} was answered with {status_text(response.status)}"
    message += f": {refusal.text}" if refusal.text else ""
    notes = [f"tried {tries} times"] if tries > 1 else []
    notes += [why] if why else []
    return RegistryError(
        message + (f" ({', '.join(notes)})" if notes else ""),
        status=response.status,
        registry_code=refusal.code,
        hint=response.page_hint or _HINTS.get(response.status),
    )


def status_text(status: int) -> str:
    """Return ``404 Not Found``."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _said(text: str, *, html: bool) -> tuple[str, str]:
    if html or text[:15].lower().startswith(("<!doctype html", "<html")):
        title = _TITLE.search(text)
        return "", f"a web page{f', {title[1].strip()!r}' if title else ''}"
    try:
        value = parse_json(text, name="the answer", limits=Limits(2 * MAX_BODY, 20, 5000))
    except InvalidDocumentError:
        return "", text
    return _of_json(value)


def _of_json(value: JSONValue) -> tuple[str, str]:
    if not isinstance(value, dict):
        return "", ""
    errors = value.get("errors")
    entries = errors if isinstance(errors, list) else [value]
    found = [_entry(entry) for entry in entries[:_MOST_ERRORS]]
    code = next((code for code, _ in found if code), "")
    return code, "; ".join(text for _, text in found if text)


def _entry(entry: JSONValue) -> tuple[str, str]:
    """Return code and text of ``{"code", "message", "detail"}`` or OAuth's ``{"error", ...}``."""
    if not isinstance(entry, dict):
        return "", ""
    code = _text(entry, "code") or _text(entry, "error")
    message = _text(entry, "message") or _text(entry, "error_description")
    detail = _text(entry, "detail") or _text(entry, "details")
    texts = dict.fromkeys(one for one in (code, message, detail) if one)
    return (code if _CODE.fullmatch(code) else ""), ": ".join(texts)


def _text(entry: dict[str, JSONValue], name: str) -> str:
    value = entry.get(name)
    return value if isinstance(value, str) else ""
