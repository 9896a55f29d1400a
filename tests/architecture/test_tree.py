"""The tree that docs/architecture.md draws is the tree on disk."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
LIMIT = 400


def drawn() -> set[str]:
    """Return every file below ocm_pkg/ that section 2 of the architecture names."""
    text = (PROJECT / "docs/architecture.md").read_text(encoding="utf-8")
    section = text.split("## 2. ")[1].split("## 3. ")[0]
    folders: list[tuple[int, str]] = []
    files: set[str] = set()
    for line in section.splitlines():
        found = re.match(r"( {4,})(\S.*)", line)
        if not found:
            continue
        indent, words = len(found[1]), found[2].split()
        while folders and folders[-1][0] >= indent:
            folders.pop()
        if words[0].endswith("/") and indent < 12:
            folders.append((indent, words[0]))
            words = words[1:]
        prefix = "".join(name for _, name in folders)
        if not prefix.startswith("ocm_pkg/"):
            continue
        for word in words:
            if not re.fullmatch(r"[\w.-]+\.py", word):
                break
            files.add(prefix + word)
    return files


def on_disk() -> set[str]:
    """Return every Python file of the package that has code of its own."""
    files = (PROJECT / "ocm_pkg").rglob("*.py")
    return {
        str(path.relative_to(PROJECT))
        for path in files
        if path.name != "__init__.py" or path.parent.name == "ocm_pkg"
    }


def test_every_module_is_in_the_tree_and_every_line_of_the_tree_is_a_module():
    assert drawn() - on_disk() == set(), "drawn, but not on disk"
    assert {name for name in on_disk() - drawn() if "__init__" not in name} == set(), (
        "on disk, but not drawn"
    )


def test_no_file_is_longer_than_400_lines():
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.split()
    long = {
        name: lines
        for name in listed
        if (PROJECT / name).exists()
        and (lines := (PROJECT / name).read_text(encoding="utf-8").count("\n")) > LIMIT
    }
    assert long == {}


def test_every_package_room_says_what_it_is_for():
    for init in (PROJECT / "ocm_pkg").glob("*/__init__.py"):
        assert init.read_text(encoding="utf-8").startswith('"""'), init
