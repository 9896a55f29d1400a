"""Tokens of a registry: what they are for, where they come from, how long they are good.

The protocol is that of the distribution project (its token and OAuth 2 specifications).
"""

from __future__ import annotations

import base64
import math
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from ocm_pkg.errors import AuthenticationError, InvalidDocumentError, RegistryError, escaped
from ocm_pkg.model.jsontext import Limits, parse_json
from ocm_pkg.store.challenge import scope_texts
from ocm_pkg.store.exchange import Body, Request, shown
from ocm_pkg.store.origin import Origin
from ocm_pkg.store.refusal import read_refusal, refused, status_text
from ocm_pkg.store.retry import server_time

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from ocm_pkg.model.config_settings import HttpSettings
    from ocm_pkg.model.document import JSONValue
    from ocm_pkg.store.challenge import Challenge, Grants
    from ocm_pkg.store.delivery import Answer, Delivery

MAX_ANSWER = 1024 * 1024
DEFAULT_LIFETIME = 60.0

_LONGEST_LIFETIME = 24 * 3600.0
_MARGIN, _MARGIN_PART = 10.0, 0.1
_NO_OAUTH = frozenset({404, 405, 501})
_DENIED = frozenset({400, 401, 403})
_TOKEN = re.compile(r"[\x21-\x7e]+")
_TOKEN_USER = "<token>"  # noqa: S105 - the name that says that the secret is a token
_CLIENT = "ocm-pkg"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a request needs: actions (``pull``, ``push``, ``delete``) on a repository.

    ``also`` is what it needs elsewhere, as the source of a mount.
    """

    repository: str
    actions: Collection[str]
    also: tuple[Scope, ...] = ()
    kind: str = "repository"

    @classmethod
    def catalog(cls) -> Scope:
        """Return the scope of the list of repositories."""
        return cls("catalog", ("*",), kind="registry")

    @property
    def grants(self) -> Grants:
        """Every single action that it stands for."""
        resource = f"{self.kind}:{self.repository}"
        own = frozenset((resource, action) for action in self.actions)
        return own.union(*(one.grants for one in self.also))


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, and until when (by the clock of its client) it may be sent."""

    text: str = field(repr=False)
    until: float


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: Token | None = None


