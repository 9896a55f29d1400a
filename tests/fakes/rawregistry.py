"""A registry to read from, over the scripted server: right answers, and a place to go wrong."""

from __future__ import annotations

import contextlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.fakes.arena import NAME
from tests.fakes.rawserver import answered, raw_server

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fakes.arena import Arena
    from tests.fakes.rawserver import Peer, RawServer, Received

    Fault = Callable[[Peer, bytes], None]

CONTENT = "content " * 5000
MISSING = answered(b'{"errors":[{"code":"NAME_UNKNOWN"}]}', "404 Not Found")
SETTINGS = """\
type: generic.config.ocm.software/v1
configurations:
- type: http.config.ocm.software/v1alpha1
  timeout: {timeout}
  retry: {{minWait: 1ms, maxWait: 5ms}}
{more}"""


def answers(ctf: Path) -> Callable[[Received], bytes]:
    """Return what a registry that has the content of a CTF answers to those who read it."""
    index = json.loads((ctf / "artifact-index.json").read_bytes())
    tags = {f"{one['repository']}:{one['tag']}": one["digest"] for one in index["artifacts"]}
    types = {one["digest"]: one["mediaType"] for one in index["artifacts"]}
    blobs = {path.name.replace(".", ":", 1): path.read_bytes() for path in ctf.glob("blobs/*")}

    def answer(received: Received) -> bytes:
        path = received.path.partition("?")[0].removeprefix("/v2/")
        if not path:
            return answered(b"{}")
        repository, _, reference = path.rpartition("/")
        repository, _, kind = repository.rpartition("/")
        digest = reference
        if kind == "manifests":
            name = repository[repository.index("component-descriptors/") :]
            digest = tags.get(f"{name}:{reference}", reference)
        if digest not in blobs:
            return MISSING
        media_type = types.get(digest, "application/octet-stream")
        whole = answered(
            blobs[digest],
            "200 OK",
            f"Content-Type: {media_type}",
            f"Docker-Content-Digest: {digest}",
        )
        return whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if received.method == "HEAD" else whole

    return answer


class World:
    """A component version in a registry, and a working folder with its settings."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        arena.constructor(
            resources=[
                {"name": "hello", "type": "blob", "input": {"type": "utf8", "text": CONTENT}}
            ]
        )
        arena.accepted("add", "cv")
        self.answer = answers(arena.ctf)
        self.config = arena.work / "ocmconfig"
        self.settings()

    def settings(self, timeout: str = "10s", *more: str) -> None:
        """Write the configuration that ``get`` and ``download`` use."""
        text = SETTINGS.format(timeout=timeout, more="".join(f"  {one}\n" for one in more))
        self.config.write_text(text)

    @contextmanager
    def registry(
        self,
        fault: Fault | None = None,
        where: str = "/manifests/",
        *,
        times: int = 1000,
        tls: ssl.SSLContext | None = None,
    ) -> Iterator[RawServer]:
        """Serve the component version; ``fault`` takes the place of answers to some GETs."""
        left = [times if fault else 0]

        def script(peer: Peer) -> None:
            while True:
                received = peer.request()
                good = self.answer(received)
                if left[0] and received.method == "GET" and where in received.path:
                    left[0] -= 1
                    assert fault is not None
                    with contextlib.suppress(OSError):
                        fault(peer, good)
                    return
                peer.send(good)

        with raw_server(script, tls=tls) as server:
            yield server

    def get(self, server: RawServer) -> tuple[str, ...]:
        """Return the command that prints the component version."""
        return ("get", "cv", f"{server.url}/base//{NAME}:1.0.0", "--config", str(self.config))

    def download(self, server: RawServer) -> tuple[str, ...]:
        """Return the command that downloads its resource."""
        reference = f"{server.url}/base//{NAME}:1.0.0"
        return (
            *("download", "resource", reference, "--identity", "name=hello"),
            *("--config", str(self.config), "--output", "hello.out"),
        )
