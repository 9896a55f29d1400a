"""What several test files of the services need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.install_world import World
from tests.fakes.working_folder import Folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("os.fsync", lambda _fd: None)
    world = World(tmp_path)
    world.offer("1.0.0")
    world.offer("2.0.0")
    return world


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
