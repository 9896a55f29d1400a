"""What goes into the wheel: every package, and the templates."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_package_is_listed():
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "ocm_pkg").rglob("__init__.py")
    }
    extra = {"ocm_pkg.templates", "ocm_pkg.builders.hooks"}
    assert set(SETUPTOOLS["packages"]) == found | extra


def test_the_templates_are_a_package_of_their_own():
    (folder,) = SETUPTOOLS["package-dir"].values()
    assert (ROOT / folder / "__init__.py").is_file()
    patterns = SETUPTOOLS["package-data"]["ocm_pkg.templates"]
    delivered = {path for pattern in patterns for path in (ROOT / folder).glob(pattern)}
    wanted = {
        path
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.parent != ROOT / folder
    }
    assert wanted <= delivered
