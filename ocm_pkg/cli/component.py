"""``add cv``, ``get cv``, ``describe cv``, ``download resource`` and ``transfer cv``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ocm_pkg.cli.locating import DEFAULT_REPOSITORY
from ocm_pkg.cli.options import command, dry_run_option, output_option
from ocm_pkg.cli.publishing import moving, show_published
from ocm_pkg.cli.sizes import human_size
from ocm_pkg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.model.descriptor import ComponentDescriptor
    from ocm_pkg.model.reference import ComponentRef
    from ocm_pkg.ports import Repository


def _one(context: Context, text: str, **options: bool) -> tuple[Repository, str, str]:
    """Return repository, component and version of a reference; without a version the newest."""
    from ocm_pkg.cli.locating import find
    from ocm_pkg.model.reference import ComponentRef

    found = find(context, ComponentRef.parse(text), **options)
    return found.repository, found.component, found.version


@command()
@click.argument("ref", default=DEFAULT_REPOSITORY)
@click.option(
    "--recursive", is_flag=True, help="Also what it refers to, directly and further down."
)
@output_option("table", "json", "yaml", "ndjson", "tree")
def get_cv(context: Context, ref: str, recursive: bool, output: str) -> None:
    """Print component versions: one, all of a component, or all of a repository."""
    from ocm_pkg.model.reference import ComponentRef

    repository, keys = _keys(context, ComponentRef.parse(ref))
    found: dict[tuple[str, str], ComponentDescriptor] = {}
    for component, version in keys:
        if recursive:
            from ocm_pkg.store.closure import closure

            whole = closure(repository, component, version, context.references)
            for descriptor in reversed(whole):
                found.setdefault((descriptor.name, descriptor.version), descriptor)
        else:
            found[component, version] = repository.get(component, version)
    values = [descriptor.to_json() for descriptor in found.values()]
    if output == "table":
        rows = [(one.name, one.version, _provider_name(one)) for one in found.values()]
        context.out.table(("component", "version", "provider"), rows)
    else:
        context.out.data(values, output, text=lambda: "\n".join(_tree(keys, found)))


def _keys(context: Context, reference: ComponentRef) -> tuple[Repository, list[tuple[str, str]]]:
    """Return the repository, and component and version of everything that a reference means."""
    if reference.repository is None or reference.component is not None:
        from ocm_pkg.cli.locating import find

        found = find(context, reference)
        return found.repository, [(found.component, version) for version in found.versions]
    repository = context.repository(reference.repository)
    from ocm_pkg.store.repository import ComponentRepository, StoredComponents

    store: Any = repository.store if isinstance(repository, ComponentRepository) else None
    if not hasattr(store, "repositories"):
        raise UsageError(
            f"{reference.repository} can't list its components",
            hint="write REPOSITORY//COMPONENT[:VERSION]",
        )
    names = StoredComponents(store).components()
    return repository, [(name, one) for name in names for one in repository.versions(name)]


def _provider_name(descriptor: ComponentDescriptor) -> str:
    from ocm_pkg.errors import InvalidDocumentError
    from ocm_pkg.model.jsontext import parse_json

    text = descriptor.component.provider
    if text.startswith("{"):
        try:
            value = parse_json(text, name="provider")
        except InvalidDocumentError:
            return text
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            return str(value["name"])
    return text


def _tree(
    keys: Sequence[tuple[str, str]], found: Mapping[tuple[str, str], ComponentDescriptor]
) -> list[str]:
    """Return component versions with their elements; what was not fetched is named only."""
    lines: list[str] = []
    for key in keys:
        lines.append(f"{key[0]}:{key[1]}")
        _branch(found[key], dict(found), "", lines)
    return lines


def _branch(
    descriptor: ComponentDescriptor,
    unshown: dict[tuple[str, str], ComponentDescriptor],
    indent: str,
    lines: list[str],
) -> None:
    """Add the lines below a component version; each that it leads to is opened once."""
    from ocm_pkg.errors import escaped
    from ocm_pkg.model.identity import show

    component = descriptor.component
    entries: list[tuple[str, ComponentDescriptor | None]] = [
        (f"{one.type} {show(one.identity)}", None) for one in component.resources
    ]
    entries += [(f"source {one.type} {show(one.identity)}", None) for one in component.sources]
    for reference in component.component_references:
        key = (reference.component_name, reference.version)
        entries.append((f"{reference.name} -> {key[0]}:{key[1]}", unshown.pop(key, None)))
    for index, (text, child) in enumerate(entries):
        is_last = index == len(entries) - 1
        lines.append(f"{indent}{'└─ ' if is_last else '├─ '}{escaped(text)}")
        if child is not None:
            _branch(child, unshown, indent + ("   " if is_last else "│  "), lines)


@command()
@click.argument("ref")
@output_option("text", "json", "yaml")
def describe_cv(context: Context, ref: str, output: str) -> None:
    """Describe one component version for people (default: the newest)."""
    from ocm_pkg.cli.description import description, description_text

    repository, component, version = _one(context, ref)
    value = description(repository.get(component, version), repository)
    context.out.data(value, output, text=lambda: description_text(value))


@command()
@click.argument("ref")
@click.option(
    "--identity",
    "identities",
    metavar="K=V,...",
    multiple=True,
    required=True,
    help="Which resource: name=..., and as many other attributes as it takes.",
)
@click.option(
    "--output",
    "-O",
    "output_file",
    metavar="FILE",
    help="Where to write it (default: a file called like the resource, here).",
)
@dry_run_option()
def download_resource(
    context: Context, ref: str, identities: Sequence[str], output_file: str | None, *, dry_run: bool
) -> None:
    """Write a resource to a file; the file appears only if every byte is as promised."""
    from ocm_pkg.model.identity import parse
    from ocm_pkg.services.download import download

    repository, component, version = _one(context, ref)
    with context.out.transfers() as progress:
        done = download(
            component,
            version,
            parse(identities),
            repository=repository,
            external=context.external,
            output=context.cwd / (output_file or "."),
            dry_run=dry_run,
            progress=progress,
        )
    context.out.step(f"{done.digest}  {human_size(done.size)}")
    if dry_run:
        context.out.step(f"would write {done.path}")
        return
    context.out.line(str(done.path))


@command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.option(
    "--recursive/--no-recursive",
    default=None,
    help="Also what it refers to, directly and further down.",
)
@click.option(
    "--copy-resources/--no-copy-resources",
    default=None,
    help="Store content of resources that is kept elsewhere with the copy, too.",
)
@click.option("--replace", is_flag=True, help="Replace what is there with other content.")
@click.option(
    "--prefer-plugins", is_flag=True, help="Open both repositories through plugins where possible."
)
@dry_run_option()
@output_option("table", "json", "yaml")
def transfer_cv(
    context: Context,
    source: str,
    destination: str,
    *,
    prefer_plugins: bool,
    output: str,
    recursive: bool | None,
    copy_resources: bool | None,
    **choices: Any,  # noqa: ANN401 - the flags that the service takes as they are
) -> None:
    """Copy component versions from one repository to another, signatures kept."""
    from ocm_pkg.model.reference import ComponentRef
    from ocm_pkg.services.transfer import transfer

    target = ComponentRef.parse(destination)
    spec = target.repository
    if target.component is not None or spec is None:
        raise UsageError(
            f"{destination} names a component, and a repository is wanted",
            hint=f"write {spec or 'REPOSITORY'}: the component keeps its name and version",
        )
    configured = context.config.transfer
    wanted = configured.recursive if recursive is None else recursive
    origin, component, version = _one(context, source, prefer_plugins=prefer_plugins)
    by_value = configured.copy_all if copy_resources is None else copy_resources
    with moving(context) as how:
        published = transfer(
            component,
            version,
            source=origin,
            destination=context.repository(spec, create=True, prefer_plugins=prefer_plugins),
            repository=str(spec),
            recursive=context.references if wanted else False,
            external=context.external if by_value else None,
            moving=how,
            **choices,
        )
    show_published(context, published, dry_run=choices["dry_run"], output=output)
