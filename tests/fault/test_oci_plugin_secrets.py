"""Point 5 of being refused across processes: the OCI plugin's errors and logs have no secret."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.plugin.manager import Hooks, PluginManager
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.repository import ComponentRepository
from ocm_pkg.store.serving import Response
from tests.fakes.components import NAME, stored
from tests.fakes.guarded import HIDDEN, LOGIN, guarded
from tests.fakes.outcome import outcome
from tests.fakes.own_plugins import write_own_plugin
from tests.fakes.plugin_process import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ocm_pkg.store.serving import Request

WRONG = "wrong-of-the-test"


class World:
    """A registry's client in a process of its own, and the secret that it is given."""

    def __init__(self) -> None:
        self.secret = HIDDEN

    def credentials(self, _identity: object) -> dict[str, Any]:
        properties = {"username": "user", "password": self.secret}
        return {"type": "Credentials/v1", "properties": properties}


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins")
    write_own_plugin(folder, "oci")
    return folder


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def manager(world: World, plugins: Path, tmp_path: Path) -> Iterator[PluginManager]:
    hooks = Hooks(credentials=world.credentials)
    with PluginManager(
        [plugins], builtin=(), environment=environment(tmp_path), hooks=hooks
    ) as manager:
        yield manager


def sent_back(request: Request) -> Response | None:
    """Refuse a login with the login itself, spelt in a way that only JSON undoes."""
    authorization = request.headers.get("authorization")
    if authorization is None:
        return None
    disguised = "".join(f"\\u{ord(char):04x}" for char in f"{authorization} {HIDDEN}")
    body = f'{{"errors": [{{"code": "NO", "message": "{disguised}"}}]}}'.encode()
    return Response(400, {"Content-Type": "application/json"}, body)


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
@pytest.mark.parametrize("case", ["good", "wrong", "echo"])
def test_R13_R40_nothing_that_a_plugin_says_of_a_login_is_the_login(
    world: World,
    manager: PluginManager,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    scheme: str,
    case: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    store = CTFStore(tmp_path / "ctf", create=True)
    stored(ComponentRepository(store), content=b"content")
    world.secret = WRONG if case == "wrong" else HIDDEN
    with guarded(store, scheme=scheme, intercept=sent_back if case == "echo" else None) as here:
        repository = manager.open(RepositorySpec("oci", here.url))
        found = outcome(repository.get, NAME, "1.0.0")
        logins = [*here.guard.logins, *(one for *_, one in here.guard.shown)]
    assert any(logins)
    assert isinstance(found, OcmPkgError) is (case != "good"), found
    texts = [record.getMessage() for record in caplog.records]
    if isinstance(found, OcmPkgError):
        texts += ["".join(traceback.format_exception(found)), repr(vars(found))]
    secrets = [HIDDEN, WRONG, LOGIN, *here.guard.tokens]
    assert not [one for one in secrets if any(one in text for text in texts)]
