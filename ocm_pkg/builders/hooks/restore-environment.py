"""Runs first in a frozen program: its child programs are to see the environment that it was given.

The loader has read its variable by now, and what PyInstaller's own processes tell each other is of
no use to others: a child that is frozen too would take itself for a part of this program.
"""  # noqa: INP001

import os
import sys

for _name in ("LD_LIBRARY_PATH", "LIBPATH"):
    if os.environ.get(_name, "").split(os.pathsep)[0] == getattr(sys, "_MEIPASS", None):
        _original = os.environ.get(f"{_name}_ORIG")
        if _original is None:
            del os.environ[_name]
        else:
            os.environ[_name] = _original

for _name in [name for name in os.environ if name.startswith(("_PYI_", "_MEIPASS"))]:
    del os.environ[_name]
