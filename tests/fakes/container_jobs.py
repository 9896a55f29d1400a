"""Jobs for the builder of containers, with a small project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.model.project import parse_project
from ocm_pkg.ports import BuildJob

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = "example.com/py@sha256:" + "0a" * 32
LOCK = "x==1 --hash=sha256:00\n"


def container_job(folder: Path, *, entry: str = "src/hello/__main__.py", **build: str) -> BuildJob:
    """Make a project in ``folder``; return the job that builds its folder for linux/arm64."""
    settings = "".join(f", {key}: {value}" for key, value in build.items())
    project = parse_project(
        "{formatVersion: 1, component: e.com/hello, version: 1.0.0, provider: p,"
        f" build: {{builder: container, image: '{IMAGE}', entry: {entry}{settings}}},"
        " targets: [{platform: linux/arm64, shape: dir}]}",
        name="x",
    )
    package = folder / "src/hello"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("print()\n")
    (folder / "a.lock").write_text(LOCK)
    staged = folder / "dist/.staged"
    (staged / "work").mkdir(parents=True)
    return BuildJob(
        project,
        project.targets[0],
        folder,
        staged / "hello",
        staged / "work",
        folder / "dist/logs/hello.log",
        "1.0.0",
    )
