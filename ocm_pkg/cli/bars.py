"""Progress of transfers: bars on a terminal, for what takes longer than half a second."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self, TextIO

from ocm_pkg.errors import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from rich.progress import Progress, TaskID

DELAY = 0.5
_LONGEST_NAME = 40


class _Item:
    """One blob on its way; ``done`` and ``size`` are in bytes."""

    def __init__(self, name: str, size: int | None) -> None:
        self.name = escaped(name, _LONGEST_NAME)
        self.size = size
        self.done = 0
        self.bar: TaskID | None = None


class Bars:
    """Shows a bar for each blob that is being moved and one for all of them (``model.Progress``).

    Nothing is shown before ``delay`` seconds, nor if ``shown`` is false. Lines that are said
    meanwhile come above the bars. At the end of the ``with`` block the bars are gone.
    """

    def __init__(
        self, err: TextIO, *, shown: bool, color: bool = True, delay: float = DELAY
    ) -> None:
        self._err = err
        self._shown = shown
        self._color = color
        self._lock = threading.RLock()
        self._items: list[_Item] = []
        self._expected = self._finished = self._bytes = 0
        self._bars: Progress | None = None
        self._all: TaskID | None = None
        self._timer = threading.Timer(delay, self._show)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        if self._shown:
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._shown:
            return
        self._timer.cancel()
        with self._lock:
            bars, self._bars, self._shown = self._bars, None, False
        if bars is not None:
            bars.stop()
        self._timer.join()

    def expect(self, count: int) -> None:
        """Take note that so many more blobs are to be moved."""
        with self._lock:
            self._expected += count
            self._update()

    @contextmanager
    def moving(self, name: str, size: int | None) -> Iterator[Callable[[int], None]]:
        """Follow one blob while the block runs; it gets what takes the count of new bytes."""
        if not self._shown:
            yield lambda _count: None
            return
        item = _Item(name, size)
        with self._lock:
            self._items.append(item)
            self._add(item)

        def moved(count: int) -> None:
            with self._lock:
                item.done += count
                self._bytes += count
                self._update(item)

        try:
            yield moved
        finally:
            with self._lock:
                self._items.remove(item)
                self._finished += 1
                self._remove(item)

    def say(self, line: str) -> None:
        """Print a line above the bars, or where there are none."""
        with self._lock:
            if self._bars is not None:
                self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)
            else:
                self._err.write(line + "\n")
                self._err.flush()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
        with self._lock:
            if not self._shown:
                return
            console = Console(file=self._err, no_color=not self._color)
            bars = Progress(
                *columns,
                console=console,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._bars = bars
            self._all = bars.add_task("all", total=None)
            for item in self._items:
                self._add(item)
            self._update()
            bars.start()

    def _add(self, item: _Item) -> None:
        if self._bars is not None:
            item.bar = self._bars.add_task(item.name, total=item.size, completed=item.done)
            self._update()

    def _update(self, item: _Item | None = None) -> None:
        if self._bars is None:
            return
        if item is not None and item.bar is not None:
            self._bars.update(item.bar, completed=item.done)
        if self._all is not None:
            rest = sum(one.size - one.done for one in self._items if one.size is not None)
            total = self._bytes + rest if self._finished + len(self._items) else None
            label = f"{self._finished} of {max(self._expected, self._finished)}"
            self._bars.update(self._all, description=label, completed=self._bytes, total=total)

    def _remove(self, item: _Item) -> None:
        if self._bars is not None and item.bar is not None:
            self._bars.remove_task(item.bar)
        self._update()
