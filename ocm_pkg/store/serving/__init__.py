"""An OCI registry over any OCI store: the distribution API 1.1, by the standard library."""

from ocm_pkg.store.serving.limits import ServerLimits
from ocm_pkg.store.serving.message import Request, Response
from ocm_pkg.store.serving.server import Server

__all__ = ["Request", "Response", "Server", "ServerLimits"]
