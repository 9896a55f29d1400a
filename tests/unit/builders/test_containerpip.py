"""What a container's pip is told: the settings of the machine, with nothing lost and no paths."""

from __future__ import annotations

import configparser

import pytest

from ocm_pkg.builders import containerpip
from ocm_pkg.builders.containerpip import PipSettings, parse_listed, pip_settings, wheels_for
from ocm_pkg.fs.process import Completed, ProgramStartError

URL = "https://name:pass%40word@index.example.com/simple"


@pytest.fixture
def listed(monkeypatch):
    """What the machine's pip says of its settings; an error if it is one."""
    answers = []

    def run(argv, **_keywords):
        assert argv[0] == "/usr/bin/python3"
        if isinstance(answers[-1], Exception):
            raise answers[-1]
        return Completed(0, answers[-1].encode(), b"", 0.0)

    monkeypatch.setattr(containerpip, "run", run)
    return answers


def settings(listed, answer, **environ):
    listed.append(answer)
    return pip_settings("/usr/bin/python3", environ)


def test_the_environment_wins_over_the_section_of_a_command_over_the_global_one():
    text = (
        ":env:.index-url='https://env'\nglobal.index-url='https://global'\n"
        "global.cert='/global.pem'\ninstall.cert='/install.pem'\ndownload.proxy='p'\n"
        "global.find-links='\\na\\nb'\nglobal.odd=unquoted words\n"
    )
    assert parse_listed(text) == {
        "index-url": "https://env",
        "cert": "/install.pem",
        "find-links": "\na\nb",
    }


def test_an_index_its_password_and_its_authorities_are_taken_along(listed, tmp_path):
    found = settings(listed, f"global.index-url='{URL}'\n:env:.cert='{tmp_path}/ca.pem'\n")
    assert found.options == {"index-url": URL}
    assert found.certificates == tmp_path / "ca.pem"
    config = configparser.RawConfigParser()
    config.read_string(found.config(certificates="/in/ca.pem", wheels="/in/w", offline=False))
    assert dict(config["global"]) == {"index-url": URL, "cert": "/in/ca.pem"}


def test_folders_of_wheels_become_one_and_addresses_stay(listed, tmp_path):
    (tmp_path / "a b").mkdir()
    there = (tmp_path / "a b").as_uri()
    links = f"{there} {tmp_path} {tmp_path}/absent https://example.com/links"
    found = settings(listed, f":env:.find-links='{links}'\n:env:.no-index='1'\n")
    assert found.folders == (tmp_path / "a b", tmp_path)
    config = configparser.RawConfigParser()
    config.read_string(found.config(certificates="", wheels="/in/w", offline=False))
    assert config["global"]["find-links"].split() == ["/in/w", "https://example.com/links"]
    assert config["global"]["no-index"] == "1"


def test_offline_there_is_no_index():
    config = configparser.RawConfigParser()
    config.read_string(PipSettings({}).config(certificates="", wheels="", offline=True))
    assert dict(config["global"]) == {"no-index": "true"}


@pytest.mark.parametrize("answer", [ProgramStartError("no python3"), ""])
def test_what_the_environment_says_is_known_without_a_pip(listed, answer, monkeypatch):
    if answer == "":
        monkeypatch.setattr(
            containerpip, "run", lambda *_a, **_k: Completed(1, b"", b"No module named pip", 0.0)
        )
    found = settings(listed, answer, PIP_INDEX_URL=URL, PIP_DEFAULT_TIMEOUT="9", OTHER="x")
    assert found.options == {"index-url": URL, "timeout": "9"}


def test_only_the_wheels_that_the_locks_name_are_taken(tmp_path):
    for name in (
        "a_b.c-1.0-py3-none-any.whl",
        "a_b.c-1.1-py3-none-any.whl",
        "d-2.0+local-cp311-cp311-linux_aarch64.whl",
        "e-1-py3-none-any.whl",
        "a-b-c-1.0.tar.gz",
    ):
        (tmp_path / name).touch()
    locks = [b"A.b-c==1.0 \\\n    --hash=sha256:00\n", b"d==2.0+local ; x\n# e==1\n"]
    assert wheels_for(locks, [tmp_path, tmp_path]) == {
        name: tmp_path / name
        for name in ("a_b.c-1.0-py3-none-any.whl", "d-2.0+local-cp311-cp311-linux_aarch64.whl")
    }
