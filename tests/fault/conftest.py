from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.arena import Arena

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def arena(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Arena:
    """A folder tree of its own that is watched while a command is attacked."""
    return Arena(tmp_path, capsys, monkeypatch)
