"""What the registry answers to a request, whatever brought it: no sockets here."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, cast

from ocm_pkg.errors import (
    DigestMismatchError,
    NoSpaceError,
    NotFoundError,
    OcmPkgError,
)
from ocm_pkg.store.serving import pages, routes
from ocm_pkg.store.serving.blobs import Blobs
from ocm_pkg.store.serving.manifests import Manifests
from ocm_pkg.store.serving.message import RefusedError, Response
from ocm_pkg.store.serving.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ocm_pkg.store.base import OCIStore, Repositories
    from ocm_pkg.store.serving.limits import ServerLimits
    from ocm_pkg.store.serving.message import Request
    from ocm_pkg.store.serving.routes import Route

VERSION_HEADER = {"Docker-Distribution-API-Version": "registry/2.0"}


class Registry:
    """The distribution API over ``store``; safe for many threads.

    ``staging`` gives the folder for uploads, ``clock`` monotonic seconds, ``log`` takes a line for
    every error that is not the client's.
    """

    def __init__(
        self,
        store: OCIStore,
        *,
        writable: bool,
        limits: ServerLimits,
        staging: Callable[[], AbstractContextManager[Path]],
        clock: Callable[[], float],
        log: Callable[[str], None],
    ) -> None:
        self._store = store
        self._writable = writable
        self._limits = limits
        self._log = log
        self.uploads = Uploads(
            staging, limit=limits.sessions, seconds=limits.session_seconds, clock=clock
        )
        changing = Lock()
        self._blobs = Blobs(store, self.uploads)
        self._manifests = Manifests(store, changing, limits.manifest)

    def answer(self, request: Request) -> Response:
        """Do what a request asks for; any error becomes an answer."""
        try:
            return self._answer(request)
        except RefusedError as refused:
            return refused.response
        except OcmPkgError as error:
            return self._failed(error)
        except (ConnectionError, TimeoutError):
            raise
        except OSError as error:
            self._log(f"{request.method} {request.path}: {error}")
            return Response.error(500, "UNKNOWN", "the registry's storage failed")
        except Exception as error:  # noqa: BLE001 - whatever it is, the other clients go on
            self._log(f"{request.method} {request.path}: {type(error).__name__}: {error}")
            return Response.error(500, "UNKNOWN", "the registry failed")

    def _answer(self, request: Request) -> Response:
        route = routes.route(request.path)
        allowed = routes.METHODS[route.kind]
        if request.method not in allowed:
            raise RefusedError(
                405, "UNSUPPORTED", "the method is not allowed here", {"Allow": ", ".join(allowed)}
            )
        if request.method not in {"GET", "HEAD"} or route.kind == "session":
            self._check_change(request)
        return self._routed(route, request)

    def _check_change(self, request: Request) -> None:
        if not self._writable:
            raise RefusedError(
                403, "DENIED", "this registry is read-only: it is served without --writable"
            )
        if "origin" in request.headers:
            raise RefusedError(403, "DENIED", "no web page may change this registry")

    def _routed(self, route: Route, request: Request) -> Response:
        if route.kind == "base":
            return Response.json(200, {}, VERSION_HEADER)
        if route.kind == "catalog":
            names = pages.page(self._repositories(), request, self._limits.page)
            return names.response("/v2/_catalog", {"repositories": names.items})
        if route.kind == "tags":
            return self._tags(route.name, request)
        if route.kind == "referrers":
            return self._manifests.referrers(route, request)
        if route.kind == "manifest":
            return self._manifests.answer(route, request)
        return self._blobs.answer(route, request)

    def _repositories(self) -> Sequence[str]:
        if not hasattr(self._store, "repositories"):
            raise RefusedError(404, "UNSUPPORTED", "the store does not list its repositories")
        return cast("Repositories", self._store).repositories()

    def _tags(self, name: str, request: Request) -> Response:
        tags = self._store.tags(name)
        known = tags or (hasattr(self._store, "repositories") and name in self._repositories())
        if not known:
            raise RefusedError(404, "NAME_UNKNOWN", "the registry has no such repository")
        found = pages.page(sorted(set(tags)), request, self._limits.page)
        return found.response(f"/v2/{name}/tags/list", {"name": name, "tags": found.items})

    def _failed(self, error: OcmPkgError) -> Response:
        self._log(f"{error.code}: {error.message}")
        if isinstance(error, NoSpaceError):
            return Response.error(507, "UNKNOWN", "the registry has no space left")
        if isinstance(error, NotFoundError):
            return Response.error(404, "MANIFEST_UNKNOWN", "the registry lacks the content")
        if isinstance(error, DigestMismatchError):
            return Response.error(500, "UNKNOWN", "the content in the registry was changed")
        return Response.error(500, "UNKNOWN", "the registry's storage failed")
