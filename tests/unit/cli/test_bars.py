from __future__ import annotations

import io
import sys
import threading

import pytest

from ocm_pkg.cli.bars import Bars
from ocm_pkg.cli.output import Output


class Terminal(io.StringIO):
    def isatty(self):
        return True


def moved(bars, *items):
    """Move items, each in a thread of its own; the bars are looked at in the middle."""
    middle, go_on = threading.Barrier(len(items) + 1), threading.Event()

    def move(name, size):
        with bars.moving(name, size) as count:
            count(size // 2)
            middle.wait(10)
            assert go_on.wait(10)
            count(size - size // 2)

    threads = [threading.Thread(target=move, args=item) for item in items]
    for thread in threads:
        thread.start()
    middle.wait(10)
    return threads, go_on


def test_without_a_terminal_or_with_quiet_there_are_no_bars_and_no_rich(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    for out in (Output(err=io.StringIO()), Output(err=Terminal(), quiet=True)):
        with out.transfers() as bars:
            bars.expect(1)
            with bars.moving("hello", 100) as count:
                count(100)
            out.step("done")
    assert threading.active_count() == 1


def test_what_is_done_within_the_delay_shows_no_bars():
    err = Terminal()
    with Bars(err, shown=True, delay=60) as bars, bars.moving("hello", 100) as count:
        count(100)
        bars.say("hello is done")
    assert err.getvalue() == "hello is done\n"


def test_each_blob_has_a_bar_and_all_of_them_one():
    err = Terminal()
    with Bars(err, shown=True, color=False, delay=60) as bars:
        bars.expect(3)
        threads, go_on = moved(bars, ("hello", 2_000_000), ("docs\x1b[31m", 4_000_000))
        bars._show()
        bars.say("a line\x07 [b]between[/b]")
        go_on.set()
        for thread in threads:
            thread.join()
        with bars.moving("late", None) as count:
            count(1_000_000)
            bars._bars.refresh()
    shown = err.getvalue()
    for text in ("hello", "docs\\x1b[31m", "0 of 3", "2 of 3", "late", "1.0/2.0 MB", "2.0/4.0 MB"):
        assert text in shown, (text, shown)
    assert "3.0/6.0 MB" in shown
    assert "a line" in shown
    assert "[b]between[/b]" in shown


def interrupted(err):
    with Bars(err, shown=True, delay=0) as bars:
        while bars._bars is None:
            threading.Event().wait(0.01)
        with bars.moving("hello", 100) as count:
            count(1)
            raise KeyboardInterrupt


def test_an_error_in_the_middle_takes_the_bars_away():
    err = Terminal()
    with pytest.raises(KeyboardInterrupt):
        interrupted(err)
    assert "\x1b[?25l" in err.getvalue()
    assert "\x1b[?25h" in err.getvalue()
    assert not [one for one in threading.enumerate() if isinstance(one, threading.Timer)]


def test_lines_and_warnings_of_the_output_go_above_the_bars():
    err = Terminal()
    out = Output(err=err, color="never")
    with out.transfers() as bars:
        bars._show()
        out.step("written  sha256:abc")
        out.warn("careful")
    out.step("after")
    lines = err.getvalue()
    assert "written  sha256:abc" in lines
    assert "warning: careful" in lines
    assert lines.endswith("after\n")
