"""``config show``: the OCM configuration as ocm-pkg understands it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ocm_pkg.cli.options import command, output_option

if TYPE_CHECKING:
    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.model.config import Entry


@command()
@click.option("--origin", is_flag=True, help="Also the file and line of each entry.")
@output_option("table", "json", "yaml")
def show(context: Context, origin: bool, output: str) -> None:
    """Show the merged OCM configuration; secrets are shown as ***.

    Files are looked for in the reference tools' places, or named with --config; later ones win.
    """
    from ocm_pkg.model.config_show import lines

    files = context.config_files
    entries = context.config.entries
    if output != "table":
        value = {
            "files": [str(path) for path in files],
            "entries": [_value(entry, origin=origin) for entry in entries],
        }
        context.out.data(value, output)
        return
    if not files:
        context.out.step("no configuration file was found; --config FILE names one")
        return
    columns = ["type", "what", "says"]
    rows = []
    for one in (line for entry in entries for line in lines(entry)):
        where = [f"{one.file}:{one.line}"] if origin else []
        rows.append([*where, one.type, one.what, one.says])
    context.out.table((["origin"] if origin else []) + columns, rows)


def _value(entry: Entry, *, origin: bool) -> dict[str, Any]:
    from ocm_pkg.model.config_show import shown

    value: dict[str, Any] = {"type": entry.type, "used": entry.kind is not None}
    if origin:
        value["origin"] = {"file": entry.node.file, "line": entry.node.position[0]}
    value["value"] = shown(entry)
    return value
