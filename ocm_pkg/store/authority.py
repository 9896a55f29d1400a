"""How one client logs in at its registry: answers challenges, remembers what was asked for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ocm_pkg.errors import AuthenticationError, OcmPkgError, escaped
from ocm_pkg.store.challenge import BASIC, BEARER, granted, parse_challenges, strongest
from ocm_pkg.store.tokens import TokenCache, basic, login_hint, refused_login_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ocm_pkg.model.config_credentials import Credentials
    from ocm_pkg.store.challenge import Challenge, Grants
    from ocm_pkg.store.exchange import Headers
    from ocm_pkg.store.origin import Origin
    from ocm_pkg.store.tokens import Scope, Token, TokenService

_BEARER = "Bearer "
_MOST_SCHEMES = 5


class Authority:
    """Makes the ``Authorization`` header of requests to one registry. Safe for many threads.

    ``credentials`` is asked once, at the registry's first challenge.
    """

    def __init__(
        self,
        registry: Origin,
        service: TokenService,
        credentials: Callable[[], Credentials | None],
        clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._service = service
        self._credentials = credentials
        self._tokens = TokenCache(clock)
        self._lock = threading.Lock()
        self._secret: Mapping[str, str] | None = None
        self._problem: OcmPkgError | None = None
        self._wanted: Challenge | None = None
        self._denied: dict[Grants, AuthenticationError] = {}

    @property
    def has_login(self) -> bool:
        """Whether there are credentials to show, as far as that was asked for."""
        return bool(self._secret)

    def secrets(self) -> tuple[str, ...]:
        """Return all that must not be in a message."""
        secret = self._secret or {}
        own = [value for name, value in secret.items() if name != "username"]
        if "password" in secret:
            header = basic(secret.get("username", ""), secret["password"])
            own.append(header.removeprefix("Basic "))
        return (*own, *self._tokens.texts())

    def header(self, scope: Scope | None) -> str | None:
        """Return the header to send without being asked; None if nothing was asked for so far."""
        wanted = self._wanted
        if wanted is None:
            return None
        if wanted.scheme == BASIC:
            return self._basic()
        return self._bearer(wanted, _grants(scope))

    def answer(self, headers: Headers, scope: Scope | None, sent: str | None) -> str:
        """Return the header that a 401 with ``headers`` asks for, after ``sent`` was refused.

        Raises ``AuthenticationError`` if there is nothing new to send.
        """
        challenges = parse_challenges(headers.all("WWW-Authenticate"))
        wanted = strongest(challenges)
        if wanted is None:
            raise self._unknown(challenges)
        if wanted.scheme == BASIC:
            header = self._basic()
        else:
            asked = granted(wanted.parameters.get("scope", ""))
            refused = sent.removeprefix(_BEARER) if sent and sent.startswith(_BEARER) else ""
            header = self._bearer(wanted, _grants(scope) | asked, refused)
        if header == sent:
            raise AuthenticationError(
                f"{self._registry} does not take the login",
                hint=refused_login_hint(self._registry),
            )
        self._wanted = wanted
        return header

    def _basic(self) -> str:
        secret = self._known()
        if not secret.get("username") or "password" not in secret:
            what = "only a token is stored" if secret else "none are stored"
            raise AuthenticationError(
                f"{self._registry} wants a user name and a password, and {what}",
                hint=login_hint(self._registry),
            )
        return basic(secret["username"], secret["password"])

    def _bearer(self, challenge: Challenge, grants: Grants, refused: str = "") -> str:
        secret = self._known()
        if own := secret.get("accessToken"):
            return _BEARER + own

        def fetch() -> Token:
            if denied := self._denied.get(grants):
                # The credentials stay the same: asking again could lock the account.
                raise AuthenticationError(denied.message, hint=denied.hint)
            try:
                return self._service.fetch(challenge, grants, secret)
            except AuthenticationError as error:
                self._denied[grants] = error
                raise

        return _BEARER + self._tokens.get(grants, fetch, refused)

    def _known(self) -> Mapping[str, str]:
        with self._lock:
            if self._problem is not None:
                raise self._problem
            if self._secret is None:
                self._secret = self._asked()
            return self._secret

    def _asked(self) -> Mapping[str, str]:
        try:
            found = self._credentials()
        except OcmPkgError as error:
            # A helper that hangs must not do so for each thread.
            self._problem = error
            raise
        properties = dict(found.properties) if found else {}
        if token := properties.pop("identityToken", ""):
            properties.setdefault("refreshToken", token)
        return properties

    def _unknown(self, challenges: tuple[Challenge, ...]) -> AuthenticationError:
        names = dict.fromkeys(escaped(one.scheme, 40) for one in challenges)
        if not names:
            why = "and does not say how"
        elif BEARER in names:
            why = "with Bearer, and names no realm to get a token from"
        else:
            why = f"with {', '.join(list(names)[:_MOST_SCHEMES])}, which ocm-pkg does not know"
        return AuthenticationError(
            f"{self._registry} wants a login {why}",
            hint="check the URL; registries use Bearer or Basic",
        )


def _grants(scope: Scope | None) -> Grants:
    return frozenset() if scope is None else scope.grants
