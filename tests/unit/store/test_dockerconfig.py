"""Docker's configuration as the repository of credentials of the OCI plugin."""

from __future__ import annotations

import base64
import json

import pytest

from ocm_pkg.errors import ConfigError
from ocm_pkg.store.dockerconfig import DockerCredentials

IDENTITY = {"type": "OCIRegistry", "hostname": "r.example", "scheme": "https", "port": "443"}
AUTHS = {"auths": {"r.example": {"auth": base64.b64encode(b"alice:s3cret").decode()}}}
FOUND = {"type": "Credentials/v1", "properties": {"username": "alice", "password": "s3cret"}}


@pytest.fixture
def credentials(tmp_path):
    (tmp_path / "home").mkdir()
    return DockerCredentials(environ={}, folder=tmp_path, home=tmp_path / "home")


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(AUTHS))
    path.chmod(0o600)


@pytest.mark.parametrize("inline", [AUTHS, json.dumps(AUTHS)])
def test_the_configuration_may_be_in_the_specification(credentials, inline):
    config = {"type": "DockerConfig/v1", "dockerConfig": inline}
    assert credentials.resolve(config, IDENTITY) == FOUND
    assert credentials.resolve(config, {**IDENTITY, "hostname": "other.example"}) is None
    assert credentials.resolve(config, {**IDENTITY, "type": "GitHubRepository"}) is None


def test_it_may_be_in_a_file_and_is_docker_s_own_by_default(credentials, tmp_path):
    write(tmp_path / "d.json")
    config = {"type": "DockerConfig", "dockerConfigFile": "d.json"}
    assert credentials.resolve(config, IDENTITY) == FOUND
    assert credentials.resolve({"type": "DockerConfig/v1"}, IDENTITY) is None
    write(tmp_path / "home/.docker/config.json")
    assert credentials.resolve({"type": "DockerConfig/v1"}, IDENTITY) == FOUND


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"type": "Vault/v1"},
        {"type": "DockerConfig/v1", "dockerConfig": 7},
        {"type": "DockerConfig/v1", "dockerConfig": '{"auths": "s3cret"}'},
        {"type": "DockerConfig/v1", "dockerConfig": "s3cret"},
        {"type": "DockerConfig/v1", "dockerConfigFile": ["s3cret"]},
    ],
)
def test_what_is_no_docker_configuration_is_refused_without_showing_it(credentials, config):
    with pytest.raises(ConfigError) as caught:
        credentials.resolve(config, IDENTITY)
    assert "s3cret" not in str(caught.value)
