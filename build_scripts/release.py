"""Release what build machines built: join, construct, sign, verify, publish.

Takes the dist folders that they left, each with binaries and part.json. The component version is
made, signed and verified in a temporary folder, and transferred to the repository at the end: if
a step fails, the repository is as it was. Runs on the Python of an environment that
environment.py made; standard library only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

PRIVATE, PUBLIC = ".private.pem", ".public.pem"


def ocm_pkg(*words: str | Path) -> None:
    """Run one command, its results with its messages; end with its exit code if it fails."""
    command = [sys.executable, "-m", "ocm_pkg", *map(str, words)]
    done = subprocess.run(command, stdout=sys.stderr, check=False)  # noqa: S603 (our own)
    if done.returncode:
        step = " ".join(str(word) for word in words[:2] if not Path(word).is_absolute())
        sys.stderr.write(f"not released: `ocm-pkg {step}` ended with {done.returncode}\n")
        sys.exit(done.returncode)


def public_half(key: Path) -> Path:
    """Return the file that `ocm-pkg key new` puts beside a private key."""
    return key.with_name(key.name.removesuffix(PRIVATE) + PUBLIC)


def release(options: argparse.Namespace, folder: Path) -> str:
    """Do all steps, with ``folder`` for what is between them; return the new reference."""
    dist, repository = folder / "dist", folder / "ctf"
    project = ("--project", options.project, *(["--partial"] if options.partial else []))
    ocm_pkg("merge", *options.dist, "--out", dist, *project)
    part = json.loads((dist / "part.json").read_bytes())
    name = f"{part['component']}:{part['version']}"
    made = f"{repository}//{name}"
    ocm_pkg("package", "--to", repository, "--out", dist, *project)
    signature = ("--signature", options.signature)
    ocm_pkg("sign", "cv", made, "--key", options.key, *signature)
    ocm_pkg("verify", "cv", made, "--key", options.public_key, *signature)
    ocm_pkg("transfer", "cv", made, options.to)
    return f"{options.to.removesuffix('//')}//{name}"


def main() -> None:
    """Read the arguments, release, print the reference."""
    parser = argparse.ArgumentParser(description="Join, construct, sign, verify and publish.")
    parser.add_argument("dist", type=Path, nargs="+", help="folder of a build machine")
    parser.add_argument("--to", required=True, metavar="REPO", help="repository to publish to")
    parser.add_argument(
        "--key", required=True, type=Path, metavar="FILE", help="private key to sign with"
    )
    parser.add_argument(
        "--public-key",
        type=Path,
        metavar="FILE",
        help=f"to verify with (default: {PUBLIC} beside the private key)",
    )
    parser.add_argument(
        "--signature", default="default", metavar="NAME", help="its name (%(default)s)"
    )
    parser.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="folder with ocm-pkg.yaml"
    )
    parser.add_argument("--partial", action="store_true", help="release though targets are missing")
    options = parser.parse_args()
    options.public_key = options.public_key or public_half(options.key)
    hints = {
        options.key: "make a pair with `ocm-pkg key new`",
        options.public_key: "name it: --public-key FILE",
    }
    for key, hint in hints.items():
        if not key.is_file():
            sys.exit(f"error: there is no key {key}\n  fix: {hint}")
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        print(release(options, Path(name)))


if __name__ == "__main__":
    main()
