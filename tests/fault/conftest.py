from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.fakes.arena import Arena

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def arena(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Arena:
    """A folder tree of its own that is watched while a command is attacked."""
    return Arena(tmp_path, capsys, monkeypatch)


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Take away at the end the handlers that commands with --loglevel add."""
    root = logging.getLogger("ocm_pkg")
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
