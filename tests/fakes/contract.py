"""``ocm-pkg test`` of a plugin that must pass: what failed, and why, is in the assertion."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.command import Command


def passes(command: Command, *words: object, cwd: Path, timeout: float = 60) -> dict[str, str]:
    """Run the test of a plugin; return the detail of each check, by its name."""
    ran = command("test", *words, "-o", "json", cwd=cwd, timeout=timeout)
    checks = ran.json.get("checks", [])
    failed = [(one["check"], one["detail"]) for one in checks if one["result"] == "failed"]
    assert (ran.code, failed) == (0, []), ran.err
    return {one["check"]: one["detail"] for one in checks}
