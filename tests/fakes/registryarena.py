"""Commands against a registry that misbehaves, with everything watched that they could touch."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any

from tests.fakes.arena import NAME, _held
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.fakes.arena import Arena, Ended
    from tests.fakes.faults import Faults
    from tests.fakes.served import Served


class RegistryArena:
    """A registry with one component version, and commands that are given its reference.

    What commands keep for the next time is in a folder of its own, which is not compared.
    """

    def __init__(
        self,
        arena: Arena,
        registry: Served,
        faults: Faults,
        cache: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.arena = arena
        self.registry = registry
        self.fault = faults.add
        self.faults = faults
        self.ref = f"{registry.url}//{NAME}:1.0.0"
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        arena.constructor()
        arena.accepted("add", "cv", "--repository", registry.url)
        registry.forget()

    def accepted(self, *arguments: object) -> Ended:
        """Run a command that must succeed."""
        return self.arena.accepted(*arguments)

    def refused(self, *arguments: object, code: int, says: str = "", seconds: float = 10) -> Ended:
        """Run a command that must be refused, and check all that being refused means."""
        before, held = snapshot(self.arena.base), _held()
        stored = self._stored()
        ended = self.arena.run(*arguments)
        assert ended.code == code, (arguments, ended)
        assert ended.error[1] == str(code), ended
        assert ended.error != "E199", ended
        assert says in ended.err, ended
        assert ended.seconds < seconds, ended
        self.arena.clean(ended)
        changed = snapshot(self.arena.base).items() ^ before.items()
        assert not changed, (arguments, changed)
        assert self._stored() == stored
        self._settled(held)
        return ended

    def _stored(self) -> Any:
        return dict(self.registry.store._tags)

    def _settled(self, held: set[object]) -> None:
        """Wait until the server has noticed that its client is gone, and compare then."""
        deadline = time.monotonic() + 2
        while _held() - held and time.monotonic() < deadline:
            gc.collect()
            time.sleep(0.01)
        assert not _held() - held
