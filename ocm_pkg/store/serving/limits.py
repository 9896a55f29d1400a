"""What one client, or all of them, may cost the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Sizes in bytes, times in seconds.

    ``head`` is of request line and headers, ``idle`` the time that a connection may be quiet, be
    it between two requests or in a body, ``head_seconds`` the time for the whole head. A body that
    comes or goes for longer than ``slow_seconds`` must do so at ``min_speed`` bytes a second.
    Upload sessions that nobody used for ``session_seconds`` are forgotten.
    """

    head: int = 32 * 1024
    headers: int = 100
    manifest: int = 4 * 1024 * 1024
    connections: int = 128
    sessions: int = 64
    session_seconds: float = 1800.0
    idle: float = 30.0
    head_seconds: float = 10.0
    slow_seconds: float = 20.0
    min_speed: int = 1024
    page: int = 10_000
    """How many names one page of tags or of the catalogue has at most."""
