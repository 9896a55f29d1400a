"""The whole way of a plugin: source, binary, component version, signature, install, running.

Runs the commands that a user would type, prints what came of each as a tree, and ends with the
commands. Standard library only; needs nothing but the environment that `make demo` makes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
COMPONENT = "ocm.software/plugins/ctf"
SAMPLE = """\
name: example.com/demo/notes
version: 1.0.0
provider: {name: example.com}
resources:
  - name: notes
    type: blob
    input: {type: utf8, text: "carried by a plugin"}
"""


class Demo:
    """Runs commands in one folder and remembers them."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.commands: list[str] = []
        self.environment = {
            **os.environ,
            "XDG_DATA_HOME": str(out / "data"),
            "XDG_CONFIG_HOME": str(out / "config"),
            "XDG_CACHE_HOME": str(out / "cache"),
        }

    def step(self, title: str) -> None:
        """Begin a step."""
        print(f"├─ {title}", flush=True)

    def say(self, text: str) -> None:
        """Print lines below the step."""
        for line in text.splitlines():
            print(f"│    {line}", flush=True)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one ocm-pkg command and show what it printed; end the demo if it fails."""
        shown = shlex.join(["ocm-pkg", *words])
        self.commands.append(shown)
        self.say(f"$ {shown}")
        done = subprocess.run(  # noqa: S603 (our own program)
            [sys.executable, "-m", "ocm_pkg", *words],
            cwd=self.out,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            self.say(done.stdout + done.stderr)
            sys.exit(f"demo: {shown} ended with {done.returncode}")
        return done


def build_and_sign(demo: Demo) -> None:
    """Source to signed component version."""
    demo.step("build the CTF plugin with PyInstaller (takes a while)")
    project = ("--project", os.path.relpath(PROJECT, demo.out), "--out", "dist")
    demo.say(demo.run("build", *project).stdout)
    built = next(path for path in (demo.out / "dist").iterdir() if os.access(path, os.X_OK))
    demo.step("run the binary through the plugin contract")
    demo.say(demo.run("test", f"dist/{built.name}").stdout)
    demo.step("package it into ./ctf, one resource for each platform")
    demo.say(demo.run("package", *project, "--to", "ctf", "--partial").stdout)
    demo.say(demo.run("get", "cv", f"ctf//{COMPONENT}").stdout)
    demo.step("make a key, sign, verify down to the bytes")
    demo.say(demo.run("key", "new", "demo", "--out", "keys").stdout)
    demo.say(demo.run("sign", "cv", f"ctf//{COMPONENT}", "--key", "keys/demo.private.pem").stdout)
    demo.say(demo.run("verify", "cv", f"ctf//{COMPONENT}", "--key", "keys/demo.public.pem").stdout)


def install(demo: Demo) -> None:
    """Signed component version to a discovered plugin."""
    demo.step("install the verified binary for this platform, and discover it")
    key = ("--key", "keys/demo.public.pem")
    demo.say(demo.run("plugin", "install", f"ctf//{COMPONENT}", *key, "--into", "plugins").stdout)
    demo.say(demo.run("plugin", "list", "--plugin-directory", "plugins").stdout)
    demo.say(demo.run("plugin", "capabilities", "ctf", "--plugin-directory", "plugins").stdout)


def transfer(demo: Demo) -> None:
    """CTF to CTF, through the installed plugin."""
    demo.step("transfer a component version between two CTFs through the installed plugin")
    (demo.out / "notes.yaml").write_text(SAMPLE, encoding="utf-8")
    demo.say(demo.run("add", "cv", "-r", "source", "-c", "notes.yaml").stdout)
    done = demo.run(
        "transfer", "cv", "source//example.com/demo/notes:1.0.0", "target",
        "--prefer-plugins", "--plugin-directory", "plugins", "--loglevel", "info",
    )  # fmt: skip
    demo.say(done.stdout + done.stderr)
    started = re.search(r"\bpid[ =](\d+)", done.stderr)
    if not started:
        sys.exit("demo: the transfer did not go through the plugin")
    for repository in ("source", "target"):
        text = demo.run("get", "cv", f"{repository}//example.com/demo/notes", "-o", "json").stdout
        demo.say(f"{repository}: version {json.loads(text)[0]['component']['version']}")
    demo.step("the plugin was stopped with the command")
    gone = not Path(f"/proc/{started[1]}").exists()
    demo.say(f"process {started[1]} is {'gone' if gone else 'STILL THERE'}")
    if not gone:
        sys.exit("demo: the plugin is still running")


def main() -> None:
    """Run all steps in a fresh folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="made anew")
    arguments = parser.parse_args()
    out = arguments.out.absolute()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    demo = Demo(out)
    print("ocm-pkg demo", flush=True)
    for part in (build_and_sign, install, transfer):
        part(demo)
    print("└─ done. To repeat it by hand:")
    folder = os.path.relpath(out)
    here = os.path.relpath(Path(sys.executable).parent)
    print(f'     cd {folder} && export PATH="$OLDPWD/{here}:$PATH" \\')
    print('       XDG_DATA_HOME="$PWD/data" XDG_CONFIG_HOME="$PWD/config"')
    for command in demo.commands:
        print(f"     {command}")


if __name__ == "__main__":
    main()
