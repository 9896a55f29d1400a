"""``python -m tests.bench``: measure, write ``bench.json``, print the table."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.bench import blobs, builds, documents, plugins, registry, scale, start, verifying
from tests.bench.programs import install

PROJECT = Path(__file__).resolve().parents[2]
GROUPS = {
    "start": start.figures,
    "documents": documents.figures,
    "verifying": verifying.figures,
    "blobs": blobs.figures,
    "registry": registry.figures,
    "plugins": plugins.figures,
    "builds": builds.figures,
    "scale": scale.figures,
}
"""Each gets the folder of installed programs and an empty folder, and returns its figures."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail on a missed goal")
    parser.add_argument("--only", choices=GROUPS, action="append", help="measure this group")
    arguments = parser.parse_args()
    figures = []
    with tempfile.TemporaryDirectory(prefix="ocm-pkg-bench-") as scratch:
        programs = install(PROJECT, Path(scratch))
        for name in arguments.only or GROUPS:
            folder = Path(scratch) / name
            folder.mkdir()
            figures += GROUPS[name](programs, folder)
    (PROJECT / "bench.json").write_text(
        json.dumps([figure.to_json() for figure in figures], indent=1) + "\n"
    )
    print(f"{'name':34} {'ours':>10} {'bound':>10} {'ratio':>7} {'goal':>6}")
    for figure in figures:
        mark = "" if figure.met else "  MISSED"
        row = f"{figure.name:34} {figure.ours:>10.4f} {figure.bound:>10.4f} {figure.ratio:>7.3f}"
        print(f"{row} {figure.goal:>6} {figure.unit}{mark}")
    if arguments.check and not all(figure.met for figure in figures):
        sys.exit(1)


if __name__ == "__main__":
    main()
