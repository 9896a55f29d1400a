"""Release ocm-pkg itself: its plugins, and the program as one executable, by its own commands.

`release.py --build DIR` builds the three for this machine, and leaves a folder of each in DIR: each
build machine runs that. `release.py DIR... --to REPO --key FILE` joins what they left, signs it and
publishes it; without DIR it builds first. The plugins go through `ocm-pkg release`; the program is
no plugin, so its component version is made by `add cv`, signed, verified and transferred at the
end: if a step fails, nothing of it is published. Runs in a checkout without changes, on the Python
of an environment that environment.py made; standard library only.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from environment import PROJECT
from freeze_project import make_project, plugin, program
from program_constructor import constructor

PRIVATE, PUBLIC = ".private.pem", ".public.pem"
NAMES = ("oci", "ctf", "ocm-pkg")


def ocm_pkg(*words: str | Path) -> None:
    """Run one command, its results with its messages; end with its exit code if it fails."""
    command = [sys.executable, "-m", "ocm_pkg", *map(str, words)]
    done = subprocess.run(command, stdout=sys.stderr, check=False)  # noqa: S603 (our own)
    if done.returncode:
        step = " ".join(str(word) for word in words[:2] if not Path(word).is_absolute())
        sys.stderr.write(f"not released: `ocm-pkg {step}` ended with {done.returncode}\n")
        sys.exit(done.returncode)


def project_of(name: str, folder: Path) -> Path:
    """Return the project of one of the three; those that no file describes are made."""
    if name == "oci":
        return PROJECT
    shutil.rmtree(folder / name, ignore_errors=True)
    (folder / name).mkdir(parents=True)
    make_project(folder / name, plugin(name) if name == "ctf" else program([]))
    return folder / name


def build(projects: Path, out: Path) -> None:
    """Build the three for this machine, each into a folder of its own."""
    for name in NAMES:
        words = ("--project", project_of(name, projects), "--out", out / name)
        ocm_pkg("build", "--target", "host", *words)


def release_program(dist: Path, options: argparse.Namespace, signing: list[str | Path]) -> str:
    """Make, sign, verify and publish the program's component version; return its name."""
    part = json.loads((dist / "part.json").read_bytes())
    if str(part["commit"]).endswith("-dirty") and not options.allow_dirty:
        sys.exit("error: files differ from the commit\n  fix: commit them; or --allow-dirty")
    name = f"{part['component']}:{part['version']}"
    file, made = dist / "component-constructor.yaml", f"{dist / 'ctf'}//{name}"
    file.write_text(json.dumps(constructor(part, dist), indent=1), encoding="utf-8")
    ocm_pkg("add", "cv", "-r", dist / "ctf", "-c", file, "--working-directory", dist)
    ocm_pkg("sign", "cv", made, *signing)
    verified = ("--key", options.public_key, "--signature", options.signature)
    ocm_pkg("verify", "cv", made, *verified)
    ocm_pkg("transfer", "cv", made, options.to)
    return name


def release(options: argparse.Namespace, folder: Path) -> None:
    """Do all steps, with ``folder`` for what is between them; print the references."""
    projects, parts = PROJECT / "build/release", options.dist
    if not parts:
        parts = [folder / "built"]
        build(projects, parts[0])
    partial = ["--partial"] if options.partial else []
    signing: list[str | Path] = ["--key", options.key, "--signature", options.signature]
    names = []
    for name in NAMES:
        dist = folder / name
        project = ("--project", project_of(name, projects))
        ocm_pkg("merge", *(part / name for part in parts), "--out", dist, *project, *partial)
        if name == "ocm-pkg":
            names.append(release_program(dist, options, signing))
            continue
        dirty = ["--allow-dirty"] if options.allow_dirty else []
        words = ("--from-step", "test", "--out", dist, *project, "--to", options.to)
        ocm_pkg("release", *words, *signing, *partial, *dirty)
        part = json.loads((dist / "part.json").read_bytes())
        names.append(f"{part['component']}:{part['version']}")
    print("\n".join(f"{options.to.removesuffix('//')}//{name}" for name in names))


def main() -> None:
    """Read the arguments; build, or release."""
    parser = argparse.ArgumentParser(description="Release ocm-pkg: its plugins and the program.")
    parser.add_argument("dist", type=Path, nargs="*", help="what --build left on a machine")
    parser.add_argument("--build", type=Path, metavar="DIR", help="only build, into DIR")
    parser.add_argument("--to", metavar="REPO", help="repository to publish to")
    parser.add_argument("--key", type=Path, metavar="FILE", help="private key to sign with")
    parser.add_argument(
        "--public-key", type=Path, metavar="FILE", help=f"default: {PUBLIC} beside the private one"
    )
    parser.add_argument("--signature", default="default", metavar="NAME", help="its name")
    parser.add_argument("--partial", action="store_true", help="release though targets are missing")
    parser.add_argument("--allow-dirty", action="store_true", help="though files are not committed")
    options = parser.parse_args()
    if options.build:
        build(PROJECT / "build/release", options.build.absolute())
        return
    if not (options.to and options.key):
        parser.error("--to and --key are needed, or --build")
    beside = options.key.with_name(options.key.name.removesuffix(PRIVATE) + PUBLIC)
    options.public_key = options.public_key or beside
    for key in (options.key, options.public_key):
        if not key.is_file():
            sys.exit(f"error: there is no key {key}\n  fix: make a pair with `ocm-pkg key new`")
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        release(options, Path(name))


if __name__ == "__main__":
    main()
