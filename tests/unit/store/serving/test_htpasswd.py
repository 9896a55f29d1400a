from __future__ import annotations

import base64
import itertools

import bcrypt
import pytest

from ocm_pkg.errors import ConfigError, FileMissingError
from ocm_pkg.store.serving.htpasswd import Passwords


def entry(text="secret"):
    return bcrypt.hashpw(text.encode(), bcrypt.gensalt(4)).decode()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def passwords(tmp_path):
    path = tmp_path / "htpasswd"
    path.write_text(
        f"# people\n\njoe:{entry()}\näöü:{entry('pass:wörd').replace('$2b$', '$2y$')}\n"
    )
    return Passwords.read(path)


def test_the_right_password_opens_every_time(passwords):
    for _ in range(2):
        assert passwords.accepts(basic("joe", "secret"))
        assert passwords.accepts(basic("äöü", "pass:wörd"))
        assert passwords.accepts(basic("joe", "secret").replace("Basic", "bAsIc"))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"joe").decode(),
        "Bearer " + base64.b64encode(b"joe:secret").decode(),
        basic("joe", "Secret"),
        basic("joe", ""),
        basic("", "secret"),
        basic("jo", "e:secret"),
        basic("nobody", "secret"),
        basic("joe", "secret\0"),
        basic("joe", "x" * 10_000),
        basic("äöü", "secret"),
    ],
)
def test_nothing_else_opens(passwords, header):
    for _ in range(2):
        assert not passwords.accepts(header)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("joe:$apr1$abc$def", "not bcrypt"),
        ("joe:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "not bcrypt"),
        ("joe:secret", "not bcrypt"),
        ("joe", "not bcrypt"),
        (f":{entry()}", "not bcrypt"),
        (f"joe:{entry()}x", "not bcrypt"),
        (f"joe:$2b$31${entry()[7:]}", "cost 31"),
        (f"joe:$2b$03${entry()[7:]}", "cost 3"),
        ("# nobody", "no entries"),
    ],
    ids=itertools.count(),
)
def test_a_file_with_other_entries_is_refused_at_once_and_not_shown(tmp_path, line, says):
    path = tmp_path / "htpasswd"
    path.write_text(f"{line}\n")
    with pytest.raises(ConfigError, match=says) as refused:
        Passwords.read(path)
    assert "htpasswd -B" in refused.value.hint
    assert "secret" not in refused.value.message


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileMissingError):
        Passwords.read(tmp_path / "htpasswd")


def test_what_was_right_is_not_computed_again(passwords, monkeypatch):
    assert passwords.accepts(basic("joe", "secret"))
    monkeypatch.setattr(bcrypt, "checkpw", lambda *_: False)
    assert passwords.accepts(basic("joe", "secret"))
    assert not passwords.accepts(basic("joe", "other"))


def test_a_user_who_is_not_there_takes_as_long_as_one_who_is(passwords, monkeypatch):
    checked = []
    monkeypatch.setattr(bcrypt, "checkpw", lambda _password, hashed: checked.append(hashed))
    passwords.accepts(basic("joe", "x"))
    passwords.accepts(basic("nobody", "x"))
    assert [hashed[4:6] for hashed in checked] == [b"04", b"04"]
