"""Rows R02 and R41 to the byte: how much is read of what has no end, and how often, by many."""

from __future__ import annotations

import hashlib
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from ocm_pkg._typing import override
from ocm_pkg.errors import DigestMismatchError
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.fs.blobcache import BlobCache
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.cached import CachedContent
from ocm_pkg.store.client import RegistryClient
from ocm_pkg.store.exchange import Headers, Response
from ocm_pkg.store.registry import RegistryStore
from tests.fakes.exchange import FakeTransport
from tests.fakes.faults import lab
from tests.fakes.registrystore import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ocm_pkg.store.exchange import Request

MIB = 1024 * 1024


class Endless(io.RawIOBase):
    """Bytes without end; ``count`` is how many of them were read."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        self.count += len(buffer)
        return len(buffer)


@pytest.mark.parametrize("size", [0, 1, 100, 5 * MIB])
@pytest.mark.parametrize("framed", [{}, {"Transfer-Encoding": "chunked"}])
def test_R02_reading_stops_one_byte_after_the_size(size: int, framed: Mapping[str, str]) -> None:
    endless = Endless()

    def answer(request: Request) -> Response:
        return Response(200, Headers(framed.items()), request.url, io.BufferedReader(endless, 1))

    client = RegistryClient("http://registry.example.com", FakeTransport(default=answer))
    store = RegistryStore(client)
    wanted = OCIDescriptor("text/plain", digest_of(bytes(size)), size)
    with pytest.raises(DigestMismatchError, match="longer"):
        read_all(store.fetch(REPOSITORY, wanted), size + 10, "it")
    assert endless.count == size + 1


def test_R02_a_length_that_is_not_the_size_is_refused_before_anything_is_read() -> None:
    for length in ("99", "101", "99999999999999"):
        endless = Endless()
        headers = Headers([("Content-Length", length)])
        answer = Response(200, headers, "http://registry.example.com/x", io.BufferedReader(endless))
        client = RegistryClient(
            "http://registry.example.com", FakeTransport([lambda _, a=answer: a])
        )
        wanted = OCIDescriptor("text/plain", digest_of(bytes(100)), 100)
        with pytest.raises(DigestMismatchError, match=f"{length} bytes"):
            read_all(RegistryStore(client).fetch(REPOSITORY, wanted), 200, "it")
        assert endless.count == 0


@pytest.mark.parametrize("size", [1000, 6 * MIB])
@pytest.mark.parametrize("cached", [False, True], ids=["without a cache", "with a cache"])
def test_R41_twenty_threads_read_the_same_blob_of_one_store(
    tmp_path: Path, size: int, cached: bool
) -> None:
    data = hashlib.shake_256(b"large").digest(size)
    cache = CachedContent(BlobCache(tmp_path / "cache", 256 * MIB)) if cached else None
    barrier = threading.Barrier(20)
    with lab(cache=cache) as room:
        pushed = room.behind.push(REPOSITORY, BytesBlob(data), "text/plain")

        def read(_number: int) -> bool:
            barrier.wait(10)
            return read_all(room.store.fetch(REPOSITORY, pushed), size, "it") == data

        with ThreadPoolExecutor(20) as executor:
            assert all(executor.map(read, range(20)))
        if cached:
            room.registry.forget()
            assert read_all(room.store.fetch(REPOSITORY, pushed), size, "it") == data
            assert room.registry.requests == []


def test_R41_twenty_threads_of_one_client_each_send_their_own_headers() -> None:
    barrier = threading.Barrier(20)
    with lab() as room:
        data = bytes(range(250)) * 20
        pushed = room.behind.push(REPOSITORY, BytesBlob(data), "text/plain")
        seen: list[str] = []
        lock = threading.Lock()

        def note(request: object) -> None:
            with lock:
                seen.append(request.headers["range"])  # type: ignore[attr-defined]

        room.fault("GET", "/blobs/", note)

        def read(number: int) -> None:
            blob = room.store.fetch(REPOSITORY, pushed)
            barrier.wait(10)
            with blob.open(number + 1) as stream:
                got = b"".join(iter(lambda: stream.read(65536), b""))
            assert got == data[number + 1 :]

        with ThreadPoolExecutor(20) as executor:
            list(executor.map(read, range(20)))
        assert sorted(seen) == sorted(f"bytes={number + 1}-" for number in range(20))
