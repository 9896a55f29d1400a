"""``ctfplugin``: component versions in Common Transport Format, as a plugin of both contracts.

Only the sdk is imported before the plugin listens; the first call imports the rest.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from ocm_pkg.sdk import Plugin, serve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.plugins.handler import RepositoryHandler
    from ocm_pkg.plugins.spool import Spool
    from ocm_pkg.sdk import Credentials, Spec

ID = "ocm.software/plugins/ctf"
TYPE = "CommonTransportFormat/v1"
ALIASES = ("CommonTransportFormat", "CTF", "CTF/v1", "ctf", "ctf/v1")
ADR_TYPE = "ctf"
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Common Transport Format",
    "type": "object",
    "required": ["type", "filePath"],
    "properties": {
        "type": {"enum": [TYPE, *ALIASES]},
        "filePath": {
            "type": "string",
            "minLength": 1,
            "description": "the folder, or the tar or tgz file",
        },
    },
}


class CTFOpener:
    """Makes the handler of each call; ``close`` removes what was unpacked for callers."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._spool: Spool | None = None

    def __call__(self, spec: Spec, credentials: Credentials) -> RepositoryHandler:  # noqa: ARG002 - files need none
        """Return a handler for the CTF of ``spec``."""
        from pathlib import Path

        from ocm_pkg.model.reference import RepositorySpec
        from ocm_pkg.plugins.handler import RepositoryHandler
        from ocm_pkg.plugins.spool import Spool
        from ocm_pkg.store.provider import BuiltinProvider

        with self._lock:
            if self._spool is None:
                self._spool = Spool()
        provider = BuiltinProvider(Path.cwd(), home=Path.home())
        return RepositoryHandler(provider, RepositorySpec.from_spec(spec), self._spool)

    def close(self) -> None:
        """Remove what was unpacked."""
        with self._lock:
            if self._spool is not None:
                self._spool.close()


def create(opener: CTFOpener) -> Plugin:
    """Return the plugin, with everything that it can do registered."""
    plugin = Plugin(ID)
    register = plugin.component_version_repository(
        TYPE, aliases=ALIASES, schema=SCHEMA, adr_type=ADR_TYPE
    )
    register(opener)
    return plugin


def main(argv: Sequence[str] | None = None) -> int:
    """Run the plugin; return its exit status."""
    opener = CTFOpener()
    try:
        return serve(create(opener), argv)
    finally:
        opener.close()


if __name__ == "__main__":
    raise SystemExit(main())
