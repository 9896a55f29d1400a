"""Requests made until they are answered: redirects followed, passing failures tried again."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ocm_pkg.errors import RegistryError, TransportError
from ocm_pkg.store.exchange import ExchangeError, shown
from ocm_pkg.store.origin import Origin, join
from ocm_pkg.store.retry import RETRIED, TOO_MANY, Credit, Patience, RetryPolicy, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ocm_pkg.model.config_settings import HttpSettings
    from ocm_pkg.store.exchange import Exchanger, Request, Response

MAX_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, how often its request was made, and where that was in the end.

    ``own`` says whether the way there stayed in the first request's origin. ``gave_up`` is why
    no further try was made, if the server asked for one.
    """

    response: Response
    tries: int
    own: bool
    gave_up: str = ""


class Delivery:
    """Makes requests for one client. Safe for many threads.

    ``clock`` of the waits is ``sleep``; ``wall`` gives seconds since 1970, ``random`` numbers
    from 0 to 1.
    """

    def __init__(
        self,
        transport: Exchanger,
        *,
        http: HttpSettings,
        sleep: Callable[[float], object],
        random: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._transport = transport
        self._http = http
        self._sleep = sleep
        self._random = random
        self._wall = wall
        self._credit = Credit()

    def patience(self, url: str) -> Patience:
        """Return the tries and waits for one call to a host."""
        settings = self._http.for_host(Origin.of(url).address)
        return Patience(RetryPolicy.of(settings), self._credit, self._random)

    def pause(self, seconds: float) -> None:
        """Wait."""
        self._sleep(seconds)

    def deliver(
        self,
        request: Request,
        authorization: str | None,
        patience: Patience,
        *,
        expect: Collection[int] = (),
        idempotent: bool = True,
        follow: bool = True,
    ) -> Answer:
        """Return the answer, whatever its status.

        ``authorization`` goes to the request's own origin, and no more once a redirect has left
        it. Statuses of ``expect`` are final. A request that is not ``idempotent`` is made again
        only when the server refused to look at it (429).
        """
        first, own = Origin.of(request.url), True
        here = request
        for _hop in range(MAX_REDIRECTS + 1):
            sent = here
            if own and authorization:
                sent = replace(here, headers={**here.headers, "Authorization": authorization})
            answer = self._persist(sent, patience, expect, idempotent=idempotent)
            response = answer.response
            location = response.headers.get("Location")
            if (
                response.status not in _REDIRECTS
                or response.status in expect
                or not (follow and location)
            ):
                return replace(answer, own=own)
            response.close()
            here = replace(here, url=join(here.url, location))
            own = own and Origin.of(here.url) == first
            _log.debug("redirected to %s", shown(here.url))
        raise RegistryError(
            f"{request.method} {shown(request.url)} was redirected more than {MAX_REDIRECTS} times",
            hint="the registry, or a proxy before it, is set up wrongly",
        )

    def _persist(
        self, request: Request, patience: Patience, expect: Collection[int], *, idempotent: bool
    ) -> Answer:
        while True:
            try:
                response = self._transport.send(request)
            except TransportError as error:
                lost = idempotent and isinstance(error, ExchangeError) and error.lost
                seconds = patience.wait() if lost else None
                if seconds is None:
                    raise
            else:
                status = response.status
                again = status in RETRIED and status not in expect
                if not again or not (idempotent or status == TOO_MANY):
                    patience.succeeded()
                    return Answer(response, patience.failures + 1, own=True)
                asked = retry_after(response.headers, self._wall())
                seconds = patience.wait(asked)
                if seconds is None:
                    why = "" if asked is None else f"asked to wait {_duration(asked)}"
                    return Answer(response, patience.failures, own=True, gave_up=why)
                response.close()
            _log.debug("trying %s %s again", request.method, shown(request.url))
            self._sleep(seconds)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 172_800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.0f} days" if seconds < 1e9 else "for ever"
