"""The command ``init``: a new project, from a template."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ocm_pkg.cli.built import relative
from ocm_pkg.cli.options import command, dry_run_option, output_option

if TYPE_CHECKING:
    from ocm_pkg.cli.wiring import Context

_TOOLS = {
    "python": "",
    "go": "; it needs Go 1.19 or newer",
}


@command()
@click.argument("directory", metavar="[DIR]", default=".")
@click.option(
    "--template",
    type=click.Choice(list(_TOOLS)),
    default="python",
    show_default=True,
    help="What to start from.",
)
@click.option("--name", help="Name of the plugin (default: the folder's name).")
@click.option(
    "--ci",
    type=click.Choice(["all", "github", "gitlab", "none"]),
    default="all",
    show_default=True,
    help="Pipelines that release the plugin when a tag is pushed.",
)
@dry_run_option()
@output_option("text", "json", "yaml")
def init(
    context: Context,
    directory: str,
    template: str,
    name: str | None,
    ci: str,
    dry_run: bool,
    output: str,
) -> None:
    """Start a plugin that works: project file, source, test, and pipelines for its releases."""
    from importlib.resources import files

    from ocm_pkg import __version__
    from ocm_pkg.services.init import PIPELINES
    from ocm_pkg.services.init import init as start

    folder = (context.cwd / directory).resolve()
    paths = start(
        folder,
        name=name or folder.name,
        templates=files("ocm_pkg.templates"),
        template=template,
        platform=context.platform,
        pipelines={"all": list(PIPELINES), "none": []}.get(ci, [ci]),
        version=__version__,
        dry_run=dry_run,
    )
    shown = [relative(path, context.cwd) for path in paths]
    context.out.data({"files": shown}, output, text="\n".join(shown))
    if not dry_run:
        where = "" if folder == context.cwd else f"cd {relative(folder, context.cwd)} && "
        steps = "ocm-pkg build && ocm-pkg test && ocm-pkg package"
        context.out.step(f"next: {where}{steps}{_TOOLS[template]}")
