"""The states of one plugin process, and the moves between them; pure.

    NEW ──start──> STARTING ──ready──> RUNNING ──stop──> STOPPING ──gone──> STOPPED
     ^                │                   │                                   │
     │             broken               gone (exit 0: STOPPED, else CRASHED)  │
     │                v                   v                                   │
     │             CRASHED <──────────────┘            start (again) <────────┘
     └─ every state ──close──> CLOSED, which nothing leaves

An exit with status 0 is a plugin that left because it was idle: it is started again as often as
it is needed. A crash is forgiven once; the second one without a good answer in between is final.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from ocm_pkg.errors import OcmPkgError


class State(StrEnum):
    """Where a plugin process is in its life."""

    NEW = "new"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    CRASHED = "crashed"
    CLOSED = "closed"


class Event(StrEnum):
    """What happens to a plugin process."""

    START = "start"
    READY = "ready"
    BROKEN = "broken"
    STOP = "stop"
    GONE = "gone"
    DIED = "died"
    CLOSE = "close"


MOVES: dict[tuple[State, Event], State] = {
    (State.NEW, Event.START): State.STARTING,
    (State.STOPPED, Event.START): State.STARTING,
    (State.CRASHED, Event.START): State.STARTING,
    (State.STARTING, Event.READY): State.RUNNING,
    (State.STARTING, Event.BROKEN): State.CRASHED,
    (State.RUNNING, Event.STOP): State.STOPPING,
    (State.RUNNING, Event.GONE): State.STOPPED,
    (State.RUNNING, Event.DIED): State.CRASHED,
    (State.STOPPING, Event.GONE): State.STOPPED,
    (State.STOPPING, Event.DIED): State.STOPPED,
    **{(state, Event.CLOSE): State.CLOSED for state in State},
}
"""Every allowed move; a process that dies while it is being stopped has stopped."""

_CRASHES_FORGIVEN = 1


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """A state, the number of starts so far, and the crashes since the last good answer."""

    state: State = State.NEW
    starts: int = 0
    crashes: int = 0

    def after(self, event: Event) -> Lifecycle:
        """Return the life after ``event``; a move that is not in the table is refused."""
        try:
            state = MOVES[self.state, event]
        except KeyError:
            raise OcmPkgError(f"a plugin that is {self.state} cannot {event}") from None
        return replace(
            self,
            state=state,
            starts=self.starts + (event is Event.START),
            crashes=self.crashes + (state is State.CRASHED),
        )

    def answered(self) -> Lifecycle:
        """Return the life after a good answer: earlier crashes are forgiven."""
        return replace(self, crashes=0) if self.crashes else self

    @property
    def may_start(self) -> bool:
        """Whether a start is allowed now: not running, not closed, not crashed too often."""
        return (self.state, Event.START) in MOVES and self.crashes <= _CRASHES_FORGIVEN
