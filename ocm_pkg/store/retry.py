"""When a request is made again, and how long to wait before."""

from __future__ import annotations

import math
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocm_pkg.model.config_settings import HttpSettings
    from ocm_pkg.store.exchange import Headers

TOO_MANY = 429
RETRIED = frozenset({408, 425, TOO_MANY, 500, 502, 503, 504})
"""What a server answers that may answer otherwise in a moment."""

_NANOSECONDS = 1e9
_MOST_TRIES = 10
_EXTRA_TRIES = 5
_MOST_CREDIT = 10
_SECONDS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often one call is tried, and its waits in seconds.

    The first wait is ``first`` or a little less, each other one four times that, none is over
    ``longest``. A wait that the server asks for is kept to exactly, or the call fails: at once if
    it is over ``asked``. All waits of a call together stay below ``total``.
    """

    tries: int = 3
    first: float = 0.2
    longest: float = 3.0
    asked: float = 20.0
    total: float = 25.0

    @classmethod
    def of(cls, http: HttpSettings) -> RetryPolicy:
        """Return what the settings of a host say: retries, waits, and the time for all of it."""
        own = cls()
        return cls(
            own.tries if http.max_retries is None else min(http.max_retries + 1, _MOST_TRIES),
            _seconds(http.min_wait, own.first),
            _seconds(http.max_wait, own.longest),
            _seconds(http.max_wait, own.asked),
            min(own.total, _seconds(http.timeout, own.total)),
        )

    def back_off(self, failures: int, chance: float) -> float:
        """Return the wait after so many failures; ``chance`` (0 to 1) spreads it."""
        whole = self.first * 4.0 ** min(failures - 1, 20)
        return min(whole, self.longest) * (0.5 + chance / 2)


class Credit:
    """Tries that a registry has earned by answering when it was asked again.

    One that fails at random is worth more tries than one that is down. Safe for many threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._saved = 0

    def earn(self) -> None:
        """Note a call that succeeded after it had failed."""
        with self._lock:
            self._saved = min(self._saved + 1, _MOST_CREDIT)

    def spend(self) -> bool:
        """Whether there is a try left, which is used up by this."""
        with self._lock:
            if not self._saved:
                return False
            self._saved -= 1
            return True


class Patience:
    """What is left of the tries and waits of one call."""

    def __init__(self, policy: RetryPolicy, credit: Credit, random: Callable[[], float]) -> None:
        self._policy = policy
        self._credit = credit
        self._random = random
        self._waited = 0.0
        self.failures = 0

    def wait(self, asked: float | None = None) -> float | None:
        """Note a failure; return how many seconds to wait before the next try, None for no more.

        ``asked`` is what the server wants.
        """
        self.failures += 1
        if not self._may_try():
            return None
        seconds = asked or self._policy.back_off(self.failures, self._random())
        if asked and asked > self._policy.asked:
            return None
        if self._waited + seconds > self._policy.total:
            return None
        self._waited += seconds
        return seconds

    def succeeded(self) -> None:
        """Note that the call was answered."""
        if self.failures:
            self._credit.earn()

    def _may_try(self) -> bool:
        if self.failures < self._policy.tries:
            return True
        # A policy of one try is somebody's wish.
        extra = self._policy.tries > 1 and self.failures < self._policy.tries + _EXTRA_TRIES
        return extra and self._credit.spend()


def retry_after(headers: Headers, wall: float) -> float | None:
    """Return how many seconds the server asks to wait; None if it says nothing that makes sense.

    A date counts from the server's own ``Date``, else from ``wall`` (seconds since 1970).
    """
    value = (headers.get("Retry-After") or "").strip()
    if _SECONDS.fullmatch(value):
        return float(value) if len(value) < 16 else math.inf
    then = _timestamp(value)
    if then is None:
        return None
    now = server_time(headers)
    return max(0.0, then - (wall if now is None else now))


def server_time(headers: Headers) -> float | None:
    """Return the server's clock as seconds since 1970, if it sent one."""
    return _timestamp(headers.get("Date") or "")


def _timestamp(value: str) -> float | None:
    if not value[:1].isalpha() or len(value) > 100:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None


def _seconds(nanoseconds: int | None, default: float) -> float:
    return default if nanoseconds is None else nanoseconds / _NANOSECONDS
