"""A plugin process record without a process: answers calls from a recording, and checks them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ocm_pkg.contract.capabilities import Capabilities
from ocm_pkg.plugin.http import Response
from ocm_pkg.plugin.registry import ExternalPlugin

if TYPE_CHECKING:
    from pathlib import Path


class RecordedInstance:
    """Stands for ``PluginInstance``: each call must be the one that was recorded there."""

    def __init__(self, recorded: dict[str, Any], folder: Path, blob: Path) -> None:
        text = json.dumps(recorded["capabilities_printed"]).encode()
        self.plugin = ExternalPlugin(recorded["plugin"], folder, Capabilities.parse(text))
        self._left = [e for e in recorded["exchanges"] if e["request"]["target"] != "/healthz"]
        self._folder = folder
        self._blob = blob

    def call(self, method, path, *, body=None, headers=None, idempotent=False, timeout=None):
        """Find the recorded request that this is, check it, and give its answer."""
        assert timeout is None
        route, _, query = path.partition("?")
        found = next(e for e in self._left if e["request"]["target"].partition("?")[0] == route)
        self._left.remove(found)
        request = found["request"]
        assert method == request["method"]
        assert idempotent is not any(word in route for word in ("upload", "/add"))
        _same_query(query, request["target"].partition("?")[2])
        _same_headers(headers, {k.lower(): v for k, v in request["headers"]})
        if body is None:
            assert request["body"] == ""
        else:
            _same_body(json.loads(body), request["json"])
        answer = json.dumps(found["response"].get("json"))
        answer = answer.replace("<TMPDIR>/blob.bin", str(self._blob))
        return Response(found["response"]["status"], answer.encode())

    def content_folder(self) -> Path:
        """Return a folder for content."""
        return self._folder

    def explain(self, error: Exception, phase: str) -> None:
        """Add nothing: there is no process."""

    def left(self) -> list[str]:
        """Return the paths that were recorded and not called."""
        return [exchange["request"]["target"] for exchange in self._left]


def _same_query(ours: str, theirs: str) -> None:
    sent, recorded = dict(parse_qsl(ours)), dict(parse_qsl(theirs))
    assert sent.pop("repository", None) or not recorded
    if "identity" in recorded:
        # The recorded caller left out name and version, which narrow it down.
        assert sent.pop("identity")
        assert recorded.pop("identity")
    assert sent == recorded


def _same_headers(ours: dict[str, str], theirs: dict[str, str]) -> None:
    sent = {name.lower(): value for name, value in ours.items()}
    credentials = json.loads(sent.get("authorization", "{}"))
    assert credentials == json.loads(theirs.get("authorization", "{}"))
    for name in ("accept", "content-type"):
        assert sent[name] == theirs.get(name, sent[name])


def _same_body(ours: Any, theirs: Any) -> None:
    for name in ("resourceLocation", "sourceLocation", "location"):
        if name in theirs:
            assert ours[name]["type"] == theirs[name]["type"] == "localFile"
            assert ours[name]["value"].startswith("/")
            ours, theirs = {**ours, name: None}, {**theirs, name: None}
    assert _without_null(ours) == _without_null(theirs)


def _without_null(value: Any) -> Any:
    """Return a JSON value in which lists that are null, as Go writes them, are empty."""
    if isinstance(value, dict):
        return {name: [] if part is None else _without_null(part) for name, part in value.items()}
    return [_without_null(part) for part in value] if isinstance(value, list) else value
