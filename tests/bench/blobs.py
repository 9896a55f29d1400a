"""How fast one large file becomes a component version, against copying and hashing it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from tests.bench.harness import Figure, interleaved, run_once

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.harness import Run

SIZE = 500 * 1000 * 1000
MEMORY_MIB = 96
_CONSTRUCTOR = """\
name: example.com/bench/large
version: 1.0.0
provider: {name: example.com}
resources:
  - name: large
    type: blob
    input: {type: file, path: large.bin, mediaType: application/octet-stream}
"""


def figures(programs: Path, folder: Path) -> list[Figure]:
    """``add cv`` of one 500 MB file against ``cp`` and ``openssl dgst``; and its peak memory."""
    content = os.urandom(1 << 20)
    with (folder / "large.bin").open("wb") as out:
        for _ in range(SIZE // len(content)):
            out.write(content)
        out.write(content[: SIZE % len(content)])
    (folder / "constructor.yaml").write_text(_CONSTRUCTOR)
    peaks: list[float] = []

    def ours() -> float:
        shutil.rmtree(folder / "ctf", ignore_errors=True)
        command = [str(programs / "ocm-pkg"), "-q", "add", "cv", "-r", "ctf", "-c"]
        done = run_once([*command, "constructor.yaml"], cwd=folder)
        peaks.append(done.peak_mib)
        return done.seconds

    def bound() -> float:
        (folder / "copy.bin").unlink(missing_ok=True)
        copied: Run = run_once(["cp", "--reflink=never", "large.bin", "copy.bin"], cwd=folder)
        hashed: Run = run_once(["openssl", "dgst", "-sha256", "large.bin"], cwd=folder)
        return copied.seconds + hashed.seconds

    seconds, lower = interleaved(ours, bound, rounds=5)
    return [
        Figure.of("add-500MB", seconds, lower, 1.6),
        Figure.of("add-500MB-peak-memory", max(peaks), MEMORY_MIB, 1.0, "MiB"),
    ]
