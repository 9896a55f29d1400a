"""Several blobs at once (N08), one blob for many (R41), each byte hashed once (B02); and B05."""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import OcmPkgError, RegistryError
from ocm_pkg.fs.blob import BytesBlob, FileBlob, read_all
from ocm_pkg.fs.workers import Workers
from ocm_pkg.model import digest
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.published import Moving
from ocm_pkg.services.publish import publish
from ocm_pkg.services.transfer import transfer
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.registries import Registries
from ocm_pkg.store.repository import ComponentRepository
from ocm_pkg.store.serving import Response
from tests.fakes.components import NAME, descriptor, resource
from tests.fakes.plugins_to_install import COMPONENT, program, signed
from tests.fakes.plugins_to_install import descriptor as plugin_descriptor
from tests.fakes.plugins_to_install import resource as plugin_resource
from tests.fakes.served import served
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ocm_pkg.model.descriptor import ComponentDescriptor
    from ocm_pkg.store.serving import Request
    from tests.fakes.arena import Arena

KIB = 1024
PLUGIN = "example.com/plugins/hello"
ELSEWHERE = Platform("darwin", "arm64")
"""What is installed for another platform is not tried."""


def version(contents: Sequence[bytes]) -> tuple[ComponentDescriptor, dict[Any, BytesBlob]]:
    """Return a component version with these contents."""
    blobs = {("resources", number): BytesBlob(data) for number, data in enumerate(contents)}
    repository = ComponentRepository(MemoryStore())
    elements = [
        repository.put_blob(NAME, "1.0.0", resource(f"r{number}"), BytesBlob(data))
        for number, data in enumerate(contents)
    ]
    return descriptor(NAME, "1.0.0", elements), blobs


def distinct(count: int, size: int) -> list[bytes]:
    return [number.to_bytes(8, "big") * (size // 8) for number in range(count)]


@contextmanager
def opened(url: str) -> Iterator[ComponentRepository]:
    with Registries() as registries:
        yield ComponentRepository(registries.store_of(url))


def put(repository: ComponentRepository, contents: Sequence[bytes], moving: Moving) -> Any:
    made, blobs = version(contents)
    return publish(made, blobs, repository=repository, source="it", moving=moving)


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def slowly(_request: Request) -> None:
    time.sleep(0.02)


def both_ways(url: str, contents: Sequence[bytes], folder: Path, moving: Moving) -> list[float]:
    """Return how long it takes to send the contents, and to get them into a CTF."""

    def get() -> object:
        target = ComponentRepository(CTFStore(folder, create=True))
        return transfer(
            NAME,
            "1.0.0",
            source=repository,
            destination=target,
            repository="it",
            moving=moving,
        )

    with opened(url) as repository:
        return [timed(lambda: put(repository, contents, moving)), timed(get)]


class Crowd:
    """Answers late, and knows how many were waiting at once."""

    def __init__(self) -> None:
        self.most = self._now = 0
        self._lock = threading.Lock()

    def __call__(self, _request: Request) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.02)
        with self._lock:
            self._now -= 1


def test_N08_as_many_blobs_move_at_once_as_there_are_workers(tmp_path: Path) -> None:
    crowd, contents = Crowd(), distinct(12, KIB)
    with served(intercept=crowd) as registry:
        both_ways(f"{registry.url}/one", contents, tmp_path / "one", Moving())
        assert crowd.most == 1
        with Workers(6) as executor:
            both_ways(f"{registry.url}/many", contents, tmp_path / "many", Moving(executor))
    assert crowd.most == 6
    assert snapshot(tmp_path / "one/blobs").keys() == snapshot(tmp_path / "many/blobs").keys()


@pytest.mark.slow
def test_N08_forty_blobs_at_four_workers_take_less_time_than_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _fd: None)
    contents = distinct(40, KIB)
    with served(intercept=slowly) as registry:
        one = both_ways(f"{registry.url}/one", contents, tmp_path / "one", Moving())
        with Workers(4) as executor:
            many = both_ways(f"{registry.url}/many", contents, tmp_path / "many", Moving(executor))
    # How much less is measured, alone on the machine, by the benchmark latency-40x1MB.
    for alone, together in zip(one, many, strict=True):
        assert together < alone, (one, many)


