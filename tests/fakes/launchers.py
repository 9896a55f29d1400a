"""Launchers put together by hand, and the real one compiled once."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import zlib
from typing import TYPE_CHECKING, Any

from ocm_pkg.builders.launchers import SOURCE, go_command, go_environment
from ocm_pkg.fs.process import run
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.trailer import MAGIC, SIZE, Trailer
from tests.fakes.binaries import elf

if TYPE_CHECKING:
    from pathlib import Path

STUB = elf() + bytes(200)
"""Begins like a program for linux/amd64, and is none."""


def launcher(
    packed: bytes,
    program: str = "hello/hello",
    *,
    capabilities: bytes = b"",
    stub: bytes = STUB,
    **lies: Any,
) -> bytes:
    """Return a launcher; ``lies`` replace what its trailer says."""
    try:
        unpacked = len(gzip.decompress(packed))
    except (OSError, EOFError, zlib.error):
        unpacked = 1
    members: dict[str, Any] = {
        "launcher_size": len(stub),
        "capabilities_size": len(capabilities),
        "payload_size": len(packed),
        "unpacked_size": unpacked or 1,
        "capabilities": digest_of(capabilities),
        "payload": digest_of(packed),
        "program": program,
        **lies,
    }
    return stub + capabilities + packed + Trailer(**members).encode()


def parts_of(data: bytes) -> tuple[Trailer, bytes, bytes, bytes]:
    """Return the trailer, the executable, the answer and the payload of a launcher."""
    trailer = Trailer.parse(data[-SIZE:], file_size=len(data), name="launcher")
    start, payload = trailer.launcher_size, trailer.payload_offset
    return trailer, data[:start], data[start:payload], data[payload:-SIZE]


def program_in(file: Path, folder: Path) -> Path:
    """Return the program in a launcher, unpacked into ``folder``; a file that is none, itself."""
    data = file.read_bytes()
    if MAGIC not in data[-SIZE:]:
        return file
    trailer, _, _, packed = parts_of(data)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder / trailer.program


def compiled(platform: Any, folder: Path, environ: dict[str, str], source: Path = SOURCE) -> bytes:
    """Return the real launcher for ``platform``; needs ``go``."""
    go = shutil.which("go")
    assert go is not None
    output = folder / f"launcher-{platform.os}-{platform.architecture}"
    env = go_environment(environ, platform, folder)
    done = run(go_command(go, output), env=env, cwd=source, timeout=300, max_output=1 << 20)
    assert done.returncode == 0, done.stderr.decode()
    return output.read_bytes()
