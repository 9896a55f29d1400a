"""An arena with a component version in a CTF, and credentials for registries in its home."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ocm_pkg.store.ctf import CTFStore
from tests.fakes.arena import NAME
from tests.fakes.guarded import HIDDEN, IDENTITY, LOGIN, guarded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from tests.fakes.arena import Arena, Ended
    from tests.fakes.guarded import Guarded

REF = f"{NAME}:1.0.0"
FAST = {"retry": {"minWait": "1ms", "maxWait": "2ms"}}


class AuthRoom:
    """``arena`` has ``ctf``; ``registry`` serves a copy of it behind a guard."""

    def __init__(self, arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
        self.arena = arena
        self.monkeypatch = monkeypatch
        arena.secrets += [HIDDEN, LOGIN, IDENTITY, "token-0-of-the-test"]
        for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
            monkeypatch.delenv(name, raising=False)
        arena.constructor()
        arena.accepted("add", "cv")

    @property
    def docker(self) -> Path:
        """Docker's configuration."""
        return self.arena.base / "home/.docker/config.json"

    def docker_has(self, host: str, **entry: Any) -> None:
        """Write Docker's configuration with one entry."""
        self.write_docker(auths={host: entry or {"auth": LOGIN}})

    def write_docker(self, **members: Any) -> None:
        """Write Docker's configuration."""
        self.docker.parent.mkdir(exist_ok=True)
        self.docker.write_text(json.dumps(members))
        self.docker.chmod(0o600)

    def configure(self, **members: Any) -> None:
        """Write an OCM configuration with settings of HTTP."""
        entry = {"type": "http.config.ocm.software/v1alpha1", **members}
        value = {"type": "generic.config.ocm.software/v1", "configurations": [entry]}
        self.arena.file(".ocmconfig", json.dumps(value)).chmod(0o600)

    def helper(self, script: str) -> None:
        """Make a credential helper ``own`` that Docker's configuration names."""
        folder = self.arena.base / "bin"
        folder.mkdir()
        program = folder / "docker-credential-own"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        self.monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        self.write_docker(credsStore="own")

    @contextmanager
    def registry(self, *, login: bool = True, **options: Any) -> Iterator[Guarded]:
        """Run a registry that has the component version; Docker knows the login if ``login``."""
        with guarded(CTFStore(self.arena.ctf, create=False), **options) as world:
            if login:
                self.docker_has(world.registry.host)
            yield world

    def accepted(self, *arguments: object) -> Ended:
        """Run a command that must succeed, and print no secret."""
        ended = self.arena.accepted(*arguments)
        self.arena.clean(ended)
        return ended

    def get(self, world: Guarded) -> Ended:
        """Read the component version."""
        return self.accepted("get", "cv", f"{world.url}//{REF}", "-o", "json")

    def refused(self, world: Guarded, **expected: Any) -> Ended:
        """Read the component version, which must fail."""
        expected = {"code": 5, "seconds": 2, **expected}
        return self.arena.refused("get", "cv", f"{world.url}//{REF}", **expected)

    def push(self, world: Guarded, path: str = "new") -> Ended:
        """Store the component version below another path of the registry."""
        return self.accepted("transfer", "cv", f"ctf//{REF}", f"{world.url}/{path}")
