from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from ocm_pkg.cli import configfiles
from ocm_pkg.cli.options import Settings
from ocm_pkg.cli.output import Output
from ocm_pkg.cli.wiring import Context
from ocm_pkg.errors import FileMissingError

HEAD = "type: generic.config.ocm.software/v1\nconfigurations:\n"
REGISTRY = {"type": "OCIRegistry", "hostname": "ghcr.io"}
CONSUMER = (
    "- type: credentials.config.ocm.software\n"
    "  consumers:\n"
    "  - identity: {type: OCIRegistry, hostname: ghcr.io}\n"
    "    credentials: [{type: Credentials/v1, properties: {username: u, password: hunter2}}]\n"
)


def context(folder: Path, **settings: object) -> Context:
    environ = {"HOME": str(folder / "home"), "PATH": "/usr/bin"}
    return Context(Settings(**settings), environ, folder, Output())


def configure(folder: Path, text: str) -> None:
    path = folder / "home/.ocmconfig"
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEAD + text)
    path.chmod(0o600)


def asked(found: Context):
    """Return what plugins are given for the registry."""
    with found:
        source = found.manager()._hooks.credentials
        return None if source is None else source(REGISTRY)


def test_plugins_get_the_configured_credentials(tmp_path) -> None:
    configure(tmp_path, CONSUMER)
    assert asked(context(tmp_path)) == {
        "type": "Credentials/v1",
        "properties": {"username": "u", "password": "hunter2"},
    }


def test_plugins_get_what_docker_has_whether_something_is_configured_or_not(tmp_path) -> None:
    assert asked(context(tmp_path)) is None
    path = tmp_path / "home/.docker/config.json"
    path.parent.mkdir(parents=True)
    auth = base64.b64encode(b"d:p").decode()
    path.write_text(json.dumps({"auths": {"ghcr.io": {"auth": auth}}}))
    path.chmod(0o600)
    assert asked(context(tmp_path))["properties"] == {"username": "d", "password": "p"}
    configure(tmp_path, "- {type: other}\n")
    assert asked(context(tmp_path))["properties"] == {"username": "d", "password": "p"}


def test_the_idle_time_out_of_plugins_is_the_configured_one(tmp_path) -> None:
    configure(tmp_path, "- {type: plugin.config.ocm.software, idleTimeout: 90s}\n")
    with context(tmp_path) as found:
        assert found.manager()._idle_timeout == 90.0


def test_content_on_its_way_is_in_the_configured_folder(tmp_path) -> None:
    from ocm_pkg.model.reference import RepositorySpec

    (tmp_path / "tmp").mkdir()
    configure(tmp_path, "- {type: filesystem.config.ocm.software, tempFolder: tmp}\n")
    with context(tmp_path).scratch(RepositorySpec.parse("ghcr.io/acme")) as folder:
        assert folder.parent == tmp_path / "tmp"


def test_the_search_has_the_reference_s_order() -> None:
    home, cwd, program = Path("/home/u"), Path("/folder"), Path("/opt/bin/ocm-pkg")
    environ = {"OCM_CONFIG": "named", "XDG_CONFIG_HOME": "/xdg"}
    found = configfiles.candidates(environ, home=home, cwd=cwd, executable=program)
    assert [str(path) for path in found] == [
        "/folder/named",
        "/xdg/ocm/config",
        "/xdg/.ocmconfig",
        "/home/u/.config/ocm/config",
        "/home/u/.config/.ocmconfig",
        "/home/u/.ocm/config",
        "/home/u/.ocmconfig",
        "/folder/.ocm/config",
        "/folder/.ocmconfig",
        "/opt/bin/.ocm/config",
        "/opt/bin/.ocmconfig",
    ]
    bare = configfiles.candidates(
        {"XDG_CONFIG_HOME": "relative"}, home=None, cwd=cwd, executable=None
    )
    assert [str(path) for path in bare] == ["/folder/.ocm/config", "/folder/.ocmconfig"]


def test_one_file_in_two_places_counts_once_where_it_wins(tmp_path) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "b").write_text("")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "folder").mkdir()
    names = ["a", "folder", "b", "missing", "link"]
    found = configfiles.existing(tmp_path / name for name in names)
    assert [path.name for path in found] == ["b", "link"]


def test_a_named_file_must_be_there(tmp_path) -> None:
    with pytest.raises(FileMissingError, match="configuration file"):
        configfiles.named_files(["missing"], tmp_path)
    with pytest.raises(FileMissingError):
        _ = context(tmp_path, config=("missing",)).config


def test_options_that_are_given_again_add_up_and_others_are_replaced() -> None:
    settings = Settings()
    settings.update({"config": ("a",), "color": "always"})
    settings.update({"config": (), "color": None})
    settings.update({"config": ("b", "c"), "color": "never"})
    assert (settings.config, settings.color) == (("a", "b", "c"), "never")
