"""How long a plugin may take and how much it may say, with the defaults."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Limits of one call: seconds to connect and in all; bytes and counts of an answer."""

    connect: float = 10.0
    call: float = 600.0
    header_bytes: int = 64 << 10
    header_count: int = 100
    interim_answers: int = 8
    body: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a plugin, in seconds and bytes.

    ``probe`` and ``probe_output`` bound its answer to ``capabilities``, ``start`` the time until
    it is ready, ``grace`` the time between SIGTERM and SIGKILL; ``client`` is for each call.
    """

    probe: float = 10.0
    probe_output: int = 8 << 20
    start: float = 30.0
    grace: float = 5.0
    client: ClientLimits = field(default_factory=ClientLimits)
