from __future__ import annotations

import json
import logging
import os
import sys

import pytest

from ocm_pkg.sdk.log import MAX_LINE, Log, bridge_logging


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def test_a_line_is_json_with_texts_for_level_and_message(pipe):
    Log(pipe[1]).write("INFO", "a\nb", status=200, ms=0.5)
    data = os.read(pipe[0], 10000)
    assert data.endswith(b"}\n")
    assert data.count(b"\n") == 1
    entry = json.loads(data)
    assert entry.pop("time").endswith("Z")
    assert entry == {"level": "INFO", "msg": "a\nb", "status": 200, "ms": 0.5}


@pytest.mark.parametrize("text", ["x" * 10**6, "\u00e9" * 10**5, "\x00" * 10**5])
def test_a_line_is_never_longer_than_a_pipe_takes_at_once(pipe, text):
    Log(pipe[1]).write("ERROR", text, trace=text, more=[text])
    data = os.read(pipe[0], 100000)
    assert len(data) <= MAX_LINE
    assert json.loads(data)["msg"].endswith(text[-100:])


def test_a_full_pipe_drops_lines_and_never_blocks(pipe):
    log = Log(pipe[1])
    for _ in range(100):
        log.write("INFO", "x" * 2000)
    assert os.read(pipe[0], 10**6).endswith(b"}\n")


def test_a_log_that_nobody_reads_any_more_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    Log(writer).write("INFO", "lost")
    os.close(writer)
    Log(writer).write("INFO", "lost")


def test_what_plugin_code_logs_becomes_lines(pipe, monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    bridge_logging(Log(pipe[1]))
    bridge_logging(Log(pipe[1]))
    assert len(root.handlers) == 1
    logging.getLogger("a.b").warning("it is %s", "so")
    entry = json.loads(os.read(pipe[0], 10000))
    assert (entry["level"], entry["msg"], entry["logger"]) == ("WARN", "it is so", "a.b")


def test_a_plugin_that_does_not_log_does_not_load_logging(pipe, monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.delitem(sys.modules, "logging")
    bridge_logging(Log(pipe[1]))
    assert root.handlers == []
