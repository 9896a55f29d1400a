"""A store over a real transport, for registries on loopback; waits are short."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.config_settings import HttpSettings
from ocm_pkg.store import media
from ocm_pkg.store.client import RegistryClient
from ocm_pkg.store.registry import RegistryStore
from ocm_pkg.store.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.model.config_credentials import Credentials
    from ocm_pkg.store.base import OCIDescriptor, OCIStore

REPOSITORY = "some/repository"
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


def manifest(store: OCIStore, number: int = 0, repository: str = REPOSITORY) -> OCIDescriptor:
    """Push a manifest with its config; another one for each number."""
    config = store.push(repository, BytesBlob(b"{}"), "application/vnd.oci.empty.v1+json")
    value = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [],
        "annotations": {"number": str(number)},
    }
    return store.push(repository, BytesBlob(json.dumps(value).encode()), media.OCI_MANIFEST)
