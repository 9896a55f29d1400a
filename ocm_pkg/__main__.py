"""The program ``ocm-pkg``; also ``python -m ocm_pkg``."""

from __future__ import annotations

import os
import sys

from ocm_pkg import __version__


def main() -> None:
    """Run the command line and exit with its code.

    ``--version`` is answered here, before anything is imported: scripts ask it often.
    """
    _fill_closed_streams()
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"ocm-pkg {__version__}\n")
        return
    from ocm_pkg.cli.main import run

    sys.exit(run(sys.argv[1:]))


def _fill_closed_streams() -> None:
    """Open the null device for streams that the caller closed: files must not get their numbers."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


if __name__ == "__main__":
    main()
