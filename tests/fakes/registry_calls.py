"""The distribution API without sockets: requests as values, and what a registry has to be given."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ocm_pkg.fs.blob import read_all
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.serving.limits import ServerLimits
from ocm_pkg.store.serving.message import Part, Request
from ocm_pkg.store.serving.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ocm_pkg.store.base import OCIStore
    from ocm_pkg.store.serving.message import Response

NAME = "demo/art"
CONFIG = b"{}"


class FakeBody:
    """A body in memory; it breaks after some bytes if it should, at most 3 come at once."""

    def __init__(self, data: bytes, *, chunked: bool = False, breaks: int | None = None) -> None:
        self.length = None if chunked else len(data)
        self._data = data
        self._breaks = breaks
        self.place = 0

    def readinto(self, buffer: memoryview) -> int:
        if self._breaks is not None and self.place >= self._breaks:
            raise ConnectionResetError
        piece = self._data[self.place : self.place + min(3, len(buffer))]
        buffer[: len(piece)] = piece
        self.place += len(piece)
        return len(piece)

    def limit(self, count: int) -> None:
        self._data = self._data[:count]

    def break_after(self, count: int) -> None:
        self._breaks = count


class Calls:
    """Asks a registry over ``store``; ``now`` is its clock, ``log`` what it had to say."""

    def __init__(
        self, store: OCIStore, folder: Path, *, writable: bool = True, **limits: Any
    ) -> None:
        self.store = store
        self.now = 0.0
        self.log: list[str] = []
        self.folder = folder
        self.registry = Registry(
            store,
            writable=writable,
            limits=ServerLimits(**limits),
            staging=getattr(store, "staging", self._staging),
            clock=lambda: self.now,
            log=self.log.append,
        )

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        staging = self.folder / "staging"
        staging.mkdir()
        yield staging
        staging.rmdir()

    def ask(
        self, method: str, target: str, body: bytes | FakeBody = b"", **headers: str
    ) -> Response:
        """Return the answer; ``_`` in the name of a header stands for ``-``."""
        names = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        given = FakeBody(body) if isinstance(body, bytes) else body
        return self.registry.answer(Request(method, target, names, given))

    def push(self, data: bytes, name: str = NAME) -> str:
        """Store a blob; return its digest."""
        digest = str(digest_of(data))
        answer = self.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", data)
        assert answer.status == 201, answer
        return digest

    def put(self, manifest: bytes, reference: str, name: str = NAME, kind: str = "") -> Response:
        """Put a manifest, as what it says that it is."""
        kind = kind or json.loads(manifest)["mediaType"]
        return self.ask("PUT", f"/v2/{name}/manifests/{reference}", manifest, content_type=kind)

    def session(self, name: str = NAME) -> str:
        """Begin an upload; return its location."""
        return self.ask("POST", f"/v2/{name}/blobs/uploads/").header("location")


def described(data: bytes, media_type: str) -> dict[str, Any]:
    """Return the descriptor of some content as JSON."""
    return OCIDescriptor(media_type, digest_of(data), len(data)).to_json()


def manifest(*layers: bytes, **members: Any) -> bytes:
    """Return an image manifest with the config ``CONFIG``; a member that is ``...`` is left out."""
    value = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": described(CONFIG, "application/vnd.oci.empty.v1+json"),
        "layers": [described(each, "text/plain") for each in layers],
        **members,
    }
    return json.dumps({name: each for name, each in value.items() if each is not ...}).encode()


def index(*manifests: bytes, **members: Any) -> bytes:
    """Return an image index."""
    value = {
        "schemaVersion": 2,
        "mediaType": media.OCI_INDEX,
        "manifests": [described(each, json.loads(each)["mediaType"]) for each in manifests],
        **members,
    }
    return json.dumps({name: each for name, each in value.items() if each is not ...}).encode()


def body_of(response: Response) -> bytes:
    """Return the whole body of an answer."""
    if isinstance(response.body, Part):
        data = read_all(response.body.blob, 1 << 20, "it")
        return data[response.body.offset :][: response.body.length]
    return response.body if isinstance(response.body, bytes) else b"".join(response.body)


def value_of(response: Response) -> Any:
    """Return the body as JSON."""
    return json.loads(body_of(response))


def code_of(response: Response) -> tuple[int, str]:
    """Return status and code of an error."""
    return response.status, value_of(response)["errors"][0]["code"]
