"""Calls to a plugin, over the standard library's HTTP client: not the code under test."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ocm_pkg.contract.startup import Address


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()


class PluginConnection(http.client.HTTPConnection):
    """A connection to the address that a plugin printed."""

    def __init__(self, address: Address) -> None:
        super().__init__("unix" if address.path else address.host, timeout=20)
        self.address = address

    def connect(self) -> None:
        if self.address.path is None:
            self.sock = socket.create_connection((self.address.host, self.address.port), 20)
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.address.path)

    def call(self, method, target, body=None, headers=None) -> Answer:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        self.request(method, target, data, headers or {})
        response = self.getresponse()
        return Answer(response.status, dict(response.headers), response.read())


def call(address: Address, method, target, body=None, headers=None) -> Answer:
    """Make one call on a connection of its own."""
    connection = PluginConnection(address)
    try:
        return connection.call(method, target, body, headers)
    finally:
        connection.close()
