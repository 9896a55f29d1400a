"""Starts an assembled plugin: its base program runs this first, under a name that it makes up.

Runs in the plugin, so it imports only what is built into the program.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import SourcelessFileLoader

_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
)
"""Where systems keep the certificates that they trust. The library that comes with the program
looks where it was built, which is nowhere."""


def run(name: str) -> None:
    """Run the plugin's script, which is in the module ``name``."""
    native = os.path.join(sys.prefix, "lib", "freeze_core", "lib")  # noqa: PTH118 (pathlib is slow)
    sys.path.append(native)
    sys.frozen = True  # type: ignore[attr-defined]
    if "SSL_CERT_FILE" not in os.environ and importlib.util.find_spec("_ssl") is not None:
        roots = next(filter(os.path.isfile, _ROOTS), None)
        if roots is not None:
            os.environ["SSL_CERT_FILE"] = roots
    spec = importlib.util.find_spec(name)
    if spec is None or not isinstance(spec.loader, SourcelessFileLoader):
        raise RuntimeError(f"the plugin is not complete: it has no {name}")
    code = spec.loader.get_code(name)
    if code is None:
        raise RuntimeError(f"the plugin is not complete: {name} is empty")
    values = sys.modules["__main__"].__dict__
    values.update(__cached__=spec.cached, __file__=spec.origin, __loader__=spec.loader)
    exec(code, values)  # noqa: S102 (the plugin itself)
