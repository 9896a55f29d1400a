"""When a plugin has had nothing to do for long enough to end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class IdleTracker:
    """Counts requests in progress, and how long there has been none.

    ``clock`` returns nanoseconds and never goes back. Once ``close`` or ``close_if_idle`` said
    yes, ``begin`` refuses: so a request is either carried out or known not to have been.
    """

    def __init__(self, timeout_ns: int, clock: Callable[[], int]) -> None:
        self._timeout_ns = timeout_ns
        self._clock = clock
        self._changed = threading.Condition()
        self._active = 0
        self._since = clock()
        self._closed = False

    def begin(self) -> bool:
        """Count a request in; False if the plugin is ending and must not start it."""
        with self._changed:
            if self._closed:
                return False
            self._active += 1
            return True

    def end(self) -> None:
        """Count a request out; the idle time starts anew when it was the last."""
        with self._changed:
            self._active -= 1
            self._since = self._clock()
            self._changed.notify_all()

    def remaining(self) -> float:
        """Return the seconds until the plugin may end, if no request comes; 0 if it may now.

        While a request is in progress that is the whole idle time.
        """
        with self._changed:
            idle = 0 if self._active else self._clock() - self._since
            return max(0, self._timeout_ns - idle) / 1e9

    def close_if_idle(self) -> bool:
        """End, if there has been nothing to do for the whole idle time; say whether so."""
        with self._changed:
            if self._active or self._clock() - self._since < self._timeout_ns:
                return False
            self._closed = True
            return True

    def close(self, grace: float) -> bool:
        """End: let no request begin, wait ``grace`` seconds for those in progress.

        Returns whether all of them came to their end.
        """
        with self._changed:
            self._closed = True
            return self._changed.wait_for(lambda: not self._active, grace)
