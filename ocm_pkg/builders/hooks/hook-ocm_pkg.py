"""PyInstaller hook: the package itself imports nothing; a program names the rooms that it uses."""  # noqa: INP001

from __future__ import annotations

from typing import Any


def hook(hook_api: Any) -> None:  # noqa: ANN401 (PyInstaller's own, never imported here)
    """Forget the lazy imports of ``ocm_pkg/__init__.py``."""
    rooms = (node.identifier for node in hook_api.imports)
    hook_api.del_imports(*(name for name in rooms if name.startswith("ocm_pkg.")))
