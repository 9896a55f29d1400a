"""Every command that docs/registries.md shows is run, in its order, and ends with 0."""

from __future__ import annotations

import json
import os
import shutil

from tests.fakes.arena import KEYS, NAME
from tests.fakes.shown import Shell, block, commands

DOCUMENT = "docs/registries.md"
PROGRAM = '#!/bin/sh\necho \'{"type":{"Hello/v1":["readComponentVersionRepository"]}}\'\n'


def test_what_is_written_about_registries_works(tmp_path):
    shell = Shell(tmp_path)
    identity = {"os": "linux", "architecture": os.uname().machine.replace("x86_64", "amd64")}
    plugin = {"name": "hello", "type": "ocmPlugin", "extraIdentity": identity}
    component = {
        "name": NAME,
        "version": "1.0.0",
        "provider": {"name": "example.com"},
        "resources": [{**plugin, "input": {"type": "file", "path": "program"}}],
    }
    (tmp_path / "program").write_text(PROGRAM)
    (tmp_path / "constructor.yaml").write_text(json.dumps(component))
    shutil.copy(KEYS / "test-key-a.private.pem", tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o600)
    shutil.copy(KEYS / "test-key-a.public.pem", tmp_path / "release.public.pem")
    shell.run("ocm-pkg add cv -r ctf -c constructor.yaml")
    shell.run(f"ocm-pkg sign cv ctf//{NAME} --key key.pem")
    (tmp_path / "password.txt").write_text("s3cret")
    (tmp_path / "bom.json").write_text("{}")
    configuration = f"type: generic.config.ocm.software/v1\n{block(DOCUMENT, 'configurations:')}"
    serve, *lines = commands(DOCUMENT)
    assert len(lines) >= 10
    with shell.beside(serve) as url:
        host = url.removeprefix("http://")
        port = host.partition(":")[2]
        path = tmp_path / "ocmconfig.yaml"
        path.write_text(configuration.replace("5000", port))
        path.chmod(0o600)
        for line in lines:
            shell.run(line.replace("127.0.0.1:5000", host))
    assert (tmp_path / "copy/artifact-index.json").exists()
    assert (tmp_path / ".config/ocm/plugins/hello").exists()
