"""What verifying costs beyond hashing the content."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from tests.bench.harness import Figure, interleaved, run_once

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 6
SIZE = 15 * 1000 * 1000


def prepare(programs: Path, folder: Path, name: str, size: int) -> str:
    """Make and sign a component version of six files; return its reference."""
    lines = [
        f"name: example.com/bench/{name}",
        "version: 1.0.0",
        "provider: {name: example.com}",
        "resources:",
    ]
    for number in range(COUNT):
        path = f"{name}-{number}.bin"
        (folder / path).write_bytes(os.urandom(size))
        lines.append(
            f"  - {{name: blob-{number}, type: blob, input: {{type: file, path: {path}}}}}"
        )
    (folder / f"{name}.yaml").write_text("\n".join(lines) + "\n")
    reference = f"ctf//example.com/bench/{name}:1.0.0"
    program = str(programs / "ocm-pkg")
    for words in (
        ["add", "cv", "-r", "ctf", "-c", f"{name}.yaml"],
        ["sign", "cv", reference, "--key", "bench.private.pem"],
    ):
        subprocess.run([program, "-q", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return reference


def figures(programs: Path, folder: Path) -> list[Figure]:
    """``verify cv`` of six 15 MB blobs above the same on empty ones, against ``openssl dgst``."""
    program = str(programs / "ocm-pkg")
    new = [program, "key", "new", "bench", "--out", "."]
    subprocess.run(new, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    large = prepare(programs, folder, "large", SIZE)
    empty = prepare(programs, folder, "empty", 0)
    files = [f"large-{number}.bin" for number in range(COUNT)]

    def verify(reference: str) -> float:
        words = ["-q", "verify", "cv", reference, "--key", "bench.public.pem"]
        return run_once([program, *words], cwd=folder).seconds

    def hashing() -> float:
        return run_once(["openssl", "dgst", "-sha256", *files], cwd=folder).seconds

    with_content, without = interleaved(lambda: verify(large), lambda: verify(empty), rounds=9)
    bound, _ = interleaved(hashing, lambda: 0.0, rounds=9)
    return [Figure.of("verify-6x15MB", max(with_content - without, 0.0), bound, 1.3)]
