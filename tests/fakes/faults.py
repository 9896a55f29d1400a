"""Faults of a registry: which requests it answers otherwise, and how often."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from tests.fakes.registrystore import connected
from tests.fakes.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.store.registry import RegistryStore
    from ocm_pkg.store.serving import Request, Response
    from tests.fakes.served import Served


@dataclass
class _Fault:
    method: str
    part: str
    answer: Any
    left: int


class Faults:
    """The fault switch of a served registry: the first fault that fits a request answers it."""

    def __init__(self) -> None:
        self._faults: list[_Fault] = []
        self._lock = Lock()

    def add(self, method: str, part: str, answer: Any, times: int = 1000) -> None:
        """Answer requests with this method whose target has ``part``, so many times.

        ``answer`` is a ``Response``, or what is called with the request; None is as always.
        """
        self._faults.append(_Fault(method, part, answer, times))

    def clear(self) -> None:
        """Answer as always again."""
        self._faults.clear()

    def __call__(self, request: Request) -> Response | None:
        with self._lock:
            for fault in self._faults:
                if fault.method == request.method and fault.part in request.target and fault.left:
                    fault.left -= 1
                    break
            else:
                return None
        return fault.answer(request) if callable(fault.answer) else fault.answer


class Lab:
    """A registry that can be made to fail, the store that is behind it, and one that asks it."""

    def __init__(self, registry: Served, faults: Faults, store: RegistryStore) -> None:
        self.registry = registry
        self.faults = faults
        self.store = store
        self.fault = faults.add

    @property
    def behind(self) -> Any:
        """The store that the registry serves."""
        return self.registry.store

    @property
    def asked(self) -> list[str]:
        """The requests so far, like ``GET blobs/sha256:...``, without the repository."""
        return [f"{method} {_short(target)}" for method, target in self.registry.requests]

    def methods(self) -> list[str]:
        """The methods of the requests so far."""
        return [method for method, _target in self.registry.requests]


def _short(target: str) -> str:
    for kind in ("/blobs/", "/manifests/", "/tags/", "/referrers/"):
        _name, found, rest = target.partition(kind)
        if found:
            return kind[1:] + rest
    return target


@contextmanager
def lab(behind: Any = None, **options: Any) -> Iterator[Lab]:
    """Give a registry on loopback with a fault switch, and a store connected to it."""
    faults = Faults()
    with served(behind, intercept=faults) as registry, connected(registry.url, **options) as store:
        yield Lab(registry, faults, store)
