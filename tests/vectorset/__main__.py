"""``python -m tests.vectorset``: run a set of vectors through the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.vectorset import suite
from tests.vectorset.commands import PROJECT


def main() -> int:
    """Print what failed, and the counts; return 1 if anything failed or nothing was asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.vectorset", description=__doc__)
    parser.add_argument(
        "--set", type=Path, default=PROJECT.parent / "shared/vectors", metavar="DIR"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="list the ids")
    parser.add_argument("--only", default="*", metavar="GLOB", help="vectors with such an id")
    parser.add_argument(
        "--processes", action="store_true", help="start a process for each command (slower)"
    )
    arguments = parser.parse_args()
    folder = arguments.set.resolve()
    if not (folder / "MANIFEST.json").is_file():
        parser.error(f"{folder} holds no set of vectors: it has no MANIFEST.json")
    counts = {"passed": 0, "failed": 0, "not asked": 0}
    for outcome in suite.run(folder, only=arguments.only, processes=arguments.processes):
        counts[outcome.word.lower().partition(":")[0]] += 1
        if arguments.verbose or outcome.problems:
            print(f"{outcome.id}: {outcome.word} ({outcome.seconds:.1f} s)", flush=True)
        for problem in outcome.problems:
            print(f"    {problem}", flush=True)
    passed, failed, not_asked = counts.values()
    rest = f", {not_asked} not asked" if not_asked else ""
    print(f"{passed} passed, {failed} failed{rest}")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
