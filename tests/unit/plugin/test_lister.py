"""A list of components that comes in pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocm_pkg.contract.capabilities import Capabilities, Kind
from ocm_pkg.errors import PluginProtocolError
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.plugin.http import Response
from ocm_pkg.plugin.kinds import proxy_for
from ocm_pkg.plugin.registry import ExternalPlugin


class Pages:
    """A plugin that gives a page for each value of ``last``."""

    plugin = ExternalPlugin("plug", Path("plug"), Capabilities.parse(b'{"capabilities":[]}'))

    def __init__(self, pages):
        self._pages = pages

    def call(self, method, path, *, body, **_):
        assert (method, path) == ("POST", "/components/list")
        return Response(200, json.dumps(self._pages[json.loads(body)["last"]]).encode())

    def explain(self, error, phase):
        pass


def components(pages):
    proxy = proxy_for(Kind.COMPONENT_LISTER, Pages(pages), "x")
    return proxy.open(RepositorySpec("x", "y")).components()


def test_all_pages_are_read_and_sorted():
    pages = {
        "": {"list": ["b", "c"], "header": {"last": "c"}},
        "c": {"list": ["a", "c"], "header": {"last": ""}},
    }
    assert components(pages) == ["a", "b", "c"]
    assert components({"": {"list": []}}) == []


@pytest.mark.parametrize(
    "pages",
    [
        {"": {"list": ["a"], "header": {"last": "a"}}, "a": {"list": [], "header": {"last": "a"}}},
        {"": {"list": ["a"], "header": {"last": 7}}},
        {"": {"list": [7]}},
        {"": {"names": []}},
    ],
)
def test_pages_that_do_not_go_on_are_refused(pages):
    with pytest.raises(PluginProtocolError, match="plugin plug: "):
        components(pages)
