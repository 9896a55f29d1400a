"""Recorded sessions with a plugin: what was sent, what came back; written, read, compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ocm_pkg.errors import AlreadyExistsError, InvalidDocumentError, escaped
from ocm_pkg.fs.atomic import write_file
from ocm_pkg.fs.blob import FileBlob, read_all
from ocm_pkg.model.jsontext import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ocm_pkg.model.document import JSONValue
    from ocm_pkg.plugin.http import Response

REDACTED = "<credentials>"
"""What stands in a session for an ``Authorization`` header that held credentials."""

_LIMIT = 64 << 20
_ABOUT = "A recorded session with a plugin: each request, and the answer to it."
_KEPT_HEADERS = ("content-type", "content-length")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer.

    ``body`` is the JSON value that was sent, or text that was sent as it is, or None.
    ``json`` is the JSON value of the answer if ``has_json``.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: JSONValue
    status: int
    answer: str
    answer_headers: tuple[tuple[str, str], ...] = ()
    json: JSONValue = None
    has_json: bool = False

    @classmethod
    def of(
        cls,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: JSONValue,
        response: Response,
    ) -> Exchange:
        """Return what was exchanged; credentials are left out."""
        text = response.body.decode("utf-8", "backslashreplace")
        value, has_json = _json_of(text) if response.status == 200 else (None, False)
        kept = [
            (name.title(), response.headers[name])
            for name in _KEPT_HEADERS
            if name in response.headers
        ]
        return cls(
            method,
            path,
            tuple((name, _without_secret(name, value)) for name, value in headers.items()),
            body,
            response.status,
            text,
            tuple(kept),
            value,
            has_json,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the entry of a session file."""
        response: dict[str, Any] = {
            "status": self.status,
            "headers": dict(self.answer_headers),
            "body": self.answer,
        }
        if self.has_json:
            response["json"] = self.json
        return {
            "request": {
                "method": self.method,
                "path": self.path,
                "headers": [list(pair) for pair in self.headers],
                "body": self.body,
            },
            "response": response,
        }


def read_session(path: Path) -> tuple[Exchange, ...]:
    """Return the exchanges of a session file, or raise ``InvalidDocumentError``."""
    data = read_all(FileBlob(path), _LIMIT, str(path))
    value = parse_json(data, name=str(path))
    entries = value.get("exchanges") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise InvalidDocumentError(
            f"{path} is no recorded session: it has no exchanges", hint="record one with --record"
        )
    return tuple(_read_entry(entry, f"{path}: exchanges[{i}]") for i, entry in enumerate(entries))


def append_to_session(path: Path, plugin: str, exchange: Exchange) -> None:
    """Add an exchange to a session file, which is made if it is not there.

    A file that is no session of this plugin is left as it is: ``AlreadyExistsError``.
    """
    session: dict[str, Any] = {"_about": _ABOUT, "plugin": plugin, "exchanges": []}
    if path.exists():
        value = parse_json(read_all(FileBlob(path), _LIMIT, str(path)), name=str(path))
        ours = isinstance(value, dict) and value.get("plugin") == plugin
        if not ours or not isinstance(value, dict) or not isinstance(value.get("exchanges"), list):
            raise AlreadyExistsError(
                f"{path} is there, and is no session with the plugin {escaped(plugin, 100)}",
                hint="record into another file",
            )
        session = value
    session["exchanges"].append(exchange.to_json())
    text = json.dumps(session, indent=1, ensure_ascii=False) + "\n"
    write_file(path, text.encode("utf-8", "surrogatepass"), mode=0o600)


def _read_entry(entry: JSONValue, where: str) -> Exchange:
    request = _object(entry, "request", where)
    response = _object(entry, "response", where)
    status = response.get("status")
    if isinstance(status, bool) or not isinstance(status, int):
        raise InvalidDocumentError(f"{where}: response.status is no number")
    return Exchange(
        method=_text(request, "method", where),
        path=_text(request, "path", where),
        headers=_headers(request.get("headers"), where),
        body=request.get("body"),
        status=status,
        answer=_text(response, "body", where) if "body" in response else "",
        json=response.get("json"),
        has_json="json" in response,
    )


def _object(entry: JSONValue, name: str, where: str) -> dict[str, JSONValue]:
    value = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(value, dict):
        raise InvalidDocumentError(f"{where}: {name} is no object")
    return value


def _text(value: Mapping[str, JSONValue], name: str, where: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise InvalidDocumentError(f"{where}: {name} is no text")
    return text


def _headers(value: JSONValue, where: str) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    for pair in value if isinstance(value, list) else []:
        match pair:
            case [str(name), str(text)]:
                pairs.append((name, text))
            case _:
                raise InvalidDocumentError(f"{where}: a header is no pair of texts")
    return tuple(pairs)


def _without_secret(name: str, value: str) -> str:
    return REDACTED if name.lower() == "authorization" and value != "{}" else value


def _json_of(text: str) -> tuple[JSONValue, bool]:
    try:
        return json.loads(text), True
    except (ValueError, RecursionError):
        return None, False