def test_R41_one_blob_that_many_elements_have_is_moved_once(tmp_path: Path) -> None:
    contents = [b"the same for all"] * 20
    digest = digest_of(contents[0])
    with (
        served(intercept=slowly) as registry,
        ThreadPoolExecutor(20) as executor,
        opened(f"{registry.url}/one") as repository,
    ):
        heard: list[Any] = []
        done = put(repository, contents, Moving(executor, report=heard.append))
        assert [blob.digest for blob in heard] == [digest]
        assert done.blobs == tuple(heard)
        assert registry.count("PUT", digest.hex) == 1
        registry.forget()
        copied = transfer(
            NAME,
            "1.0.0",
            source=repository,
            destination=ComponentRepository(CTFStore(tmp_path / "ctf", create=True)),
            repository="it",
            moving=Moving(executor),
        )
        assert registry.count("GET", digest.hex) == 1
    assert [blob.digest for blob in copied[0].blobs] == [digest]


def test_R41_one_client_serves_twenty_threads() -> None:
    contents = distinct(20, 64 * KIB)
    with (
        served() as registry,
        opened(f"{registry.url}/one") as repository,
        ThreadPoolExecutor(20) as executor,
    ):
        put(repository, contents, Moving(executor))
        made = repository.get(NAME, "1.0.0")

        def read(number: int) -> bytes:
            element = made.component.resources[number % 20]
            return read_all(repository.blob(made, element), 1024 * KIB, "it")

        for number, data in enumerate(executor.map(read, range(100))):
            assert data == contents[number % 20]


def test_one_blob_that_several_components_have_is_sent_once_and_then_mounted() -> None:
    source = ComponentRepository(MemoryStore())
    names = [f"ocm.test/c{number}" for number in range(4)]
    references = []
    for name in names:
        element = source.put_blob(name, "1.0.0", resource(), BytesBlob(b"shared"))
        made = descriptor(name, "1.0.0", [element])
        value = made.to_json()
        value["component"]["componentReferences"] = references
        made = type(made).from_json(value, name=name)
        source.add(made)
        references = [{"name": "child", "componentName": name, "version": "1.0.0"}]
    with (
        served() as registry,
        opened(f"{registry.url}/all") as repository,
        Workers() as executor,
    ):
        done = transfer(
            names[-1],
            "1.0.0",
            source=source,
            destination=repository,
            repository="it",
            recursive=True,
            moving=Moving(executor),
        )
        assert registry.count("POST", "mount=") == 3
        assert registry.count("PUT", digest_of(b"shared").hex) == 1
        for one in done:
            found = repository.get(one.component, "1.0.0")
            blob = repository.blob(found, found.component.resources[0])
            assert read_all(blob, 100, "it") == b"shared"


class Refusing:
    """Refuses uploads of some contents; the first of them is refused last."""

    def __init__(self, contents: Sequence[bytes], refused: Sequence[int]) -> None:
        self.digests = {digest_of(contents[number]).hex: number for number in refused}
        self.first = min(refused)
        self.later = threading.Event()
        self.begun: list[str] = []

    def __call__(self, request: Request) -> Response | None:
        if request.method == "HEAD":
            self.begun.append(request.path)
        number = next((n for digest, n in self.digests.items() if digest in request.target), None)
        if request.method != "PUT" or number is None:
            return None
        if number == self.first:
            self.later.wait(5)
        else:
            self.later.set()
        return Response.error(403, "DENIED", f"number {number} is refused")


def test_the_first_error_in_the_order_is_told_and_what_has_not_begun_never_does() -> None:
    contents = distinct(60, KIB)
    refusing = Refusing(contents, [1, 3])
    with (
        served(intercept=refusing) as registry,
        opened(f"{registry.url}/one") as repository,
        Workers(4) as executor,
    ):
        heard: list[Any] = []
        with pytest.raises(OcmPkgError, match="number 1 is refused"):
            put(repository, contents, Moving(executor, report=heard.append))
        assert [str(blob.digest) for blob in heard] == [str(digest_of(contents[0]))]
        assert len(refusing.begun) < 20
        assert repository.versions(NAME) == []


class Counted(FileBlob):
    """Counts how many bytes are read of a file."""

    total = 0

    def open(self, offset: int = 0) -> Any:  # type: ignore[override]
        stream = super().open(offset)
        readinto = stream.readinto  # type: ignore[attr-defined]

        def counting(view: memoryview) -> int:
            count = readinto(view)
            type(self).total += count
            return int(count)

        stream.readinto = counting  # type: ignore[attr-defined]
        return stream


