"""The program ``ocm-pkg``; also ``python -m ocm_pkg``."""

from __future__ import annotations

import sys

from ocm_pkg import __version__


def main() -> None:
    """Run the command line and exit with its code.

    ``--version`` is answered here, before anything is imported: scripts ask it often.
    """
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"ocm-pkg {__version__}\n")
        return
    from ocm_pkg.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
