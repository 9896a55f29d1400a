"""``attach cv``: a file beside a component version, as an OCI artifact that refers to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from ocm_pkg.cli.options import command, dry_run_option, output_option
from ocm_pkg.errors import UsageError, escaped

if TYPE_CHECKING:
    from ocm_pkg.cli.wiring import Context

_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
)


@command()
@click.argument("ref")
@click.argument("file")
@click.option(
    "--type",
    "artifact_type",
    metavar="MEDIATYPE",
    required=True,
    help="What it is, like application/vnd.cyclonedx+json.",
)
@dry_run_option()
@output_option("text", "json", "yaml")
def attach_cv(
    context: Context, ref: str, file: str, artifact_type: str, output: str, *, dry_run: bool
) -> None:
    """Attach FILE to a component version: a report, an SBOM of its own.

    It is stored beside it (an OCI referrer), and no signature covers it.
    """
    from ocm_pkg.fs.blob import FileBlob, verify
    from ocm_pkg.store.attachments import attach

    if not _MEDIA_TYPE.fullmatch(artifact_type):
        raise UsageError(
            f"{escaped(artifact_type, 80)!r} is no media type",
            hint="write --type application/vnd.cyclonedx+json",
        )
    spec, repository, descriptor = context.component_version(ref)
    path = context.cwd / file
    blob = FileBlob(path, artifact_type)
    digest, size = verify(blob)
    value = {
        "component": descriptor.name,
        "version": descriptor.version,
        "repository": str(spec),
        "artifactType": artifact_type,
        "content": {"digest": str(digest), "size": size},
    }
    stored = None
    if not dry_run:
        stored = attach(
            repository,
            descriptor.name,
            descriptor.version,
            FileBlob(path, artifact_type, size, digest),
            artifact_type=artifact_type,
            title=path.name,
        )
        value["digest"] = str(stored.digest)
    done = "would attach" if dry_run else "attached"
    context.out.step(f"{done} {path.name} to {descriptor.name}:{descriptor.version}")
    name = f"{spec}//{descriptor.name}:{descriptor.version}"
    context.out.data(value, output, text=f"{name}  {value['digest']}" if stored else name)
