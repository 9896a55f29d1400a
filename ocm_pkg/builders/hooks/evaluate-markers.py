"""Say which conditions of requirements hold on another platform; run by a Python that has pip.

Reads ``{"environment": {...}, "markers": [...]}`` and prints a list of truths, both as JSON.
"""  # noqa: INP001

from __future__ import annotations

import json
import sys
from importlib import import_module


def main() -> None:
    """Evaluate the conditions that come on standard input."""
    asked = json.load(sys.stdin)
    marker = import_module("pip._vendor.packaging.markers").Marker
    truths = [marker(text).evaluate(asked["environment"]) for text in asked["markers"]]
    json.dump(truths, sys.stdout)


if __name__ == "__main__":
    main()
