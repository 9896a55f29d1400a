"""A place for real plugins: their folder, private folders, and managers that leave nothing."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ocm_pkg.plugin.limits import Limits
from ocm_pkg.plugin.manager import PluginManager
from tests.fakes.plugins import alive, events, own_children, write_plugin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSIONS = "/component-versions?name=example.com/x"
QUICK = Limits(probe=5.0, start=5.0, grace=0.5)


class Room:
    """A plugin folder, a folder for sockets and content, and managers that must leave nothing."""

    def __init__(self, root: Path) -> None:
        self.plugins = root / "plugins"
        self.private = root / "p"
        self.record = root / "record"
        self.plugins.mkdir()
        self.private.mkdir()
        self.environment = {**os.environ, "TMPDIR": str(self.private)}

    def add(self, name: str, **switches: object) -> Path:
        return write_plugin(self.plugins, name, record=str(self.record), **switches)

    @contextmanager
    def manager(self, limits: Limits = QUICK, **options: object) -> Iterator[PluginManager]:
        children, threads = own_children(), threading.active_count()
        with PluginManager(
            [self.plugins],
            environment=self.environment,
            runtime_folder=self.private,
            limits=limits,
            **options,
        ) as manager:
            yield manager
        assert own_children() <= children
        assert threading.active_count() <= threads
        assert list(self.private.iterdir()) == []
        for line in events(self.record, "start"):
            assert not alive(int(line.split()[0]))

    def starts(self) -> int:
        return len(events(self.record, "start"))


class CallRoom:
    """One plugin, `plug`, that behaves as the test says, and what it was called with."""

    def __init__(self, root: Path) -> None:
        self.plugins, self.private, self.record = root / "plugins", root / "p", root / "record"
        self.private.mkdir()

    def manager(self, limits: Limits | None = None, **switches: object) -> PluginManager:
        options = switches.pop("options", {})
        write_plugin(self.plugins, "plug", record=str(self.record), **switches)
        return PluginManager(
            [self.plugins],
            environment={**os.environ, "TMPDIR": str(self.private)},
            runtime_folder=self.private,
            limits=limits or Limits(grace=0.5),
            **options,
        )

    def calls(self) -> list[str]:
        return events(self.record, "call")
