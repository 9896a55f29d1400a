"""A registry that wants a login, and the server beside it that gives out its tokens."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from ocm_pkg.store.serving import Response
from tests.fakes.rawserver import always, answered, raw_server
from tests.fakes.served import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ocm_pkg.store.base import OCIStore
    from ocm_pkg.store.serving import Request
    from tests.fakes.rawserver import RawServer, Received
    from tests.fakes.served import Served

HIDDEN = "hunter2-of-the-test"
IDENTITY = "identity-of-the-test"
LOGIN = base64.b64encode(f"user:{HIDDEN}".encode()).decode()


@dataclass
class Guard:
    """``scheme``: what the registry wants. ``challenges`` is sent in its place, if given.

    ``scopes`` has those of each token request, ``shown`` the ``Authorization`` of every request
    to the registry with its method and path, ``logins`` those of the requests to the realm.
    ``uses`` is how many requests a token is good for. With ``anonymous`` a token for reading is
    given to everybody. ``tamper`` may change what the realm answers.
    """

    scheme: str = "bearer"
    challenges: Callable[[str], str | list[str]] | None = None
    anonymous: bool = False
    uses: int = 1_000_000
    tamper: Callable[[dict[str, object]], object] | None = None
    realm: str = ""
    scopes: list[str] = field(default_factory=list)
    logins: list[str | None] = field(default_factory=list)
    posts: list[dict[str, list[str]]] = field(default_factory=list)
    shown: list[tuple[str, str, str | None]] = field(default_factory=list)
    tokens: dict[str, tuple[int, str]] = field(default_factory=dict)

    def issue(self, received: Received) -> bytes:
        """Answer a request of a token."""
        authorization = received.headers.get("authorization")
        form = parse_qs(received.path.partition("?")[2])
        if received.method == "POST":
            form = parse_qs(received.body.decode())
            self.posts.append(form)
        self.logins.append(authorization)
        scopes = " ".join(form.get("scope", []))
        self.scopes.append(scopes)
        reads = all(one.endswith(":pull") for one in scopes.split())
        by_token = form.get("refresh_token") == [IDENTITY]
        if not (authorization == f"Basic {LOGIN}" or by_token or (self.anonymous and reads)):
            text = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "wrong password"}]})
            return answered(text.encode(), "401 Unauthorized", "Content-Type: application/json")
        text = f"token-{len(self.tokens)}-of-the-test"
        self.tokens[text] = (0, scopes)
        value: object = {"token": text, "expires_in": 300}
        if self.tamper is not None:
            value = self.tamper({"token": text, "expires_in": 300})
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return answered(data, "200 OK", "Content-Type: application/json")

    def check(self, request: Request) -> Response | None:
        """Refuse a request without a login; let all others through."""
        authorization = request.headers.get("authorization")
        self.shown.append((request.method, request.path, authorization))
        if self.scheme == "basic":
            allowed = authorization == f"Basic {LOGIN}"
        else:
            allowed = self._takes(authorization, request)
        if allowed:
            return None
        headers: dict[str, str | list[str]] = {}
        challenge = self._challenge()
        if challenge:
            headers["WWW-Authenticate"] = challenge
        refusal = Response.error(401, "UNAUTHORIZED", "authentication required")
        return Response(401, {**refusal.headers, **headers}, refusal.body)

    def _challenge(self) -> str | list[str]:
        if self.challenges is not None:
            return self.challenges(self.realm)
        if self.scheme == "basic":
            return 'Basic realm="the registry"'
        return f'Bearer realm="{self.realm}",service="the registry"'

    def _takes(self, authorization: str | None, request: Request) -> bool:
        token = (authorization or "").removeprefix("Bearer ")
        used, scopes = self.tokens.get(token, (self.uses, ""))
        if used >= self.uses:
            return False
        self.tokens[token] = (used + 1, scopes)
        name = request.path.removeprefix("/v2/")
        action = "pull" if request.method in ("GET", "HEAD") else "push"
        return not name or any(
            name.startswith(f"{resource.removeprefix('repository:')}/")
            and action in actions.split(",")
            for resource, _, actions in (one.rpartition(":") for one in scopes.split())
        )


@dataclass(frozen=True)
class Guarded:
    """The registry, its guard, and the server of the realm."""

    registry: Served
    guard: Guard
    server: RawServer

    @property
    def url(self) -> str:
        """The URL of the registry."""
        return self.registry.url


@contextmanager
def guarded(
    store: OCIStore | None = None,
    *,
    intercept: Callable[[Request], Response | None] | None = None,
    tls: tuple[Path, Path] | None = None,
    **options: Any,
) -> Iterator[Guarded]:
    """Run both servers, the registry with ``tls``; ``options`` are those of ``Guard``."""
    guard = Guard(**options)

    def check(request: Request) -> Response | None:
        refusal = guard.check(request)
        if refusal is None and intercept is not None:
            return intercept(request)
        return refusal

    with (
        raw_server(always(guard.issue)) as server,
        served(store, intercept=check, tls=tls) as registry,
    ):
        guard.realm = guard.realm or f"{server.url}/token"
        yield Guarded(registry, guard, server)
