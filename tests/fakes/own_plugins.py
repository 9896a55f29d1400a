"""The project's own plugins, from their sources, as programs in a plugin folder."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from tests.fakes.plugin_process import ROOT
from tests.fakes.plugins import write_program

if TYPE_CHECKING:
    from pathlib import Path


def write_own_plugin(folder: Path, name: str) -> Path:
    """Write the program ``NAMEplugin``, which runs ``ocm_pkg/plugins/NAME.py``."""
    command = shlex.join([sys.executable, str(ROOT / "ocm_pkg" / "plugins" / f"{name}.py")])
    return write_program(folder, f"{name}plugin", f'#!/bin/sh\nexec {command} "$@"\n')
