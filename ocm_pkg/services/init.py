"""Start a project from a template: a small plugin that builds, passes its test and packages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.errors import AlreadyExistsError, UsageError
from ocm_pkg.fs.atomic import make_folder, write_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from ocm_pkg.model.platform import Platform


@dataclass(frozen=True, slots=True)
class Template:
    """A template: its folder, and whether its one target is the machine that it is started on.

    If not, it has targets that any machine can build.
    """

    folder: str
    native: bool


TEMPLATES: Mapping[str, Template] = {
    "python": Template("python-plugin", native=True),
    "go": Template("go-plugin", native=False),
}
"""The templates."""

PIPELINES: Mapping[str, tuple[str, str]] = {
    "github": ("github.yml", ".github/workflows/release.yml"),
    "gitlab": ("gitlab.yml", ".gitlab-ci.yml"),
}
"""The services with a pipeline for releases: its file among the templates, and in a project."""

_PIPELINE_FOLDER = "ci"
_REQUIREMENTS = "requirements-release.txt"
_RUNNERS: Mapping[str, str] = {
    "linux/amd64": "saas-linux-small-amd64",
    "linux/arm64": "saas-linux-small-arm64",
    "darwin/arm64": "saas-macos-medium-m1",
    "windows/amd64": "saas-windows-medium-amd64",
}
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_ONLY = re.compile(r"  # only: ([a-z]+)$")
_PLACEHOLDER = "greeter"
_PLATFORM = "linux/amd64"
_SKIPPED = frozenset({"__pycache__", ".ruff_cache", ".pytest_cache"})


def init(
    folder: Path,
    *,
    name: str,
    templates: Traversable,
    template: str,
    platform: Platform,
    pipelines: Collection[str] = (),
    version: str = "",
    dry_run: bool = False,
) -> tuple[Path, ...]:
    """Copy a template to ``folder`` as the plugin ``name``; return the files.

    ``template`` is one of ``TEMPLATES``, in the folder ``templates``; a native one gets
    ``platform`` as its target. ``pipelines`` are of ``PIPELINES``; they install ``version`` of
    ocm-pkg. Raises ``UsageError`` for a name that no plugin can have, ``AlreadyExistsError`` if
    one of the files is there: nothing is written then.
    """
    if not _NAME.fullmatch(name) or len(name) < 2:
        raise UsageError(
            f"{name[:80]!r} cannot be a plugin's name",
            hint="lower-case letters and digits, with single - between: ocm-pkg init my-plugin",
        )
    chosen = TEMPLATES[template]
    machine = str(platform) if chosen.native else _PLATFORM
    files = {
        _renamed(path, name, machine): _renamed(item.read_text("utf-8"), name, machine)
        for path, item in _walk(templates.joinpath(chosen.folder), "")
    }
    offered = templates.joinpath(_PIPELINE_FOLDER)
    values = {
        "OCM_PKG_VERSION": version,
        "BUILD_MACHINE": machine,
        "BUILD_RUNNER": _RUNNERS.get(machine, machine.replace("/", "-")),
    }
    for source, path in _pipeline_files(pipelines):
        files[path] = _tailored(offered.joinpath(source).read_text("utf-8"), template, values)
    _write(folder, files, dry_run=dry_run)
    return tuple(folder / path for path in files)


def _write(folder: Path, files: Mapping[str, str], *, dry_run: bool) -> None:
    taken = [path for path in files if (folder / path).exists()]
    if taken:
        ci = taken[0] in dict(PIPELINES.values()).values()
        raise AlreadyExistsError(
            f"{folder / taken[0]} is there already",
            hint="leave the pipelines out with --ci none"
            if ci
            else "choose an empty folder: ocm-pkg init my-plugin",
        )
    if dry_run:
        return
    for path, text in files.items():
        make_folder((folder / path).parent)
        write_file(folder / path, text.encode())


def _pipeline_files(pipelines: Collection[str]) -> list[tuple[str, str]]:
    files = [PIPELINES[name] for name in sorted(pipelines)]
    return [*files, (_REQUIREMENTS, _REQUIREMENTS)] if files else []


def _tailored(text: str, template: str, values: Mapping[str, str]) -> str:
    """Return a pipeline for one template: without the lines that are ``only`` for another."""
    lines = []
    for line in text.splitlines():
        only = _ONLY.search(line)
        if only is None or only[1] == template:
            lines.append(_ONLY.sub("", line))
    tailored = "\n".join([*lines, ""])
    for placeholder, value in values.items():
        tailored = tailored.replace(placeholder, value)
    return tailored


def _renamed(text: str, name: str, platform: str) -> str:
    module = name.replace("-", "_")
    words = "".join(part.capitalize() for part in module.split("_"))
    return (
        text.replace(f"{_PLACEHOLDER}_plugin", f"{module}_plugin")
        .replace(_PLACEHOLDER.capitalize(), words)
        .replace(_PLACEHOLDER, name)
        .replace(_PLATFORM, platform)
    )


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.name in _SKIPPED:
            continue
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        else:
            yield f"{prefix}{item.name}", item
