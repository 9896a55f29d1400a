from __future__ import annotations

import base64
import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import ConfigError
from ocm_pkg.model.config import Configuration
from ocm_pkg.store.credentials import CredentialStore
from ocm_pkg.store.login import LoginFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GHCR = {"type": "OCIRegistry", "hostname": "ghcr.io", "scheme": "https", "port": "443"}
LOCAL = {"type": "OCIRegistry", "hostname": "127.0.0.1", "scheme": "http", "port": "5000"}
HUB = {"type": "OCIRegistry", "hostname": "docker.io", "scheme": "https", "port": "443"}
OURS = {"auth": base64.b64encode(b"u:hunter2").decode()}


class World:
    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.folder = folder
        self.environ: dict[str, str] = {}

    @property
    def docker(self) -> Path:
        return self.home / ".docker/config.json"

    def file(self, **options: Any) -> LoginFile:
        return LoginFile(environ=self.environ, folder=self.folder, home=self.home, **options)

    def write(self, members: object, path: Path | None = None) -> Path:
        path = path or self.docker
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(members if isinstance(members, str) else json.dumps(members))
        path.chmod(0o600)
        return path

    def read(self, path: Path | None = None) -> Any:
        return json.loads((path or self.docker).read_text())

    def find(self, identity: Mapping[str, str]) -> dict[str, str] | None:
        found = CredentialStore(
            Configuration.of(()),
            environ=self.environ,
            folder=self.folder,
            home=self.home,
            docker_by_default=True,
        ).find(identity)
        return dict(found.properties) if found else None


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def test_a_first_login_makes_a_private_file_in_a_private_folder(world) -> None:
    old = os.umask(0)
    try:
        kept = world.file().store(GHCR, "u", "hunter2")
    finally:
        os.umask(old)
    assert str(kept) == str(world.docker)
    assert world.read() == {"auths": {"ghcr.io": OURS}}
    assert stat.S_IMODE(world.docker.stat().st_mode) == 0o600
    assert stat.S_IMODE(world.docker.parent.stat().st_mode) == 0o700
    assert [one.name for one in world.docker.parent.iterdir()] == ["config.json"]
    assert world.find(GHCR) == {"username": "u", "password": "hunter2"}


def test_every_other_member_stays_and_an_old_login_goes_however_it_was_written(world) -> None:
    other = {"auths": {"quay.io": {"auth": "x", "email": "e"}}, "HttpHeaders": {"a": [1, 2.5]}}
    for old in ("ghcr.io", "https://ghcr.io", "https://GHCR.io/v2/", "ghcr.io:443"):
        members = {**other, "auths": {old: {"auth": "eA=="}, **other["auths"]}, "z": None}
        world.write(members)
        world.file().store(GHCR, "u", "hunter2")
        assert world.read() == {
            **members,
            "auths": {**other["auths"], "ghcr.io": OURS},
        }
        assert list(world.read()) == list(members)


def test_a_file_that_was_open_to_others_is_closed(world) -> None:
    world.write({}).chmod(0o644)
    world.file().store(GHCR, "u", "hunter2")
    assert stat.S_IMODE(world.docker.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        (GHCR, "ghcr.io"),
        (LOCAL, "127.0.0.1:5000"),
        ({**LOCAL, "port": "80"}, "127.0.0.1"),
        (HUB, "https://index.docker.io/v1/"),
    ],
)
def test_a_login_has_the_name_that_docker_gives_it(world, identity, name) -> None:
    world.file().store(identity, "u", "hunter2")
    assert list(world.read()["auths"]) == [name]
    assert world.find(identity) == {"username": "u", "password": "hunter2"}


def test_a_login_goes_where_the_environment_says(world) -> None:
    world.environ["DOCKER_CONFIG"] = str(world.folder / "own")
    assert world.file().store(GHCR, "u", "hunter2").path == world.folder / "own/config.json"
    world.environ["REGISTRY_AUTH_FILE"] = "auth.json"
    world.file().store(GHCR, "v", "hunter2")
    assert world.read(world.folder / "auth.json")["auths"].keys() == {"ghcr.io"}
    assert world.find(GHCR)["username"] == "v"
    assert not world.docker.exists()