class TokenCache:
    """The tokens of one identity at one registry, by what they are for. Safe for many threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._slots: dict[Grants, _Slot] = {}

    def get(self, grants: Grants, fetch: Callable[[], Token], refused: str = "") -> str:
        """Return a token for all of ``grants``, from ``fetch`` if none is known.

        Threads that need the same wait for one ``fetch``. ``refused`` is a token that the
        registry does not take any more; it is forgotten.
        """
        with self._lock:
            slot = self._slots.setdefault(grants, _Slot())
        with slot.lock:
            if refused:
                self._forget(refused)
            known = self._known(grants)
            if known is None:
                slot.token = known = fetch()
            return known.text

    def texts(self) -> tuple[str, ...]:
        """Return all tokens, so that they can be left out of messages."""
        return tuple(token.text for _, token in self._tokens())

    def _known(self, grants: Grants) -> Token | None:
        now = self._clock()
        fit = (one for covered, one in self._tokens() if grants <= covered and now < one.until)
        return next(fit, None)

    def _forget(self, text: str) -> None:
        with self._lock:
            for slot in self._slots.values():
                if slot.token is not None and slot.token.text == text:
                    slot.token = None

    def _tokens(self) -> Iterator[tuple[Grants, Token]]:
        with self._lock:
            found = [(grants, slot.token) for grants, slot in self._slots.items()]
        return ((grants, token) for grants, token in found if token is not None)


class TokenService:
    """Asks the realms of a registry's challenges for tokens.

    A realm that is plain http while the registry is https, or that is this very machine or
    link-local while the registry is not, is sent nothing, unless the user knows it: its
    ``HOST:PORT`` is one of the ``hosts`` of ``http.config.ocm.software`` in the configuration
    (an empty entry will do).
    """

    def __init__(
        self,
        registry: Origin,
        delivery: Delivery,
        *,
        http: HttpSettings,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._delivery = delivery
        self._http = http
        self._clock = clock
        self._wall = wall

    def fetch(self, challenge: Challenge, grants: Grants, secret: Mapping[str, str]) -> Token:
        """Return a new token; anonymous if ``secret`` has nothing to show.

        Raises ``AuthenticationError`` if there is none for this user, ``RegistryError`` for an
        answer that is no token.
        """
        realm = challenge.parameters["realm"]
        self._check_realm(realm)
        service, scopes = challenge.parameters.get("service", ""), scope_texts(grants)
        if secret.get("refreshToken"):
            answer = self._by_refresh_token(realm, service, scopes, secret["refreshToken"])
            if answer.response.status not in _NO_OAUTH:
                return self._read(answer, realm, secret)
            answer.response.close()
        query = [("service", service)] if service else []
        query += [("scope", scope) for scope in scopes]
        request = Request("GET", _with_query(realm, query))
        return self._read(self._deliver(request, _basic(secret)), realm, secret)

    def _by_refresh_token(
        self, realm: str, service: str, scopes: tuple[str, ...], refresh_token: str
    ) -> Answer:
        form = {
            "grant_type": "refresh_token",
            "service": service,
            "client_id": _CLIENT,
            "scope": " ".join(scopes),
            "refresh_token": refresh_token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = Body.of(urlencode(form).encode())
        return self._deliver(Request("POST", realm, headers, body), None)

    def _deliver(self, request: Request, authorization: str | None) -> Answer:
        patience = self._delivery.patience(request.url)
        follow = request.method == "GET"
        return self._delivery.deliver(request, authorization, patience, follow=follow)

    def _check_realm(self, realm: str) -> None:
        origin = Origin.of(realm)
        if origin.address in self._http.hosts:
            return
        if origin.scheme == "http" and self._registry.scheme == "https":
            why = "it is not https"
        elif origin.is_link_local and not self._registry.is_link_local:
            why = "its address is link-local"
        elif origin.is_loopback and not self._registry.is_loopback:
            why = "it is this machine"
        else:
            return
        raise AuthenticationError(
            f"{self._registry} sends logins to {shown(realm)}, where nothing is sent: {why}",
            hint="if that is right, add an entry for"
            f" {origin.address!r} to hosts of http.config.ocm.software",
        )

    def _read(self, answer: Answer, realm: str, secret: Mapping[str, str]) -> Token:
        response = answer.response
        status = response.status
        if status in _DENIED:
            raise self._denied(answer, realm, secret)
        if status != 200:
            raise refused(
                response,
                "the login at",
                secrets=_secrets(secret),
                tries=answer.tries,
                why=answer.gave_up,
            )
        age_base = server_time(response.headers)
        data = response.read(MAX_ANSWER)
        name = f"the token from {shown(realm)}"
        try:
            value = parse_json(data, name=name, limits=Limits(MAX_ANSWER, 20, 10_000))
        except InvalidDocumentError:
            value = None
        # Not chained: the cause would show the text, and so the token.
        if not isinstance(value, dict):
            raise RegistryError(f"{name} is no JSON object", hint=response.page_hint)
        text = value.get("token") or value.get("access_token")
        if not isinstance(text, str) or not _TOKEN.fullmatch(text):
            raise RegistryError(f"{name} has no usable token or access_token")
        now = self._wall() if age_base is None else age_base
        return Token(text, self._clock() + usable_for(value, now))

    def _denied(self, answer: Answer, realm: str, secret: Mapping[str, str]) -> AuthenticationError:
        response = answer.response
        refusal = read_refusal(response, _secrets(secret))
        said = f": {refusal.text}" if refusal.text else ""
        what = "does not take the login" if secret else "gives nothing without a login"
        return AuthenticationError(
            f"{shown(realm)}, where {self._registry} sends logins, {what}"
            f" ({status_text(response.status)}{said})",
            hint=refused_login_hint(self._registry) if secret else login_hint(self._registry),
        )


def usable_for(answer: Mapping[str, JSONValue], now: float) -> float:
    """Return for how many seconds a token just received may be sent; it is renewed a bit early.

    ``expires_in`` counts from ``issued_at``, seen at ``now`` (seconds since 1970); what is no
    positive number means 60 s.
    """
    value = answer.get("expires_in")
    lifetime = DEFAULT_LIFETIME
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        lifetime = min(float(value), _LONGEST_LIFETIME)
    left = lifetime - max(0.0, _age(answer.get("issued_at"), now))
    return left - min(_MARGIN, _MARGIN_PART * lifetime)


def login_hint(registry: Origin) -> str:
    """Return what to do about a login that is missing."""
    return f"log in: {login_command(registry)}"


def refused_login_hint(registry: Origin) -> str:
    """Return what to do about a login that the registry has refused."""
    return f"it is wrong, or may not do this; for another one: {login_command(registry)}"


def login_command(registry: Origin) -> str:
    """Return the command that logs in there."""
    name = "docker.io" if registry.name == "registry-1.docker.io" else registry.name
    return f"ocm-pkg login {'http://' if registry.scheme == 'http' else ''}{escaped(name)}"


def basic(user: str, password: str) -> str:
    """Return the value of an ``Authorization`` header with user and password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def _basic(secret: Mapping[str, str]) -> str | None:
    if secret.get("refreshToken"):
        return basic(secret.get("username") or _TOKEN_USER, secret["refreshToken"])
    if secret.get("username") and "password" in secret:
        return basic(secret["username"], secret["password"])
    return None


def _secrets(secret: Mapping[str, str]) -> Iterator[str]:
    for name, value in secret.items():
        if name != "username":
            yield value
    if header := _basic(secret):
        yield header.removeprefix("Basic ")


def _age(issued_at: JSONValue, now: float) -> float:
    if not isinstance(issued_at, str) or len(issued_at) > 100:
        return 0.0
    try:
        then = datetime.fromisoformat(issued_at)
    except ValueError:
        return 0.0
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    age = now - then.timestamp()
    return age if math.isfinite(age) else 0.0


def _with_query(url: str, query: list[tuple[str, str]]) -> str:
    base = url.partition("#")[0]
    if not query:
        return base
    return f"{base}{'&' if urlsplit(base).query else '?'}{urlencode(query)}"
