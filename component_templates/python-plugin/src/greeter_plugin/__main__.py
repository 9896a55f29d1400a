"""The program: `capabilities` says what it can do, `server` answers calls."""

from __future__ import annotations

from greeter_plugin.repository import Greeter
from ocm_pkg.sdk import Plugin, serve

plugin = Plugin("greeter")
plugin.component_version_repository("GreeterRepository/v1", aliases=["GreeterRepository"])(Greeter)

if __name__ == "__main__":
    raise SystemExit(serve(plugin))
