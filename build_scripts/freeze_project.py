"""The project that freezing ocm-pkg builds: what goes into the binary, and what is left out.

Standard library only.
"""

from __future__ import annotations

import ast
import json
import shutil
from typing import TYPE_CHECKING

from environment import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = "ocm_pkg"
TEMPLATES = "component_templates"
LOCK = "requirements.lock"
COMPONENT = "ocm.software/ocm-pkg"
TARGETS = ("linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64")
LEFT_OUT = ("__pycache__", ".*_cache")
EXCLUDE = (
    *("tkinter", "curses", "readline", "sqlite3"),
    *("unittest", "doctest", "pdb", "pydoc", "xmlrpc"),
    *("asyncio", "multiprocessing"),
    *("setuptools", "distutils", "_distutils_hack", "pip"),
    *("pygments", "markdown_it", "pydantic.v1", "pydantic.mypy"),
    *("fqdn", "isoduration", "rfc3987_syntax", "rfc3339_validator", "rfc3986_validator"),
    *("arrow", "dateutil", "jsonpointer", "lark", "uri_template", "webcolors"),
    *("_codecs_cn", "_codecs_hk", "_codecs_iso2022", "_codecs_jp", "_codecs_kr", "_codecs_tw"),
)
"""What libraries import if it is there, and ocm-pkg never uses."""

FEATURES = {
    "oci": (
        *("urllib3", "oras", "requests"),
        *(f"{PACKAGE}.plugins.{name}" for name in ("oci", "connections", "resources")),
        *(f"{PACKAGE}.store.{name}" for name in ("registries", "registry", "client", "transport")),
    )
}
"""What can be left out, and its modules; those that only they need go with them."""

PLUGIN_EXCLUDE = (*EXCLUDE, "click", "rich", "urllib3", "oras", "cryptography", "jsonschema")


def make_project(folder: Path, settings: dict[str, object]) -> None:
    """Write a project with everything that ocm-pkg is made of."""
    ignore = shutil.ignore_patterns(*LEFT_OUT)
    package = folder / PACKAGE
    shutil.copytree(PROJECT / PACKAGE, package, ignore=ignore)
    shutil.copytree(PROJECT / TEMPLATES, package / "templates", ignore=ignore)
    shutil.copyfile(PROJECT / "pyproject.toml", folder / "pyproject.toml")
    shutil.copyfile(PROJECT / LOCK, folder / LOCK)
    project = {
        "formatVersion": 1,
        "version": {"from": "pyproject"},
        "provider": "ocm.software",
        **settings,
        "targets": list(TARGETS),
    }
    (folder / "ocm-pkg.yaml").write_text(json.dumps(project, indent=1), encoding="utf-8")


def program(without: list[str]) -> dict[str, object]:
    """Return the project settings of ocm-pkg, without some of its features."""
    left_out = [name for feature in without for name in FEATURES[feature]]
    every = modules(PROJECT / PACKAGE)
    wanted = needed(every, left_out)
    return {
        "component": COMPONENT,
        "description": "Build, sign, distribute, install and run OCM plugins",
        "build": {
            "builder": "pyinstaller",
            "shape": "file",  # a launcher is for plugins: it is asked for its capabilities
            "entry": f"{PACKAGE}/__main__.py",
            "requirements": LOCK,
            "exclude": [*EXCLUDE, *sorted({*left_out, *every} - set(wanted))],
            "hidden-imports": wanted,
        },
    }


def plugin(name: str) -> dict[str, object]:
    """Return the project settings of one of the project's plugins."""
    return {
        "component": f"ocm.software/plugins/{name}",
        "resource": f"{name}plugin",
        "build": {
            "builder": "pyinstaller",
            "entry": f"{PACKAGE}/plugins/{name}.py",
            "requirements": LOCK,
            "exclude": list(PLUGIN_EXCLUDE),
        },
    }


def modules(package: Path) -> list[str]:
    """Return every module: most are imported by name, or where they are first needed."""
    found = {f"{PACKAGE}.templates"}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        if parts[1] != "templates" and parts[-1] != "__main__" and path.parent.name != "hooks":
            found.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return sorted(found)


def needed(every: list[str], left_out: list[str]) -> list[str]:
    """Return the modules that are reached, at any time, without passing one that is left out.

    Those of the rooms store and plugins, that is: all others are programs or commands.
    """
    if not left_out:
        return every
    lower = tuple(f"{PACKAGE}.{room}." for room in ("store", "plugins"))
    found: set[str] = set()
    pending = [name for name in every if not name.startswith(lower)]
    while pending:
        name = pending.pop()
        if name in every and name not in found and name not in left_out:
            found.add(name)
            pending += imported(name)
    return sorted(found)


def imported(module: str) -> set[str]:
    """Return what a module of the package imports, at any time."""
    path = PROJECT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not path.is_file():
        return set()
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names
