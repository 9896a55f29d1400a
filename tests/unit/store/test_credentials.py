from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from ocm_pkg.errors import AuthenticationError, ConfigError
from ocm_pkg.model.config import Configuration, parse_entries
from ocm_pkg.store.credentials import (
    CredentialStore,
    exposure,
    login_files,
    read_private,
    resolve,
)

REGISTRY = {"type": "OCIRegistry", "hostname": "ghcr.io", "scheme": "https", "path": "acme"}
PASSWORD = {"username": "u", "password": "hunter2"}
HEAD = """\
type: generic.config.ocm.software/v1
configurations:
- type: credentials.config.ocm.software
"""


def docker(path: Path, user: str = "u", **members: object) -> Path:
    """Write a Docker configuration for ghcr.io."""
    auth = base64.b64encode(f"{user}:hunter2".encode()).decode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": {"ghcr.io": {"auth": auth}}, **members}))
    path.chmod(0o600)
    return path


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.environ: dict[str, str] = {}
        self.warnings: list[str] = []

    def store(self, text: str = "", **options: object) -> CredentialStore:
        entries = parse_entries((HEAD + text).encode(), name="c.yaml") if text else ()
        return CredentialStore(
            Configuration.of(entries),
            environ=self.environ,
            folder=self.folder,
            home=self.home,
            warn=self.warnings.append,
            **options,
        )


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


CONSUMER = (
    "  consumers:\n"
    "  - identity: {type: OCIRegistry, hostname: ghcr.io}\n"
    "    credentials: [{type: Credentials/v1, properties: {username: c, password: hunter2}}]\n"
)


def test_a_consumer_is_asked_before_docker(world) -> None:
    docker(world.folder / "d.json", "docker")
    fallback = "  repositories: [{repository: {type: DockerConfig, dockerConfigFile: d.json}}]\n"
    store = world.store(CONSUMER + fallback)
    assert store.find(REGISTRY).properties["username"] == "c"
    assert store.credential_object(REGISTRY) == {
        "type": "Credentials/v1",
        "properties": {"username": "c", "password": "hunter2"},
    }
    assert world.store(fallback).find(REGISTRY).properties == {**PASSWORD, "username": "docker"}
    assert world.warnings == []


def test_a_consumer_without_a_secret_has_none_and_docker_is_not_asked(world) -> None:
    docker(world.home / ".docker/config.json")
    store = world.store(
        "  consumers: [{identity: {type: OCIRegistry, hostname: ghcr.io}}]\n"
        "  repositories: [{repository: {type: DockerConfig}}]\n"
    )
    assert store.find(REGISTRY) is None
    assert store.credential_object(REGISTRY) is None


def test_docker_is_for_registries_only(world) -> None:
    docker(world.home / ".docker/config.json")
    store = world.store("  repositories: [{repository: {type: DockerConfig/v1}}]\n")
    assert store.find(REGISTRY).properties == PASSWORD
    assert store.find({**REGISTRY, "type": "Wget"}) is None
    assert store.find({**REGISTRY, "port": "5000"}) is None


def test_docker_s_own_file_is_where_docker_has_it(world) -> None:
    docker(world.home / ".docker/config.json", "home")
    text = "  repositories: [{repository: {type: DockerConfig/v1}}]\n"
    assert world.store(text).find(REGISTRY).properties["username"] == "home"
    docker(world.folder / "own/config.json", "own")
    world.environ["DOCKER_CONFIG"] = str(world.folder / "own")
    assert world.store(text).find(REGISTRY).properties["username"] == "own"


def test_docker_s_own_file_is_asked_without_being_configured_if_that_is_wanted(world) -> None:
    docker(world.home / ".docker/config.json")
    assert world.store().find(REGISTRY) is None
    for text in ("", CONSUMER.replace("ghcr.io", "quay.io")):
        assert world.store(text, docker_by_default=True).find(REGISTRY).properties == PASSWORD
    assert world.store(CONSUMER, docker_by_default=True).find({**REGISTRY, "hostname": "x"}) is None
    (world.home / ".docker/config.json").unlink()
    assert world.store(docker_by_default=True).find(REGISTRY) is None


def test_a_docker_configuration_of_ours_is_asked_before_the_usual_files(world) -> None:
    docker(world.home / "a.json", "a")
    docker(world.home / ".docker/config.json", "usual")
    text = "  repositories: [{repository: {type: DockerConfig, dockerConfigFile: ~/a.json}}]\n"
    store = world.store(text, docker_by_default=True)
    assert store.find(REGISTRY).properties["username"] == "a"


def test_podman_s_files_are_asked_after_docker_s_unless_one_is_named(world) -> None:
    world.environ |= {
        "XDG_RUNTIME_DIR": str(world.folder / "run"),
        "XDG_CONFIG_HOME": str(world.folder / "xdg"),
        "REGISTRY_AUTH_FILE": "named.json",
    }
    places = {
        "home": world.home / ".config/containers/auth.json",
        "xdg": world.folder / "xdg/containers/auth.json",
        "run": world.folder / "run/containers/auth.json",
        "docker": world.home / ".docker/config.json",
        "named": world.folder / "named.json",
    }
    for user, path in places.items():
        docker(path, user)
        store = world.store(docker_by_default=True)
        assert store.find(REGISTRY).properties["username"] == user
    assert list(login_files({}, world.folder, None)) == []
    assert list(login_files({"XDG_RUNTIME_DIR": "run"}, world.folder, None)) == []


