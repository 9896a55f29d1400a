"""What requests and answers are made of: locations, queries, credentials."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from ocm_pkg.contract.jsontext import member, read_object, write_json
from ocm_pkg.errors import PluginProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.contract.jsontext import JSONObject, JSONValue

LOCAL_FILE = "localFile"
NAMED_PIPE = "unixNamedPipe"
REMOTE_URL = "remoteURL"

MAX_BODY = 16 * 1024 * 1024
"""The largest request or answer body that is read, in bytes; content goes by location."""

MAX_QUERY = 64 * 1024
"""The longest query and the longest value in one, in characters."""


class Location(NamedTuple):
    """Where content is: ``localFile`` and ``unixNamedPipe`` have absolute paths."""

    type: str
    value: str
    media_type: str | None = None

    @classmethod
    def parse(cls, value: JSONValue, *, what: str = "location") -> Location:
        """Return the location that a message holds.

        Raises:
            PluginProtocolError: no object, no type or value, an unknown type, or a path that is
                relative: it would depend on the reader's working directory.

        """
        if not isinstance(value, dict):
            raise PluginProtocolError(f"{what} is not an object")
        kind = _text(value, "type", what)
        place = _text(value, "value", what)
        if kind not in (LOCAL_FILE, NAMED_PIPE, REMOTE_URL):
            raise PluginProtocolError(f"{what}: unsupported location type {kind[:80]!r}")
        if kind != REMOTE_URL and (not place.startswith("/") or "\0" in place):
            raise PluginProtocolError(f"{what}: {place[:120]!r} is not an absolute path")
        media_type = member(value, "mediaType", what=what)
        if media_type is not None and not isinstance(media_type, str):
            raise PluginProtocolError(f"{what}.mediaType is not a text")
        return cls(kind, place, media_type or None)

    def to_json(self) -> JSONObject:
        """Return the object of a message."""
        result = {"type": self.type, "value": self.value}
        if self.media_type is not None:
            result["mediaType"] = self.media_type
        return result


def encode_object(value: Mapping[str, Any]) -> str:
    """Return a JSON object in base64: how identities and repositories go into a query.

    Keys are sorted, as Go writes them.
    """
    text = write_json({name: value[name] for name in sorted(value)}).encode()
    return binascii.b2a_base64(text, newline=False).decode()


def decode_object(text: str, *, what: str) -> JSONObject:
    """Return the object of ``encode_object``, or raise ``PluginProtocolError``."""
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise PluginProtocolError(f"{what} is not base64") from error
    return read_object(data, what=what, limit=MAX_QUERY)


def decode_identity(text: str) -> dict[str, str]:
    """Return the identity in a query: texts by name; or raise ``PluginProtocolError``."""
    value = decode_object(text, what="identity")
    if not all(isinstance(item, str) for item in value.values()):
        raise PluginProtocolError("identity has a value that is not a text")
    return value


def encode_query(parameters: Mapping[str, str]) -> str:
    """Return a form-encoded query, in the order of the names."""
    return urlencode(sorted(parameters.items()))


def decode_query(text: str) -> dict[str, str]:
    """Return the parameters of a query.

    Raises:
        PluginProtocolError: too long, no UTF-8, or a parameter twice.

    """
    if len(text) > MAX_QUERY:
        raise PluginProtocolError(f"the query is longer than {MAX_QUERY} characters")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=32)
    except ValueError as error:
        raise PluginProtocolError("the query is malformed") from error
    result = dict(pairs)
    if len(result) < len(pairs):
        raise PluginProtocolError("the query has a parameter twice")
    return result


def encode_credentials(credentials: Mapping[str, Any] | None) -> str:
    """Return the ``Authorization`` header: the credential object, ``{}`` if there is none."""
    return write_json(dict(credentials or {}))


def decode_credentials(header: str | None) -> JSONObject | None:
    """Return the credential object of an ``Authorization`` header.

    Absent, empty and ``{}`` mean none. The message of a refusal never quotes the header.

    Raises:
        PluginProtocolError: anything else than a JSON object.

    """
    if header is None or not header.strip():
        return None
    try:
        return read_object(header, what="the Authorization header", limit=MAX_QUERY) or None
    except PluginProtocolError:
        raise PluginProtocolError(
            "incorrect authentication header format: not a JSON object"
        ) from None


def _text(value: JSONObject, name: str, what: str) -> str:
    text = member(value, name, what=what)
    if not isinstance(text, str) or not text:
        raise PluginProtocolError(f"{what}.{name} is not a text")
    return text
