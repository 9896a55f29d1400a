"""A registry's client over a scripted transport, with a clock that only waiting moves."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from ocm_pkg.model.config_credentials import Credentials
from ocm_pkg.store.client import RegistryClient
from tests.fakes.exchange import FakeTransport, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ocm_pkg.model.config_settings import HttpSettings
    from ocm_pkg.store.exchange import Request, Response

REGISTRY = "https://registry.example"
REALM = "https://auth.example/token"
BEARER = f'Bearer realm="{REALM}",service="registry.example"'
BASIC = 'Basic realm="registry"'
HIDDEN = "hunter2-of-the-test"
SECRET = {"username": "user", "password": HIDDEN}
SENT_BASIC = "Basic " + base64.b64encode(f"user:{HIDDEN}".encode()).decode()


class Bench:
    """``client`` and what it did: ``asked`` of its transport, ``waits`` in seconds."""

    def __init__(
        self,
        script: Iterable[Callable[[Request], Response] | BaseException] = (),
        *,
        secret: dict[str, str] | None = None,
        base_url: str = REGISTRY,
        http: HttpSettings | None = None,
        default: Callable[[Request], Response] | None = None,
    ) -> None:
        self.transport = FakeTransport(script, default)
        self.now = 1000.0
        self.wall = 1_800_000_000.0
        self.waits: list[float] = []
        self.logins = 0
        self.secret = secret
        self.client = RegistryClient(
            base_url,
            self.transport,
            credentials=self._credentials,
            http=http,
            clock=lambda: self.now,
            sleep=self._sleep,
            random=lambda: 1.0,
            wall=lambda: self.wall,
        )

    def _credentials(self) -> Credentials | None:
        self.logins += 1
        return None if self.secret is None else Credentials(self.secret)

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    @property
    def asked(self) -> list[str]:
        """What was asked, as ``METHOD URL``."""
        return [f"{one.method} {one.url}" for one in self.transport.asked]

    @property
    def sent(self) -> list[str | None]:
        """The ``Authorization`` of each request."""
        return [one.header("Authorization") for one in self.transport.asked]

    def get(self, url: str = "/v2/", **options: Any) -> Response:
        """GET ``url``."""
        return self.client.call("GET", url, **options)


def unauthorised(*challenges: str, status: int = 401) -> Callable[[Request], Response]:
    """Answer that a login is wanted."""
    return answer(status, b"", [("WWW-Authenticate", one) for one in challenges])


def token(text: str = "t1", **members: Any) -> Callable[[Request], Response]:
    """Answer with a token."""
    return answer(200, {"token": text, **members})


def redirect(location: str, status: int = 307) -> Callable[[Request], Response]:
    """Answer that the content is elsewhere."""
    return answer(status, b"", {"Location": location})
