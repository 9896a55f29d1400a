"""How long an exchange may take: finite limits from the settings, and a least speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocm_pkg.model.config_settings import HttpSettings

LEAST_SPEED = 1024
"""Bytes a second below which a transfer counts as standing still."""

_SECOND = 1_000_000_000
_TIMEOUT = 30.0
_DIAL = 8.0
_IDLE = 90.0
_KEEP_ALIVE = 30.0
_STORING = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits in seconds; none of them is endless, and 0 in the settings means the default.

    ``timeout`` bounds what the reference bounds with it, connecting, waiting for the answer and
    reading a document whole, each by itself. A blob may take as long as it needs, but in each
    ``timeout`` of waiting for the network it must move ``LEAST_SPEED`` on average. An answer to
    content that was sent may take longer (``stored``): a registry hashes it first.
    """

    timeout: float
    dial: float
    handshake: float
    answer: float
    stored: float
    idle: float
    keep_alive: float

    @classmethod
    def of(cls, settings: HttpSettings) -> Limits:
        """Return the limits that the settings of a host mean."""
        timeout = (settings.timeout or 0) / _SECOND or _TIMEOUT
        answer = (settings.header_timeout or 0) / _SECOND
        return cls(
            timeout=timeout,
            dial=(settings.dial_timeout or 0) / _SECOND or min(_DIAL, timeout),
            handshake=(settings.handshake_timeout or 0) / _SECOND or min(_DIAL, timeout),
            answer=answer or timeout,
            stored=answer or _STORING * timeout,
            idle=(settings.idle_timeout or 0) / _SECOND or _IDLE,
            keep_alive=(settings.keep_alive or 0) / _SECOND or _KEEP_ALIVE,
        )


class TooSlowError(Exception):
    """A transfer moves less than ``LEAST_SPEED``."""


class Pace:
    """Watches that a transfer moves; only time spent on the network counts, not its user's."""

    def __init__(self, window: float, clock: Callable[[], float]) -> None:
        self._window = window
        self._clock = clock
        self._count = 0
        self._waited = 0.0
        self._started = 0.0

    def start(self) -> None:
        """Start to wait for the network."""
        self._started = self._clock()

    def moved(self, count: int) -> None:
        """Take note of what moved since ``start``; ``TooSlowError`` if that is too little."""
        self._count += count
        self._waited += self._clock() - self._started
        if self._waited < self._window:
            return
        if self._count < LEAST_SPEED * self._waited:
            raise TooSlowError
        self._count, self._waited = 0, 0.0
