"""All that the program prints: data on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, cast

from ocm_pkg.errors import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ocm_pkg.cli.bars import Bars
    from ocm_pkg.errors import OcmPkgError
    from ocm_pkg.model.document import JSONValue

_RED, _YELLOW, _BOLD, _RESET = "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[0m"
_LONGEST_CELL = 4096


class Output:
    """Prints results, progress, warnings and errors.

    ``color``: ``always``, ``never``, or ``auto`` (a terminal, and ``NO_COLOR`` is not set).
    ``quiet`` leaves out progress; warnings and errors always come.
    """

    def __init__(
        self,
        *,
        color: str = "auto",
        quiet: bool = False,
        no_color: bool = False,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._quiet = quiet
        self._bars: Bars | None = None
        self._color = color == "always" or (color == "auto" and not no_color and self._err.isatty())
        self._rich = color != "never" and not no_color and self._out.isatty()

    def data(self, value: object, form: str, *, text: str | Callable[[], str] = "") -> None:
        """Print ``value`` as ``json``, ``yaml`` or ``ndjson``; in any other form print ``text``."""
        if form == "json":
            self.line(_json(value, indent=2))
        elif form == "ndjson":
            for item in value if isinstance(value, list) else [value]:
                self.line(_json(item))
        elif form == "yaml":
            from ocm_pkg.model.yamltext import dump

            self._out.write(dump(cast("JSONValue", value)))
        elif shown := text if isinstance(text, str) else text():
            self.line(shown)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows under column names: aligned text, or a table on a terminal."""
        cells = [[escaped(cell, _LONGEST_CELL) for cell in row] for row in rows]
        if self._rich:
            self._rich_table(columns, cells)
            return
        widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
        for row in ([name.upper() for name in columns], *cells):
            padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.line("  ".join(padded).rstrip())

    def _rich_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            table.add_row(*map(Text, row))
        Console(file=self._out).print(table)

    def line(self, text: str) -> None:
        """Print one line of data."""
        self._out.write(text + "\n")

    def raw(self, data: bytes) -> None:
        """Print exact bytes."""
        self._out.flush()
        self._out.buffer.write(data)
        self._out.buffer.flush()

    def step(self, text: str) -> None:
        """Say what was done or is being done; left out with ``--quiet``."""
        if not self._quiet:
            self._say(escaped(text))

    def warn(self, text: str) -> None:
        """Say what may be wrong, though the command goes on."""
        self._say(f"{self._paint(_YELLOW, 'warning:')} {escaped(text)}")

    @contextmanager
    def transfers(self) -> Iterator[Bars]:
        """Show how content moves while the block runs: bars, if standard error is a terminal.

        The block gets what hears of it (``model.published.Progress``).
        """
        from ocm_pkg.cli.bars import Bars

        shown = not self._quiet and self._err.isatty()
        with Bars(self._err, shown=shown, color=self._color) as bars:
            self._bars = bars
            try:
                yield bars
            finally:
                self._bars = None

    def _say(self, line: str) -> None:
        if self._bars is not None:
            self._bars.say(line)
            return
        self._err.write(line + "\n")
        self._err.flush()

    def error(self, error: OcmPkgError, *, as_json: bool, chain: bool = False) -> None:
        """Print an error: as an object on standard output, or for people on standard error."""
        if as_json:
            self.line(_json({"error": error_object(error)}, indent=2))
            return
        label = self._paint(_RED + _BOLD, f"error[{error.code}]:")
        lines = [f"{label} {escaped(error.message)}"]
        lines += [f"  | {escaped(line)}" for line in error.detail]
        if error.at:
            lines.append(f"  at:  {escaped(error.at)}")
        if error.hint:
            lines.append(f"  fix: {escaped(error.hint)}")
        if chain:
            lines += [f"  because: {escaped(cause)}" for cause in causes(error)]
        self._err.write("\n".join(lines) + "\n")

    def _paint(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_RESET}" if self._color else text


def _json(value: object, indent: int | None = None) -> str:
    from ocm_pkg.model.jsontext import escape_hidden

    return escape_hidden(json.dumps(value, indent=indent, ensure_ascii=False))


def error_object(error: OcmPkgError) -> dict[str, Any]:
    """Return ``{"code", "message", "hint", "at"?, "detail"?}``."""
    shown: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
    if error.at:
        shown["at"] = error.at
    if error.detail:
        shown["detail"] = list(error.detail)
    return shown


def causes(error: BaseException) -> Iterator[str]:
    """Yield what led to ``error``, nearest first."""
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield f"{type(cause).__name__}: {cause}"
        cause = cause.__cause__ or cause.__context__
