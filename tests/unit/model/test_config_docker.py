from __future__ import annotations

import base64
import json

import pytest

from ocm_pkg.errors import ConfigError
from ocm_pkg.model.config_docker import (
    HUB_URL,
    DockerConfig,
    Helper,
    login_name,
    password_entry,
    read_answer,
    read_members,
    registry_names,
    says_not_found,
    with_login,
)


def identity(hostname: str, port: str = "", scheme: str = "", path: str = "") -> dict[str, str]:
    given = {"hostname": hostname, "port": port, "scheme": scheme, "path": path}
    return {"type": "OCIRegistry"} | {name: value for name, value in given.items() if value}


def basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def parsed(**members: object) -> DockerConfig:
    return DockerConfig.parse(json.dumps(members), name="config.json")


def entry(config: DockerConfig, *request: str) -> dict[str, str] | None:
    return config.entry(identity(*request))


@pytest.mark.parametrize(
    ("written", "properties"),
    [
        ({"auth": basic("u:p:w")}, {"username": "u", "password": "p:w"}),
        ({"auth": basic("u:p") + ""}, {"username": "u", "password": "p"}),
        ({"username": "u", "password": "p"}, {"username": "u", "password": "p"}),
        ({"identitytoken": "t"}, {"refreshToken": "t"}),
        ({"registrytoken": "t"}, {"accessToken": "t"}),
        (
            {"auth": basic("<token>:"), "identitytoken": "t"},
            {"username": "<token>", "password": "", "refreshToken": "t"},
        ),
        ({}, None),
    ],
)
def test_R39_each_form_of_a_stored_credential_is_read(written, properties) -> None:
    config = parsed(auths={"ghcr.io": written})
    assert entry(config, "ghcr.io") == properties


@pytest.mark.parametrize(
    ("key", "request_", "found"),
    [
        ("ghcr.io", ("ghcr.io",), True),
        ("ghcr.io", ("GHCR.IO", "443", "https"), True),
        ("ghcr.io:443", ("ghcr.io",), True),
        ("https://ghcr.io", ("ghcr.io",), True),
        ("https://ghcr.io/v2/", ("ghcr.io",), True),
        ("ghcr.io", ("ghcr.io", "5000"), False),
        ("127.0.0.1:5000", ("127.0.0.1", "5000", "http"), True),
        ("127.0.0.1:5000", ("127.0.0.1", "5001", "http"), False),
        ("127.0.0.1", ("127.0.0.1", "80", "http"), True),
        ("http://127.0.0.1", ("127.0.0.1", "", "http"), True),
        ("http://127.0.0.1", ("127.0.0.1", "443"), False),
        ("[::1]:5000", ("::1", "5000", "http"), True),
        ("https://index.docker.io/v1/", ("docker.io",), True),
        ("docker.io", ("registry-1.docker.io",), True),
        ("ghcr.io/acme", ("ghcr.io", "", "", "acme/ocm"), True),
        ("ghcr.io/acme", ("ghcr.io", "", "", "acmes"), False),
        ("ghcr.io/acme", ("ghcr.io",), False),
    ],
)
def test_a_registry_is_found_under_its_name_and_no_other(key, request_, found) -> None:
    config = parsed(auths={key: {"auth": basic("u:p")}})
    assert (entry(config, *request_) is not None) is found


def test_the_more_specific_name_wins() -> None:
    config = parsed(
        auths={
            "ghcr.io": {"auth": basic("host:p")},
            "ghcr.io/acme": {"auth": basic("path:p")},
        }
    )
    assert entry(config, "ghcr.io", "", "", "acme/ocm") == {"username": "path", "password": "p"}
    assert entry(config, "ghcr.io", "", "", "other") == {"username": "host", "password": "p"}


def test_a_registry_s_own_helper_is_asked_before_the_one_for_all() -> None:
    config = parsed(credHelpers={"ghcr.io": "own", "localhost:5000": "local"}, credsStore="all")
    assert config.helper(identity("ghcr.io", path="a/b")) == Helper("own", "ghcr.io")
    assert config.helper(identity("localhost", "5000")) == Helper("local", "localhost:5000")
    assert config.helper(identity("quay.io", path="a")) == Helper("all", "quay.io")
    hub = config.helper(identity("docker.io"))
    assert hub == Helper("all", "https://index.docker.io/v1/")
    assert hub.program == "docker-credential-all"
    assert parsed(auths={}).helper(identity("ghcr.io")) is None
    assert config.helper({"type": "OCIRegistry"}) is None
    assert registry_names({"type": "x"}) == ()


