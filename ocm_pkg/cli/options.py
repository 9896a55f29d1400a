"""Options that work on every command, and how a command is declared."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

LOG_LEVELS = ("debug", "info", "warn", "error")


@dataclass(slots=True)
class Settings:
    """What the options of every command say; None where one was not given."""

    quiet: bool | None = None
    verbose: bool | None = None
    color: str | None = None
    no_input: bool | None = None
    offline: bool | None = None
    plain_http: bool | None = None
    loglevel: str | None = None
    plugin_directory: str | None = None
    config: tuple[str, ...] | None = None
    limit: tuple[str, ...] | None = None

    def update(self, other: dict[str, Any]) -> None:
        """Take over every option that was given; the one nearest to the command wins.

        What can be given several times is added up.
        """
        for name, value in other.items():
            if isinstance(value, tuple):
                setattr(self, name, (*(getattr(self, name) or ()), *value))
            elif value is not None:
                setattr(self, name, value)


_COMMON = (
    click.option("-q", "--quiet", is_flag=True, default=None, help="No progress, only results."),
    click.option("-v", "--verbose", is_flag=True, default=None, help="Show the chain of causes."),
    click.option("--color", type=click.Choice(["auto", "always", "never"]), help="Colour."),
    click.option(
        "--no-input", is_flag=True, default=None, help="Never ask; an error where `login` would."
    ),
    click.option(
        "--offline", is_flag=True, default=None, help="Open no connection to the network."
    ),
    click.option(
        "--plain-http",
        is_flag=True,
        default=None,
        help="Registries without a scheme are http, not https.",
    ),
    click.option("--loglevel", type=click.Choice(LOG_LEVELS), help="Log to standard error."),
    click.option(
        "--plugin-directory",
        metavar="DIR",
        help="Plugin folder (default: OCM_PLUGIN_DIRECTORY, or ~/.config/ocm/plugins).",
    ),
    click.option(
        "--config",
        metavar="FILE",
        multiple=True,
        help="OCM configuration instead of those that are looked for; can be given again.",
    ),
    click.option(
        "--limit",
        metavar="NAME=VALUE",
        multiple=True,
        help="Another limit than the default, like components=5000; can be given again.",
    ),
)
_NAMES = tuple(field.name for field in fields(Settings))


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command to a click callback; they arrive as keywords."""
    for option in reversed(_COMMON):
        function = option(function)
    return function


def split_common(keywords: dict[str, Any]) -> dict[str, Any]:
    """Remove the options of every command from ``keywords`` and return them."""
    return {name: keywords.pop(name) for name in _NAMES}


def command() -> Callable[[Callable[..., None]], click.Command]:
    """Declare a command: a function of a ``Context`` and its own parameters."""

    def declare(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def callback(**keywords: Any) -> None:  # noqa: ANN401
            from ocm_pkg.cli.wiring import Context

            settings = click.get_current_context().ensure_object(Settings)
            settings.update(split_common(keywords))
            with Context.of(settings) as context:
                function(context, **keywords)

        help_names = {"help_option_names": ["-h", "--help"]}
        return click.command(cls=click.Command, context_settings=help_names)(
            common_options(callback)
        )

    return declare


def output_option(*formats: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``-o/--output FORMAT``; the first format is the default."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Form of the output.",
    )


def dry_run_option() -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``--dry-run``."""
    return click.option("--dry-run", is_flag=True, help="Say what would be written; write nothing.")
