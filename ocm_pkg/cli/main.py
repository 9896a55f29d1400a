"""The command line: finds the command, runs it, turns errors into text and exit codes."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from ocm_pkg import __version__
from ocm_pkg._typing import override
from ocm_pkg.cli.commands import COMMANDS, Entry, Group
from ocm_pkg.cli.options import Settings, common_options
from ocm_pkg.cli.output import Output
from ocm_pkg.errors import LocalStorageError, NoSpaceError, OcmPkgError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

_CANCELLED = 130
_HELP = {"help_option_names": ["-h", "--help"]}


class LazyGroup(click.Group):
    """A group that knows its commands from a table and imports only the chosen one."""

    def __init__(self, table: Mapping[str, Entry | Group], **attributes: Any) -> None:  # noqa: ANN401
        super().__init__(context_settings=_HELP, **attributes)
        self._table = table

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._table)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self._table.get(cmd_name) or self._alias(cmd_name)
        if entry is None:
            return None
        if isinstance(entry, Group):
            return LazyGroup(entry.commands, name=cmd_name, help=entry.help)
        loaded = getattr(import_module(entry.module), entry.attribute)
        if not isinstance(loaded, click.Command):
            raise TypeError(f"{entry.module}.{entry.attribute} is no command")
        return loaded

    def _alias(self, name: str) -> Entry | None:
        for entry in self._table.values():
            if isinstance(entry, Entry) and name in entry.aliases:
                return entry
        return None

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name, self._table, n=1)
            raise UsageError(
                f"{ctx.command_path} has no command {name!r}",
                hint=f"did you mean {ctx.command_path} {near[0]}?"
                if near
                else f"{ctx.command_path} --help lists the commands",
            )
        return super().resolve_command(ctx, args)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self._table.items()])


def _root() -> LazyGroup:
    @common_options
    @click.pass_context
    def callback(ctx: click.Context, /, **keywords: Any) -> None:  # noqa: ANN401
        ctx.ensure_object(Settings).update(keywords)

    root = LazyGroup(
        COMMANDS,
        name="ocm-pkg",
        callback=callback,
        params=callback.__click_params__[::-1],  # type: ignore[attr-defined]
        help="Build, sign, distribute, install and run plugins of the Open Component Model.",
    )
    return click.version_option(__version__, prog_name="ocm-pkg", message="%(prog)s %(version)s")(
        root
    )


def run(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code. Only a signal raises: ``SystemExit``."""
    settings = Settings()
    _end_on_signals()
    try:
        _root().main(list(arguments), prog_name="ocm-pkg", standalone_mode=False, obj=settings)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as help_shown:
        sys.stdout.write(help_shown.ctx.get_help() + "\n")
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except (KeyboardInterrupt, click.Abort):
        if not settings.quiet:
            sys.stderr.write("cancelled\n")
        return _CANCELLED
    except BrokenPipeError:
        # The reader left (`| head -1`): not an error of ours; nothing more can be printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as error:  # noqa: BLE001 (the last line of defence: no traceback for users)
        return _report(error, settings, arguments)
    return 0


def _report(error: Exception, settings: Settings, arguments: Sequence[str]) -> int:
    known = _as_known(error)
    if settings.verbose and known.code == "E199":
        raise error
    output = Output(color=settings.color or "auto", no_color="NO_COLOR" in os.environ, quiet=True)
    if not getattr(error, "shown", False):
        output.error(known, as_json=_wants_json(arguments), chain=bool(settings.verbose))
    return known.exit_code


class _InternalError(OcmPkgError):
    code = "E199"


def _as_known(error: Exception) -> OcmPkgError:
    if isinstance(error, OcmPkgError):
        return error
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "ocm-pkg"
        return UsageError(error.format_message(), hint=f"{path} --help shows what it takes")
    if isinstance(error, OSError):
        what = (
            f"{error.strerror or error}: {error.filename}"
            if error.filename
            else str(error.strerror or error)
        )
        if error.errno is not None and os.strerror(error.errno) == "No space left on device":
            return NoSpaceError(what, hint="free some space and run the command again")
        return LocalStorageError(what)
    return _InternalError(
        f"internal error: {type(error).__name__}: {error}",
        hint="run it again with -v and report what it prints",
    )


def _wants_json(arguments: Sequence[str]) -> bool:
    """Whether ``-o json`` was asked for; read from the text: errors may come before parsing."""
    for option, value in zip(arguments, [*arguments[1:], ""], strict=True):
        if option in {"-ojson", "-o=json", "--output=json"}:
            return True
        if option in {"-o", "--output"} and value == "json":
            return True
    return False


def _end_on_signals() -> None:
    """Let SIGTERM and SIGHUP unwind as SIGINT does, so that nothing is left behind."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end)
