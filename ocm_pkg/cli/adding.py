"""``add cv``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ocm_pkg.cli.locating import DEFAULT_REPOSITORY
from ocm_pkg.cli.options import command, dry_run_option, output_option
from ocm_pkg.cli.publishing import moving, show_published
from ocm_pkg.cli.sizes import size_of
from ocm_pkg.errors import FileMissingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.model.constructor import Constructor
    from ocm_pkg.ports import ResourceRepository
    from ocm_pkg.services.publish import Policy

CONSTRUCTOR = "component-constructor.yaml"
POLICIES = ("abort-and-fail", "skip", "replace")
SCHEMAS = ("v2", "v3alpha1")


@command()
@click.option(
    "-r",
    "--repository",
    metavar="REPO",
    default=DEFAULT_REPOSITORY,
    show_default=True,
    help="Where the component versions go.",
)
@click.option(
    "-c",
    "--constructor",
    metavar="FILE",
    default=CONSTRUCTOR,
    show_default=True,
    help="What to make.",
)
@click.option(
    "--component-version-conflict-policy",
    "policy",
    type=click.Choice(POLICIES),
    default=POLICIES[0],
    show_default=True,
    help="If the version is there with other content.",
)
@click.option(
    "--working-directory",
    metavar="DIR",
    help="Folder that inputs are relative to and can't leave (default: that of the constructor).",
)
@click.option(
    "--set",
    "settings",
    metavar="K=V",
    multiple=True,
    help="Value for ${K} in the constructor, before the environment's; version=V is also that of "
    "a component without one.",
)
@click.option(
    "--max-input-size",
    metavar="SIZE",
    default="16GiB",
    show_default=True,
    help="Largest content of one input.",
)
@click.option(
    "--schema",
    type=click.Choice(SCHEMAS),
    default=SCHEMAS[0],
    show_default=True,
    help="Form of the descriptor; the newer reference tool reads v2 alone.",
)
@click.option(
    "--skip-reference-digest-processing",
    "skip_digests",
    is_flag=True,
    help="Ask no registry: resources given by access get no digest that they don't have.",
)
@dry_run_option()
@output_option("table", "json", "yaml")
def add_cv(
    context: Context,
    repository: str,
    constructor: str,
    policy: Policy,
    working_directory: str | None,
    settings: Sequence[str],
    max_input_size: str,
    schema: str,
    *,
    dry_run: bool,
    output: str,
    **choices: bool,
) -> None:
    """Make component versions from a constructor and store them."""
    from ocm_pkg.fs.inputs import Workplace
    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.services.construct import construct
    from ocm_pkg.services.publish import publish_all

    spec = RepositorySpec.parse(repository)
    path = context.cwd / constructor
    if path.is_dir():
        path, constructor = path / CONSTRUCTOR, str(Path(constructor) / CONSTRUCTOR)
    parsed, locate = _read_constructor(context, path, constructor, settings)
    folder = _input_folder(context, working_directory) or path.parent
    if not folder.is_dir():
        raise FileMissingError(f"the folder {folder} does not exist", hint="--working-directory")
    target = context.repository(spec, create=True)
    with context.scratch(spec) as scratch:
        workplace = Workplace(folder, scratch, size_of(max_input_size), keep=not dry_run)
        made = construct(
            parsed,
            workplace,
            resolve=target.get,
            locate=locate,
            external=_external(context, **choices),
        )
        for warning in (text for one in made for text in one.warnings):
            context.out.warn(warning)
        with moving(context) as how:
            published = publish_all(
                [(one.descriptor.in_schema(schema), one.contents) for one in made],
                repository=target,
                source=str(spec),
                policy=policy,
                dry_run=dry_run,
                moving=how,
            )
    show_published(context, published, dry_run=dry_run, output=output)


def _external(context: Context, *, skip_digests: bool) -> ResourceRepository | None:
    return None if skip_digests else context.external


def _input_folder(context: Context, named: str | None) -> Path | None:
    if named:
        return context.cwd / named
    configured = context.config.filesystem.working_directory if context.config_files else None
    return context.path_of(configured) if configured else None


def _read_constructor(
    context: Context, path: Path, name: str, settings: Sequence[str]
) -> tuple[Constructor, Callable[[Sequence[str | int]], tuple[str, Sequence[str]]]]:
    """Return the constructor, and what tells where a part of it is and how its line looks."""
    from ocm_pkg.fs.blob import FileBlob, read_all
    from ocm_pkg.model import yamltext
    from ocm_pkg.model.constructor import parse_constructor

    limits = context.documents
    data = read_all(FileBlob(path), limits.size, name)
    variables = {key: value for key, value in context.environ.items() if key != "version"}
    variables |= _settings(settings)
    parsed = parse_constructor(data, name=name, variables=variables, limits=limits)
    document = yamltext.load(data, name=name, limits=limits)

    def locate(member: Sequence[str | int]) -> tuple[str, Sequence[str]]:
        is_list = isinstance(document.value, dict) and "components" in document.value
        found = document.error(member if is_list else member[2:], "")
        return found.at or name, found.detail

    return parsed, locate


def _settings(texts: Sequence[str]) -> dict[str, str]:
    settings = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise UsageError(f"--set {text!r} is no setting", hint="write --set NAME=VALUE")
        settings[key] = value
    return settings
