"""The folders of this user: home, data, cache and settings, as the platform has them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS = {
    "data": ("XDG_DATA_HOME", ".local/share", "Library/Application Support"),
    "cache": ("XDG_CACHE_HOME", ".cache", "Library/Caches"),
    "config": ("XDG_CONFIG_HOME", ".config", "Library/Application Support"),
}


def home_of(environ: Mapping[str, str]) -> Path:
    """Return the user's home folder, or raise ``ConfigError``."""
    home = environ.get("USERPROFILE" if sys.platform == "win32" else "HOME", "")
    if not Path(home).is_absolute():
        raise ConfigError(
            "no home folder: HOME is not set to an absolute path",
            hint="set HOME; or XDG_DATA_HOME, XDG_CACHE_HOME, XDG_CONFIG_HOME and"
            " OCM_PLUGIN_DIRECTORY",
        )
    return Path(home)


def own_folder(environ: Mapping[str, str], kind: str) -> Path:
    """Return this program's folder for ``data``, ``cache`` or ``config``; ``ConfigError``."""
    variable, elsewhere, on_mac = _KINDS[kind]
    named = environ.get(variable, "")
    if Path(named).is_absolute():
        return Path(named) / "ocm-pkg"
    return home_of(environ) / (on_mac if sys.platform == "darwin" else elsewhere) / "ocm-pkg"