@pytest.mark.parametrize(
    "name", ["../evil", "a/b", "/bin/sh", "", ".", "..", "a b", "-x", "a..b", 7]
)
@pytest.mark.parametrize("member", ["store", "helper"])
def test_R39_a_helper_s_name_that_is_no_name_is_refused(name, member) -> None:
    if member == "store" and name == "":
        assert parsed(credsStore="").helper(identity("ghcr.io")) is None
        return
    members = {"credsStore": name} if member == "store" else {"credHelpers": {"ghcr.io": name}}
    with pytest.raises(ConfigError, match="no name of a credential helper"):
        parsed(**members)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hunter2", "is no JSON object"),
        ('{"auths": {"a": hunter2}}', "is no JSON object"),
        ('["hunter2"]', "is no JSON object"),
        ('{"auths": "hunter2"}', "auths is no object"),
        ('{"credHelpers": ["hunter2"]}', "credHelpers is no object"),
    ],
)
def test_R39_a_configuration_of_the_wrong_shape_is_refused_without_being_shown(
    text, message
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        DockerConfig.parse(text, name="config.json")
    causes = f"{caught.value.__cause__} {caught.value.__context__} {caught.value.detail}"
    assert "hunter2" not in f"{caught.value.message} {causes}"


@pytest.mark.parametrize("auth", ["hunter2", "aHVudGVyMg==", "OnA=", 17, "\u00fc"])
def test_R39_an_entry_that_cannot_be_read_is_named_without_being_shown(auth) -> None:
    config = parsed(auths={"ghcr.io": {"auth": auth}})
    with pytest.raises(ConfigError, match=r"auth of ghcr\.io is not USER:PASSWORD") as caught:
        entry(config, "ghcr.io")
    assert str(auth) not in caught.value.message
    with pytest.raises(ConfigError, match="password of a is no text"):
        entry(parsed(auths={"a": {"password": 5}}), "a")


def test_other_entries_do_not_matter_and_no_repr_holds_a_secret() -> None:
    config = parsed(auths={"a": 5, "ghcr.io": {"auth": basic("u:hunter2")}}, psFormat="x")
    assert entry(config, "a") is None
    assert "hunter2" not in repr(config)
    assert basic("u:hunter2") not in repr(config)


def test_the_answer_of_a_helper_is_a_password_or_a_token() -> None:
    helper = Helper("x", "ghcr.io")
    password = b'{"ServerURL": "s", "Username": "u", "Secret": "p"}'
    assert read_answer(password, helper=helper) == {"username": "u", "password": "p"}
    token = b'{"ServerURL": "s", "Username": "<token>", "Secret": "t"}'
    assert read_answer(token, helper=helper) == {"refreshToken": "t"}
    assert says_not_found(b"credentials not found in native keychain\n")
    assert not says_not_found(b"exit status 1: gpg failed")


@pytest.mark.parametrize(
    "answer", [b"hunter2", b"{}", b'{"Username": "u", "Secret": ""}', b'{"Username": 1}', b"\xff"]
)
def test_R39_garbage_as_answer_is_refused_without_being_shown(answer) -> None:
    with pytest.raises(ConfigError, match="docker-credential-x") as caught:
        read_answer(answer, helper=Helper("x", "ghcr.io"))
    assert "hunter2" not in f"{caught.value.message}{caught.value.__context__}"


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (("GHCR.io", "443", "https"), "ghcr.io"),
        (("ghcr.io",), "ghcr.io"),
        (("ghcr.io", "80", "http"), "ghcr.io"),
        (("ghcr.io", "80", "https"), "ghcr.io:80"),
        (("127.0.0.1", "5000", "http", "some/path"), "127.0.0.1:5000"),
        (("::1", "5000", "http"), "[::1]:5000"),
        (("docker.io", "5000", "https"), "index.docker.io:5000"),
        (("docker.io", "443", "https"), HUB_URL),
    ],
)
def test_a_helper_is_asked_for_the_name_that_a_login_has(request_, name) -> None:
    assert login_name(identity(*request_)) == name
    assert parsed(credsStore="own").helper(identity(*request_)) == Helper("own", name)


def test_a_login_takes_the_place_of_the_one_before_and_of_nothing_else() -> None:
    ghcr = identity("ghcr.io", "443", "https")
    others = {"ghcr.io/acme": {"auth": "x"}, "ghcr.io:8443": {}, "quay.io": {}}
    members = {"auths": {"https://ghcr.io/v1/": {}, **others}, "more": [1]}
    new = password_entry("u", "p")
    assert with_login(members, ghcr, new) == (
        {"auths": {**others, "ghcr.io": new}, "more": [1]},
        True,
    )
    assert with_login({}, ghcr, new) == ({"auths": {"ghcr.io": new}}, False)
    assert with_login(members, ghcr, None) == ({"auths": others, "more": [1]}, True)
    assert with_login({"more": 1}, ghcr, None) == ({"more": 1}, False)


@pytest.mark.parametrize("text", ["[]", '{"auths": []}', '{"credsStore": "../x"}', "{"])
def test_members_that_are_no_configuration_are_refused(text) -> None:
    with pytest.raises(ConfigError):
        read_members(text.encode(), name="config.json")
    assert read_members(b'{"x": 1.0}', name="config.json") == {"x": 1.0}
