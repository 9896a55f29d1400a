"""A store over a real transport, for registries on loopback; waits are short."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ocm_pkg.model.config_settings import HttpSettings
from ocm_pkg.store.client import RegistryClient
from ocm_pkg.store.registry import RegistryStore
from ocm_pkg.store.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.model.config_credentials import Credentials

MILLISECOND = 1_000_000
QUICK = HttpSettings(
    timeout=3000 * MILLISECOND,
    header_timeout=3000 * MILLISECOND,
    min_wait=MILLISECOND,
    max_wait=20 * MILLISECOND,
)


@contextmanager
def connected(
    url: str,
    *,
    http: HttpSettings = QUICK,
    credentials: Credentials | None = None,
    **options: Any,
) -> Iterator[RegistryStore]:
    """Give a store in the registry at ``url``; ``options`` are those of ``RegistryStore``."""
    transport = Transport(http=http, environ={}, home=None)
    client = RegistryClient(
        url,
        transport,
        credentials=lambda: credentials,
        http=http,
        sleep=lambda seconds: time.sleep(min(seconds, 0.05)),
    )
    try:
        yield RegistryStore(client, **options)
    finally:
        transport.close()
