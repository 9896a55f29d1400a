"""``ocm-pkg version``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ocm_pkg import __version__
from ocm_pkg.cli.options import command, output_option

if TYPE_CHECKING:
    from ocm_pkg.cli.wiring import Context


@command()
@output_option("text", "json", "yaml")
def version(context: Context, output: str) -> None:
    """Print the version of this program and of its interpreter."""
    python = ".".join(map(str, sys.version_info[:3]))
    context.out.data(
        {"version": __version__, "python": python, "platform": str(context.platform)},
        output,
        text=f"ocm-pkg {__version__} (Python {python}, {context.platform})",
    )
