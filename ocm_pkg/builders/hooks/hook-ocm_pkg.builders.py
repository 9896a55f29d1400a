"""PyInstaller hook: builders read files beside their modules, and copy the source of the sdk."""  # noqa: INP001

from __future__ import annotations

from pathlib import Path
from typing import Any

_FILES = (
    "__init__.py",
    "_typing.py",
    "errors.py",
    "contract/*.py",
    "sdk/*.py",
    "builders/*.lock",
    "builders/LICENSE.txt",
    "builders/hooks/*.py",
    "builders/assembling/*.py",
    "builders/launcher/*.go",
    "builders/launcher/go.mod",
    "builders/launcher/bin/*",
)


def hook(hook_api: Any) -> None:  # noqa: ANN401 (PyInstaller's own, never imported here)
    """Add the files where the builders look for them: beside their modules."""
    package = Path(hook_api.__path__[0]).parent
    hook_api.add_datas(
        [
            (str(path), str(Path("ocm_pkg", path.relative_to(package).parent)))
            for pattern in _FILES
            for path in sorted(package.glob(pattern))
        ]
    )