@pytest.mark.parametrize("size", [100 * KIB, 9 * 1024 * KIB])
def test_B02_each_byte_is_hashed_once_a_file_is_read_once_and_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    hashed = _count_hashing(monkeypatch)
    data = bytes(range(256)) * (size // 256)
    (tmp_path / "file").write_bytes(data)
    made, _blobs = version([data])
    Counted.total = 0
    file = Counted(tmp_path / "file", None, size, digest_of(data))
    with served() as registry, opened(f"{registry.url}/one") as repository, Workers() as executor:
        moving = Moving(executor)
        hashed.bytes = 0
        publish(made, {("resources", 0): file}, repository=repository, source="it", moving=moving)
        assert size <= hashed.bytes < size + 20 * KIB
        assert Counted.total <= 2 * size
        hashed.bytes = 0
        target = ComponentRepository(CTFStore(tmp_path / "ctf", create=True))
        ends = {"source": repository, "destination": target}
        transfer(NAME, "1.0.0", **ends, repository="it", moving=moving)
        assert size <= hashed.bytes < size + 20 * KIB
        assert registry.count("GET", digest_of(data).hex) == 1


class Hashed:
    bytes = 0


def _count_hashing(monkeypatch: pytest.MonkeyPatch) -> Hashed:
    """Count the bytes that are hashed, but for those of the server in this process."""
    counted = Hashed()

    class Hasher:
        def __init__(self, name: str, data: Any = b"", **options: Any) -> None:
            self._inner = hashlib.new(name, **options)
            self._is_server = threading.current_thread().name == "client"
            self.update(data)

        def update(self, data: Any) -> None:
            if not self._is_server:
                counted.bytes += len(data)
            self._inner.update(data)

        def hexdigest(self) -> str:
            return self._inner.hexdigest()

    monkeypatch.setattr(digest, "hashlib", SimpleNamespace(new=Hasher))
    return counted


def offered(repository: ComponentRepository, number: str) -> None:
    """Publish a signed plugin."""
    data = program(number)
    element = plugin_resource(data, ELSEWHERE)
    made = signed(plugin_descriptor(number, [element]))
    repository.put_blob(COMPONENT, number, made.component.resources[0], BytesBlob(data))
    repository.add(made)


@pytest.mark.parametrize("named", [":1.0.0", ""])
def test_B05_an_install_of_what_is_there_asks_for_one_manifest_and_no_content(
    arena: Arena, named: str
) -> None:
    key = arena.key("test-key-a.public.pem")
    with served() as registry:
        with opened(f"{registry.url}/base") as repository:
            offered(repository, "1.0.0")
        install = ("install", f"{registry.url}/base//{COMPONENT}{named}", "--key", key)
        install += ("--platform", str(ELSEWHERE))
        assert "installed hello 1.0.0" in arena.accepted(*install).out
        before = snapshot(arena.base / "home")
        registry.forget()
        assert "already installed: hello 1.0.0" in arena.accepted(*install).out
        assert registry.count("GET", "/manifests/") + registry.count("HEAD", "/manifests/") <= 1
        assert registry.count("GET", digest_of(program("1.0.0")).hex) == 0
        assert snapshot(arena.base / "home") == before
        with opened(f"{registry.url}/base") as repository:
            offered(repository, "1.1.0")
        if not named:
            assert "installed hello 1.1.0" in arena.accepted(*install).out


def test_an_error_of_the_registry_is_the_one_of_the_command(arena: Arena) -> None:
    def denied(request: Request) -> Response | None:
        if request.method == "POST":
            return Response.error(400, "DENIED", "no uploads today")
        return None

    arena.constructor()
    with served(intercept=denied) as registry:
        ended = arena.refused("add", "cv", "-r", registry.url, code=5, says="no uploads today")
        assert ended.error == RegistryError.code


@pytest.mark.parametrize("size", [100 * KIB, 9 * 1024 * KIB])
def test_B02_every_command_hashes_each_byte_once(
    arena: Arena, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    hashed = _count_hashing(monkeypatch)
    arena.file("file", b"#!/bin/sh\n" + bytes(range(256)) * (size // 256))
    source = {"type": "file", "path": "file", "mediaType": "application/octet-stream"}
    plugin = {"name": "hello", "type": "ocmPlugin", "extraIdentity": ELSEWHERE.identity}
    arena.constructor(resources=[{**plugin, "input": source}])
    public = arena.key("test-key-a.public.pem")
    with served() as registry:
        ref = f"{registry.url}//{PLUGIN}:1.0.0"
        for command in (
            ("add", "cv"),
            ("add", "cv", "-r", registry.url),
            ("sign", "cv", ref, "--key", arena.key("test-key-a.private.pem")),
            ("verify", "cv", ref, "--key", public),
            ("download", "resource", ref, "--identity", "name=hello"),
            ("transfer", "cv", ref, "./new"),
            ("transfer", "cv", f"./new//{PLUGIN}:1.0.0", f"{registry.url}/other"),
            ("install", ref, "--key", public, "--platform", str(ELSEWHERE)),
        ):
            hashed.bytes = 0
            arena.accepted(*command)
            assert hashed.bytes < size + 40 * KIB, (command, hashed.bytes / size)
            assert hashed.bytes >= size or command[0] in {"sign", "transfer"}
