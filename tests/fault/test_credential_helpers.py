"""Credential helpers are other people's programs: they hang, fail and talk too much."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.errors import AuthenticationError
from ocm_pkg.model.config import Configuration, parse_entries
from ocm_pkg.store.credentials import CredentialStore
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the helpers are shell scripts")

TEXT = """\
type: generic.config.ocm.software/v1
configurations:
- type: credentials.config.ocm.software
  repositories: [{repository: {type: DockerConfig/v1}}]
"""
REGISTRY = {"type": "OCIRegistry", "hostname": "ghcr.io"}
ANSWER = json.dumps({"ServerURL": "ghcr.io", "Username": "u", "Secret": "hunter2"})


class Helpers:
    """A home with a Docker configuration that names the helper ``own``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        (folder / ".docker").mkdir()
        self.environ = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "HOME": str(folder)}
        self.configure(credsStore="own")

    def configure(self, **members: object) -> None:
        path = self.folder / ".docker/config.json"
        path.write_text(json.dumps(members))
        path.chmod(0o600)

    def write(self, script: str) -> None:
        path = self.folder / "bin/docker-credential-own"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def store(self, seconds: float = 5) -> CredentialStore:
        return CredentialStore(
            Configuration.of(parse_entries(TEXT.encode(), name="c")),
            environ=self.environ,
            folder=self.folder,
            home=self.folder,
            helper_seconds=seconds,
        )


@pytest.fixture
def helpers(tmp_path) -> Helpers:
    return Helpers(tmp_path)


def test_a_helper_gets_the_server_and_its_answer_is_the_secret(helpers) -> None:
    helpers.write(f'read server; [ "$1 $server" = "get ghcr.io" ] && echo \'{ANSWER}\'')
    assert helpers.store().find(REGISTRY).properties == {"username": "u", "password": "hunter2"}


def test_a_helper_is_run_once_and_has_its_own_variables_but_not_the_loader_s(helpers) -> None:
    helpers.write(f"env > {helpers.folder}/env; echo >> {helpers.folder}/runs; echo '{ANSWER}'")
    helpers.environ |= {"AWS_PROFILE": "x", "LD_PRELOAD": "/evil.so", "PYTHONPATH": "/evil"}
    store = helpers.store()
    assert store.find(REGISTRY) is not None
    assert store.find(REGISTRY) is not None
    assert (helpers.folder / "runs").read_text() == "\n"
    seen = (helpers.folder / "env").read_text()
    assert "AWS_PROFILE=x" in seen
    assert "evil" not in seen


@pytest.mark.parametrize("where", ["", " >&2"])
def test_a_helper_without_anything_for_the_server_leaves_it_to_the_file(helpers, where) -> None:
    helpers.write(f"echo 'credentials not found in native keychain'{where}; exit 1")
    assert helpers.store().find(REGISTRY) is None
    helpers.configure(
        credHelpers={"ghcr.io": "own"}, auths={"ghcr.io": {"username": "f", "password": "p"}}
    )
    assert helpers.store().find(REGISTRY).properties["username"] == "f"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo hunter2 >&2; exit 3", "failed with status 3"),
        ("echo hunter2", "is no JSON object"),
        ('echo \'{"Username": "hunter2"}\'', "has no Username and Secret"),
        ("echo hunter2; exec sleep 60", "did not end within 1 s"),
        ("echo hunter2; sleep 60 & sleep 60", "did not end within 1 s"),
        ("exec head -c 104857600 /dev/zero", "wrote more than 262144 bytes"),
        ("kill -9 $$", "failed with status -9"),
    ],
)
def test_R39_a_helper_that_hangs_fails_or_talks_nonsense_is_refused(
    helpers, script, reason
) -> None:
    helpers.write(script)
    before = snapshot(helpers.folder)
    began = time.monotonic()
    with pytest.raises(AuthenticationError, match=reason) as caught:
        helpers.store(seconds=1).find(REGISTRY)
    assert time.monotonic() - began < 10
    assert caught.value.code == "E501"
    assert "docker-credential-own" in caught.value.message
    chain = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint} {chain}"
    assert snapshot(helpers.folder) == before


@pytest.mark.parametrize("name", ["../bin/docker-credential-own", "a/own", ".."])
def test_R39_a_helper_name_with_a_path_runs_nothing(helpers, name) -> None:
    helpers.write(f"touch {helpers.folder}/ran")
    helpers.configure(credsStore=name)
    with pytest.raises(Exception, match="no name of a credential helper") as caught:
        helpers.store().find(REGISTRY)
    assert caught.value.code == "E210"
    assert not (helpers.folder / "ran").exists()
