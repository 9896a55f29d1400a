"""Wheels made in memory, good and bad."""

from __future__ import annotations

import base64
import hashlib
import io
import stat
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

INFORMATION = "demo-1.0.dist-info"
FILES = {
    "demo/__init__.py": b"import json\n",
    "demo/data.txt": b"data\n",
    f"{INFORMATION}/METADATA": b"Metadata-Version: 2.1\nName: Demo\nVersion: 1.0\n",
}


def record_of(files: Mapping[str, bytes]) -> bytes:
    lines = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        lines.append(f"{name},sha256={digest},{len(data)}")
    return "\n".join([*lines, f"{INFORMATION}/RECORD,,"]).encode()


def wheel(
    files: Mapping[str, bytes] = FILES,
    *,
    extra: Mapping[str, bytes] | None = None,
    links: tuple[str, ...] = (),
    record: bytes | None = None,
) -> io.BytesIO:
    """Return a wheel; RECORD vouches for ``files``, and for ``extra`` unless it is given."""
    everything = {**files, **(extra or {})}
    recorded = record_of(everything) if record is None else record
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**everything, f"{INFORMATION}/RECORD": recorded}.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            kind = stat.S_IFLNK if name in links else stat.S_IFREG
            entry.external_attr = (kind | 0o644) << 16
            archive.writestr(entry, data)
    out.seek(0)
    return out
