"""What plugins write, made safe to show."""

from __future__ import annotations

import logging

import pytest

from ocm_pkg.plugin import logs
from ocm_pkg.plugin.text import LineSplitter, Tail, escape_bytes


def test_the_tail_keeps_the_last_lines_escaped_and_cut():
    tail = Tail(lines=2)
    for line in (b"one", b"two\x1b[31m", b"x" * 5000):
        tail.add(line)
    first, second = tail.lines()
    assert first == "two\\x1b[31m"
    assert len(second) == 1001


def test_an_overlong_line_is_cut_and_the_next_is_whole():
    splitter = LineSplitter(limit=10)
    assert splitter.feed(b"a" * 25) == []
    assert splitter.feed(b"b" * 25 + b"\nnext\r\nrest") == [b"a" * 10, b"next"]
    assert splitter.end() == [b"rest"]
    assert splitter.end() == []


def test_bytes_that_are_no_text_are_shown():
    assert escape_bytes(b"\xff\xfe ok") == "\\xff\\xfe ok"


@pytest.mark.parametrize(
    ("line", "level", "text"),
    [
        (b'{"level":"WARN","msg":"m","time":"t","n":1}', logging.WARNING, "m n=1"),
        (b'{"level":"ERROR","msg":"a\\nplugin other: b"}', logging.ERROR, "a\\nplugin other: b"),
        (b'{"level":"INFO","msg":7}', logging.INFO, "7"),
        (b'{"level":null}', logging.DEBUG, ""),
        (b"plain \x1b[1m", logging.DEBUG, "stderr: plain \\x1b[1m"),
        (b"{not json", logging.DEBUG, "stderr: {not json"),
        (b"[1]", logging.DEBUG, "stderr: [1]"),
        (b"{" * 100_000, logging.DEBUG, None),
    ],
)
def test_M22_log_lines_are_repeated_at_their_level_with_our_prefix(caplog, line, level, text):
    with caplog.at_level(logging.DEBUG, "ocm_pkg.plugin.logs"):
        logs.repeat_error_line("hello", line)
    (record,) = caplog.records
    assert record.levelno == level
    assert record.getMessage().isprintable()
    if text is not None:
        assert record.getMessage() == f"plugin hello: {text}"
