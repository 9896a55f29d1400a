"""The client of one registry: authenticated requests, with their faults survived or explained."""

from __future__ import annotations

import logging
import random as _random
import re
import time
from typing import TYPE_CHECKING

from ocm_pkg.errors import AuthenticationError, InvalidReferenceError, RegistryError
from ocm_pkg.model.config_settings import HttpSettings
from ocm_pkg.store.authority import Authority
from ocm_pkg.store.delivery import Delivery
from ocm_pkg.store.exchange import NO_HEADERS, Request, shown
from ocm_pkg.store.origin import Origin, join
from ocm_pkg.store.refusal import read_refusal, refused, status_text
from ocm_pkg.store.tokens import (
    Scope,
    TokenService,
    login_command,
    login_hint,
    refused_login_hint,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ocm_pkg.model.config_credentials import Credentials
    from ocm_pkg.store.delivery import Answer
    from ocm_pkg.store.exchange import Body, Exchanger, Response
    from ocm_pkg.store.retry import Patience

__all__ = ["RegistryClient", "Scope"]

_UNAUTHORISED = 401
_FORBIDDEN = 403
_log = logging.getLogger(__name__)


def _origin_of(base_url: str) -> Origin:
    try:
        return Origin.of(base_url)
    except RegistryError:
        # Its text is about what registries say; and there may be a password in the URL.
        raise InvalidReferenceError(
            f"{shown(re.sub('//[^/]*@', '//', base_url))!r} is no address of a registry",
            hint="write [http[s]://]HOST[:PORT]",
        ) from None


def _anonymous() -> None:
    """Return no credentials."""


class RegistryClient:
    """Makes requests to one registry. Safe to use from many threads.

    ``base_url`` is ``http[s]://HOST[:PORT]``; anything else is an ``InvalidReferenceError``.
    ``credentials`` is asked once at most, when the registry wants a login; what it gives is sent to
    this origin, and to the realm that this origin itself names, alone (``TokenService`` says which
    realms are refused). ``http`` are the settings of all hosts. ``clock`` is for tokens' ends,
    ``wall`` gives seconds since 1970, ``sleep`` waits, ``random`` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        base_url: str,
        transport: Exchanger,
        *,
        credentials: Callable[[], Credentials | None] = _anonymous,
        http: HttpSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        random: Callable[[], float] = _random.random,
        wall: Callable[[], float] = time.time,
    ) -> None:
        http = http or HttpSettings()
        self.origin = _origin_of(base_url)
        self.base_url = str(self.origin)
        self._delivery = Delivery(transport, http=http, sleep=sleep, random=random, wall=wall)
        service = TokenService(self.origin, self._delivery, http=http, clock=clock, wall=wall)
        self._authority = Authority(self.origin, service, credentials, clock)

    def call(
        self,
        method: str,
        url: str,
        *,
        scope: Scope | None = None,
        expect: Collection[int] = (200,),
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        idempotent: bool = True,
        follow: bool = True,
    ) -> Response:
        """Return the response, whose status is one of ``expect``; the caller closes it.

        ``url`` is a path such as ``/v2/...``, or absolute: what is not of this registry's origin
        gets no credentials. ``scope`` is what a token must be for. Redirects are followed for GET
        and HEAD. Passing failures (429, 408, 425, 5xx, lost connections) are tried again, within
        the limits of ``RetryPolicy``; if the request is not ``idempotent``, 429 only. The body is
        opened anew for each try. A token that ends on the way is renewed once.

        Raises ``AuthenticationError`` for 401 and 403, ``RegistryError`` for any other status,
        both with what the registry said; ``TransportError`` if no answer came.
        """
        request = Request(method, join(self.base_url, url), headers or NO_HEADERS, body)
        answer = self._authorised(
            request, scope, expect, idempotent=idempotent, follow=follow and body is None
        )
        response = answer.response
        if response.status in expect:
            return response
        if response.status in (_UNAUTHORISED, _FORBIDDEN):
            raise self._denied(answer, method)
        raise refused(
            response,
            method,
            secrets=self._authority.secrets(),
            tries=answer.tries,
            why=answer.gave_up,
        )

    def patience(self) -> Patience:
        """Return the tries and waits for work of several calls that its maker tries again."""
        return self._delivery.patience(self.base_url)

    def pause(self, seconds: float) -> None:
        """Wait as ``patience`` says."""
        self._delivery.pause(seconds)

    def location(self, response: Response) -> str:
        """Return where the ``Location`` of a response leads: absolute and checked.

        Raises ``RegistryError`` if there is none, and as ``origin.join`` does. It may be of
        another origin, which ``call`` sends no credentials to.
        """
        location = response.headers.get("Location")
        if not location:
            raise RegistryError(
                f"{shown(response.url)} was answered with {status_text(response.status)}"
                " and no Location",
                status=response.status,
                hint="the registry, or a proxy before it, breaks the protocol",
            )
        return join(response.url, location)

    def _authorised(
        self,
        request: Request,
        scope: Scope | None,
        expect: Collection[int],
        *,
        idempotent: bool,
        follow: bool,
    ) -> Answer:
        own = Origin.of(request.url) == self.origin
        patience = self._delivery.patience(request.url)
        follow = follow and request.method in ("GET", "HEAD")

        def deliver(authorization: str | None) -> Answer:
            return self._delivery.deliver(
                request,
                authorization,
                patience,
                expect=expect,
                idempotent=idempotent,
                follow=follow,
            )

        _log.debug("%s %s", request.method, shown(request.url))
        sent = self._authority.header(scope) if own else None
        answer = deliver(sent)
        response = answer.response
        if response.status != _UNAUTHORISED or response.status in expect:
            return answer
        if not (own and answer.own):
            return answer
        response.close()
        return deliver(self._authority.answer(response.headers, scope, sent))

    def _denied(self, answer: Answer, method: str) -> AuthenticationError:
        response = answer.response
        said = read_refusal(response, self._authority.secrets()).text
        said = f": {said}" if said else ""
        what = f"{method} {shown(response.url)}"
        if Origin.of(response.url) != self.origin:
            return AuthenticationError(
                f"{what} was answered with {status_text(response.status)}{said}",
                hint=f"{self.origin} leads there; its credentials are not sent to others",
            )
        if self._authority.has_login:
            who, hint = "this login", refused_login_hint(self.origin)
        elif response.status == _FORBIDDEN:
            # It asked for no login, so one may not help.
            who, hint = "this", f"if it has logins: {login_command(self.origin)}"
        else:
            who, hint = "this without a login", login_hint(self.origin)
        return AuthenticationError(
            f"{self.origin} does not allow {who}: {what} ({status_text(response.status)}{said})",
            hint=hint,
        )