def test_without_any_place_a_login_is_refused(world) -> None:
    with pytest.raises(ConfigError, match="no place for logins"):
        LoginFile(environ={}, folder=world.folder, home=None)


def test_logging_out_removes_the_login_and_nothing_else(world) -> None:
    members = {"auths": {"ghcr.io": OURS, "https://ghcr.io/": OURS, "quay.io": {}}, "x": 1}
    world.write(members)
    assert world.file(dry_run=True).remove(GHCR).path == world.docker
    assert world.read() == members
    assert world.file().remove(GHCR).path == world.docker
    assert world.read() == {"auths": {"quay.io": {}}, "x": 1}
    before = world.docker.stat().st_mtime_ns
    assert world.file().remove(GHCR) is None
    assert world.docker.stat().st_mtime_ns == before


def test_logging_out_where_nobody_logged_in_makes_nothing(world) -> None:
    assert world.file().remove(GHCR) is None
    assert list(world.home.iterdir()) == []


def test_a_rehearsal_changes_nothing(world) -> None:
    assert world.file(dry_run=True).store(GHCR, "u", "hunter2").path == world.docker
    assert list(world.home.iterdir()) == []
    world.write({"a": 1})
    world.file(dry_run=True).store(GHCR, "u", "hunter2")
    assert world.read() == {"a": 1}


@pytest.mark.parametrize("text", ["[]", "hunter3", '{"auths": 5}', '{"a": 1, "a": 2}', "\xff"])
def test_a_file_that_is_not_understood_is_left_alone_and_not_shown(world, text) -> None:
    world.write(text)
    for act in (
        lambda: world.file().store(GHCR, "u", "hunter2"),
        lambda: world.file().remove(GHCR),
    ):
        with pytest.raises(ConfigError) as caught:
            act()
        assert "hunter" not in str(caught.value)
        assert str(world.docker) in caught.value.message
    assert world.docker.read_text() == text


def test_an_empty_file_is_one_without_members(world) -> None:
    world.write("\n")
    world.file().store(GHCR, "u", "hunter2")
    assert world.read() == {"auths": {"ghcr.io": OURS}}


def test_a_login_is_written_through_a_link_of_the_user(world) -> None:
    real = world.write({"x": 1}, world.folder / "dotfiles/docker.json")
    world.docker.parent.mkdir()
    world.docker.symlink_to(real)
    world.file().store(GHCR, "u", "hunter2")
    assert world.docker.is_symlink()
    assert world.read(real) == {"x": 1, "auths": {"ghcr.io": OURS}}
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert world.file().remove(GHCR).path == world.docker
    assert world.read(real) == {"x": 1, "auths": {}}


def test_a_link_to_nothing_and_what_is_no_file_are_refused(world) -> None:
    world.docker.parent.mkdir()
    world.docker.symlink_to(world.folder / "nothing")
    with pytest.raises(ConfigError, match="symbolic link to nothing"):
        world.file().store(GHCR, "u", "hunter2")
    assert not (world.folder / "nothing").exists()
    world.docker.unlink()
    world.docker.symlink_to(world.folder)
    with pytest.raises(ConfigError, match="no regular file"):
        world.file().store(GHCR, "u", "hunter2")


def test_a_file_of_another_user_is_refused(world, monkeypatch) -> None:
    world.write({})
    monkeypatch.setattr("os.geteuid", lambda: world.docker.stat().st_uid + 1)
    with pytest.raises(ConfigError, match="belongs to another user") as caught:
        world.file().store(GHCR, "u", "hunter2")
    assert "REGISTRY_AUTH_FILE" in caught.value.hint
    assert world.read() == {}