def test_the_most_specific_path_of_podman_s_file_wins(world) -> None:
    entries = {"ghcr.io": "whole", "ghcr.io/acme": "team", "ghcr.io/acme/ocm": "one"}
    auths = {name: {"username": user, "password": "hunter2"} for name, user in entries.items()}
    docker(world.home / ".config/containers/auth.json", auths=auths)
    store = world.store(docker_by_default=True)
    for path, user in (("acme/ocm/x", "one"), ("acme/other", "team"), ("acmes", "whole")):
        assert store.find({**REGISTRY, "path": path}).properties["username"] == user


def test_a_file_is_read_once_and_warned_of_once(world) -> None:
    docker(world.home / ".docker/config.json").chmod(0o644)
    text = "  repositories: [{repository: {type: DockerConfig}}]\n"
    store = world.store(text, docker_by_default=True)
    assert store.find({**REGISTRY, "hostname": "quay.io"}) is None
    assert len(world.warnings) == 1


def test_of_several_docker_configurations_the_last_is_asked_first(world) -> None:
    docker(world.home / "a.json", "a")
    docker(world.home / "b.json", "b")
    store = world.store(
        "  repositories:\n"
        "  - repository: {type: DockerConfig, dockerConfigFile: ~/a.json}\n"
        "  - repository: {type: DockerConfig, dockerConfigFile: ~/b.json}\n"
        "  - repository: {type: DockerConfig, dockerConfig: '{\"auths\": {}}'}\n"
        "  - repository: {type: Vault/v1, token: x}\n"
    )
    assert store.find(REGISTRY).properties["username"] == "b"


def test_a_docker_configuration_that_is_named_and_missing_is_a_warning(world) -> None:
    store = world.store(
        "  repositories: [{repository: {type: DockerConfig, dockerConfigFile: x}}]\n"
    )
    assert store.find(REGISTRY) is None
    assert store.find(REGISTRY) is None
    assert world.warnings == [f"the Docker configuration {world.folder / 'x'} does not exist"]


def test_a_wrong_docker_configuration_inside_ours_is_named_by_its_line(world) -> None:
    text = "  repositories: [{repository: {type: DockerConfig, dockerConfig: hunter2}}]\n"
    with pytest.raises(ConfigError, match=r"dockerConfig in c\.yaml:4 is no JSON") as caught:
        world.store(text).find(REGISTRY)
    assert "hunter2" not in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_R39_a_file_that_others_can_open_is_a_warning(world, mode) -> None:
    path = docker(world.home / ".docker/config.json")
    path.chmod(mode)
    store = world.store("  repositories: [{repository: {type: DockerConfig}}]\n")
    assert store.find(REGISTRY).properties == PASSWORD
    [warning] = world.warnings
    assert str(path) in warning
    assert f"mode {mode:04o}" in warning
    assert "chmod 600" in warning


@pytest.mark.skipif(os.name != "posix", reason="owners of files are POSIX's")
def test_R39_a_file_of_another_user_is_a_warning(world) -> None:
    path = docker(world.folder / "d.json")
    numbers = list(path.stat())
    numbers[4] = os.geteuid() + 4711
    assert "another user (uid" in exposure(path, os.stat_result(numbers))
    numbers[4] = os.geteuid()
    assert exposure(path, os.stat_result(numbers)) is None


def test_R39_a_file_of_unreasonable_size_is_refused(world) -> None:
    path = docker(world.home / ".docker/config.json")
    with path.open("ab") as stream:
        stream.truncate(100 * 1024 * 1024)
    with pytest.raises(ConfigError, match="larger than 1024 KiB"):
        read_private(path, None)


def test_R39_a_helper_that_is_not_installed_is_named(world) -> None:
    docker(world.home / ".docker/config.json", credsStore="absent")
    (world.folder / "docker-credential-absent").write_text("")
    (world.folder / "docker-credential-absent").chmod(0o755)
    world.environ["PATH"] = "."
    store = world.store("  repositories: [{repository: {type: DockerConfig}}]\n")
    with pytest.raises(AuthenticationError, match="docker-credential-absent is not installed"):
        store.find(REGISTRY)


def test_paths_of_a_configuration_are_relative_to_the_working_folder_or_home() -> None:
    folder, home = Path("/folder"), Path("/home/u")
    assert resolve("a/b", folder, home) == Path("/folder/a/b")
    assert resolve("/a", folder, home) == Path("/a")
    assert resolve("~/a", folder, home) == Path("/home/u/a")
    assert resolve("~", folder, home) == home
    assert resolve("~/a", folder, None) == Path("/folder/~/a")
