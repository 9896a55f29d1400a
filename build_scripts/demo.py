"""The whole way of a plugin: source, binary, component version, signature, install, registry.

Makes the example of the plugin ADR: the component ocm.software/plugins/oci, whose resources
ociplugin are for one platform each. Then transfers it to a registry and back through that very
plugin, installed. Runs the commands that a user would type, prints what came of each as a tree, and
ends with the commands. Standard library only; needs nothing but the environment that `make demo`
makes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import sys
from pathlib import Path

from demo_steps import Demo

PROJECT = Path(__file__).resolve().parent.parent
COMPONENT = "ocm.software/plugins/oci"
KEY = ("--key", "keys/demo.public.pem")
PLUGINS = ("--plugin-directory", "plugins")


def build_and_sign(demo: Demo) -> None:
    """Source to signed component version."""
    demo.step("build the OCI plugin with PyInstaller (takes a while)")
    project = ("--project", os.path.relpath(PROJECT, demo.out), "--out", "dist")
    demo.show("build", *project)
    built = next(path for path in (demo.out / "dist").iterdir() if os.access(path, os.X_OK))
    demo.step("run the binary through the plugin contract")
    demo.show("test", f"dist/{built.name}")
    demo.step("package it into ./ctf, one resource for each platform")
    demo.show("package", *project, "--to", "ctf", "--partial")
    demo.show("get", "cv", f"ctf//{COMPONENT}")
    demo.step("make a key, sign, verify down to the bytes")
    demo.show("key", "new", "demo", "--out", "keys")
    demo.show("sign", "cv", f"ctf//{COMPONENT}", "--key", "keys/demo.private.pem")
    demo.show("verify", "cv", f"ctf//{COMPONENT}", *KEY)


def install(demo: Demo) -> None:
    """Signed component version to a discovered plugin."""
    demo.step("install the verified binary for this platform, and discover it")
    demo.show("plugin", "install", f"ctf//{COMPONENT}", *KEY, "--into", "plugins")
    demo.show("plugin", "list", *PLUGINS)
    demo.show("plugin", "capabilities", "oci", *PLUGINS)


def transfer(demo: Demo) -> None:
    """CTF to registry and back, through the installed plugin."""
    version = demo.read("get", "cv", f"ctf//{COMPONENT}")[0]["component"]["version"]
    demo.step("serve an empty folder as an OCI registry")
    with demo.serving("registry", "--writable", "--listen", f"127.0.0.1:{free_port()}") as url:
        there = f"{url}/plugins//{COMPONENT}"
        demo.step("transfer the plugin's own component version to it, through the plugin")
        through_plugin(demo, f"ctf//{COMPONENT}:{version}", f"{url}/plugins")
        demo.show("verify", "cv", there, *KEY)
        demo.step("and back into a CTF")
        through_plugin(demo, f"{there}:{version}", "back")
        compare(demo, version)
        demo.step("install it from the registry, as anybody else would")
        demo.show("plugin", "install", there, *KEY, "--into", "elsewhere")


def through_plugin(demo: Demo, source: str, destination: str) -> None:
    """Transfer; end the demo if the plugin did not do it, or is still running."""
    done = demo.show(
        "transfer", "cv", source, destination, "--prefer-plugins", *PLUGINS, "--loglevel", "info"
    )
    started = re.search(r"plugin oci\S* started: pid (\d+)", done.stderr)
    if not started:
        sys.exit("demo: the transfer did not go through the plugin")
    gone = not Path(f"/proc/{started[1]}").exists()
    demo.say(f"plugin process {started[1]} is {'gone' if gone else 'STILL THERE'}")
    if not gone:
        sys.exit("demo: the plugin is still running")


def compare(demo: Demo, version: str) -> None:
    """End the demo if the three places do not hold the same, byte for byte."""
    digests = {name: tagged(demo.out / name, version) for name in ("ctf", "registry", "back")}
    if len(set(digests.values())) != 1:
        sys.exit(f"demo: what came back is not what was sent: {digests}")
    demo.say(f"the same manifest in ctf, registry and back: {digests['ctf']}")


def tagged(folder: Path, version: str) -> str:
    """Return the digest of the manifest that a CTF has under a tag."""
    index = json.loads((folder / "artifact-index.json").read_bytes())
    return str(next(one["digest"] for one in index["artifacts"] if one.get("tag") == version))


def free_port() -> int:
    """Return a port that is free now, so that the commands can be repeated as they are shown."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


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
