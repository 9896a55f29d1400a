"""Writes plugin executables for tests, and looks at what they leave."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("scripted_plugin.py")


def write_plugin(folder: Path, name: str, **switches: Any) -> Path:
    """Write an executable plugin that behaves as ``scripted_plugin`` says."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(
        f"#!{sys.executable} -IS\n"
        "import runpy, sys\n"
        f"sys.argv[1:1] = [{json.dumps(switches)!r}]\n"
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
    )
    path.chmod(0o755)
    return path


def write_program(folder: Path, name: str, text: str) -> Path:
    """Write an executable of any sort."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def events(record: Path, word: str) -> list[str]:
    """Return the recorded lines that begin with ``word``, without it."""
    if not record.exists():
        return []
    lines = record.read_text().splitlines()
    return [line.partition(" ")[2] for line in lines if line.partition(" ")[0] == word]


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def own_children() -> set[int]:
    """Return our child processes, zombies too."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid():
                found.add(int(entry.name))
    return found
