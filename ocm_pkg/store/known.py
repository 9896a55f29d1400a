"""What a registry said a moment ago about its blobs, so that it isn't asked twice."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocm_pkg.model.digest import Digest

ValueT = TypeVar("ValueT")

MOST = 4096
LIFETIME = 60.0
"""Seconds for which a blob that was there is taken to be there still."""


class Known(Generic[ValueT]):
    """A bounded memory of things said about blobs; they are forgotten after ``LIFETIME``."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._values: OrderedDict[tuple[str, Digest], tuple[float, ValueT]] = OrderedDict()

    def put(self, repository: str, digest: Digest, value: ValueT) -> None:
        """Keep what was said of a blob now."""
        with self._lock:
            self._values[repository, digest] = (self._clock(), value)
            self._values.move_to_end((repository, digest))
            if len(self._values) > MOST:
                self._values.popitem(last=False)

    def get(self, repository: str, digest: Digest) -> ValueT | None:
        """Return what was said, if it is not too long ago."""
        with self._lock:
            when, value = self._values.get((repository, digest), (None, None))
            if when is None or self._clock() - when > LIFETIME:
                return None
            return value

    def pop(self, repository: str, digest: Digest) -> ValueT | None:
        """Return what was said, and forget it."""
        value = self.get(repository, digest)
        with self._lock:
            self._values.pop((repository, digest), None)
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
