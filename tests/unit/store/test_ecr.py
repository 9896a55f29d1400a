from __future__ import annotations

import base64
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

from ocm_pkg.errors import AuthenticationError
from ocm_pkg.store.transport import ecr_authorization

HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
TOKEN = base64.b64encode(b"AWS:hunter2").decode()


class Boto3(ModuleType):
    """What is used of boto3."""

    def __init__(self, answer: object) -> None:
        super().__init__("boto3")
        self.__spec__ = ModuleSpec("boto3", None)
        self.answer = answer
        self.regions: list[str] = []

    def client(self, service: str, *, region_name: str) -> Boto3:
        assert service == "ecr"
        self.regions.append(region_name)
        return self

    def get_authorization_token(self) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def boto3(monkeypatch) -> Boto3:
    module = Boto3({"authorizationData": [{"authorizationToken": TOKEN}]})
    monkeypatch.setitem(sys.modules, "boto3", module)
    return module


def test_aws_is_asked_for_a_login_of_its_own_registries(boto3) -> None:
    assert ecr_authorization(HOST) == ("AWS", "hunter2")
    assert boto3.regions == ["eu-central-1"]


@pytest.mark.parametrize("host", ["ghcr.io", f"{HOST}.evil.example", f"x{HOST}", f"{HOST}:444"])
def test_aws_is_not_asked_for_others(boto3, host) -> None:
    assert ecr_authorization(host) is None
    assert boto3.regions == []


def test_without_boto3_there_is_no_login_of_aws(monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "boto3", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert ecr_authorization(HOST) is None


@pytest.mark.parametrize(
    "answer",
    [RuntimeError("hunter2"), {}, {"authorizationData": [{"authorizationToken": "hunter2"}]}],
)
def test_what_aws_says_instead_of_a_login_is_not_shown(boto3, answer) -> None:
    boto3.answer = answer
    with pytest.raises(AuthenticationError, match="AWS gives no login") as caught:
        ecr_authorization(HOST)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
