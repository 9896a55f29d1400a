"""The component constructor of ocm-pkg as a program: no plugin, so `ocm-pkg package` makes none.

Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freeze_project import COMPONENT

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = {
    "sbom": (".cdx.json", "application/vnd.cyclonedx+json"),
    "licences": (".licences.tar.gz", "application/x-tar+gzip"),
}
"""What `ocm-pkg build` leaves beside a binary: how the file's name ends, and its media type."""


def constructor(part: dict[str, Any], dist: Path) -> dict[str, Any]:
    """Return the component constructor of the program: an executable for each platform."""
    version = part["version"]
    resources: list[dict[str, Any]] = []

    def add(name: str, kind: str, platform: str, path: str, media_type: str) -> None:
        os_name, architecture = platform.split("/")
        resources.append(
            {
                "name": name,
                "version": version,
                "type": kind,
                "relation": "local",
                "extraIdentity": {"os": os_name, "architecture": architecture},
                "input": {"type": "file", "path": path, "mediaType": media_type},
            }
        )

    for target in part["targets"]:
        platform = target["platform"]
        stem = f"ocm-pkg.{platform.replace('/', '-')}"
        suffix = ".exe" if platform.startswith("windows/") else ""
        add("ocm-pkg", "executable", platform, stem + suffix, "application/octet-stream")
        for kind, (ending, media_type) in DOCUMENTS.items():
            if (dist / (stem + ending)).is_file():
                add(f"ocm-pkg-{kind}", kind, platform, stem + ending, media_type)
    component = {"name": COMPONENT, "version": version, "provider": {"name": "ocm.software"}}
    return {"components": [{**component, "resources": resources}]}
