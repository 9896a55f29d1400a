"""PyInstaller hook: what ``init`` copies is data, also where it is Python."""  # noqa: INP001

from __future__ import annotations

from pathlib import Path
from typing import Any

_PACKAGE = "ocm_pkg/templates"
_LEFT_OUT = ("__pycache__", ".ruff_cache", ".pytest_cache")


def hook(hook_api: Any) -> None:  # noqa: ANN401 (PyInstaller's own, never imported here)
    """Add every file of the templates."""
    folder = Path(hook_api.__path__[0])
    hook_api.add_datas(
        [
            (str(path), str(Path(_PACKAGE, path.relative_to(folder).parent)))
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not any(name in path.parts for name in _LEFT_OUT)
        ]
    )
