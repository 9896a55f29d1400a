"""The project's own CTF plugin as a process, driven over its socket."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from ocm_pkg.contract.capabilities import Capabilities, Capability, Kind
from ocm_pkg.contract.messages import encode_object, encode_query
from tests.fakes.plugin_process import ROOT, run, started
from tests.fakes.unix_http import PluginConnection

SCRIPT = ROOT / "ocm_pkg" / "plugins" / "ctf.py"
NAME, VERSION = "example.com/demo/app", "1.0.0"


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="p") as name:
        yield Path(name)


def test_capabilities_name_the_type_in_both_contracts(folder):
    found = Capabilities.parse(run(SCRIPT, ["capabilities"], folder).stdout)
    assert found.types == {
        "ctf": (
            Capability.READ_COMPONENT_VERSION_REPOSITORY,
            Capability.WRITE_COMPONENT_VERSION_REPOSITORY,
        )
    }
    support = found.find(Kind.COMPONENT_VERSION_REPOSITORY, "CommonTransportFormat/v1")
    assert "ctf" in support.aliases
    assert support.schema["required"] == ["type", "filePath"]


@pytest.mark.parametrize("command", [["server"], []], ids=["adr", "v2"])
def test_a_component_version_goes_in_and_comes_out(folder, command):
    blob = folder / "blob"
    blob.write_bytes(b"content")
    spec = {"type": "ctf", "filePath": str(folder / "ctf")}
    config = json.dumps({"id": "ctf", "type": "socket", "location": str(folder / "s")})
    resource = {
        "name": "app",
        "version": VERSION,
        "type": "blob",
        "relation": "local",
        "access": {"type": "localBlob/v1", "mediaType": "text/plain"},
    }
    what = {"name": NAME, "version": VERSION}
    with started(SCRIPT, [*command, "--config", config], folder) as plugin:
        connection = PluginConnection(plugin.address)

        def get(path, **parameters):
            query = encode_query({**parameters, "repository": encode_object(spec)})
            return connection.call("GET", f"{path}?{query}")

        health = connection.call("POST", "/component-version/check-health", {"repository": spec})
        assert health.status == 404
        assert get("/component-versions", name=NAME).status == 404
        stored = connection.call(
            "POST",
            "/local-resource/upload",
            {
                "repository": spec,
                **what,
                "resourceLocation": {"type": "localFile", "value": str(blob)},
                "resource": resource,
            },
        )
        assert stored.status == 200
        descriptor = {
            "meta": {"schemaVersion": "v2"},
            "component": {
                **what,
                "provider": "example.com",
                "repositoryContexts": [],
                "resources": [stored.json],
                "sources": [],
                "componentReferences": [],
            },
        }
        body = {"repository": spec, "descriptor": descriptor}
        added = connection.call("POST", "/component-version/upload", body)
        assert (added.status, added.body) == (200, b"")
        assert get("/component-versions", name=NAME).json == [VERSION]
        found = get("/component-version/download", **what).json
        assert found["component"]["resources"] == [stored.json]
        content = get("/local-resource/download", identity=encode_object({"name": "app"}), **what)
        location = content.json["location"]
        assert location["mediaType"] == "text/plain"
        assert Path(location["value"]).read_bytes() == b"content"
        assert get("/component-version/download", name=NAME, version="9.0.0").status == 404
        assert connection.call("POST", "/identity", {"type": spec}).json is None
        connection.close()
        plugin.process.terminate()
        status, out, err = plugin.wait()
    assert (status, out) == (0, "")
    log = [json.loads(line) for line in err.splitlines()]
    uploaded = next(entry for entry in log if entry.get("path") == "/component-version/upload")
    assert (uploaded["msg"], uploaded["method"], uploaded["status"]) == ("call", "POST", 200)
    assert uploaded["ms"] > 0
    assert sorted(entry.name for entry in folder.iterdir()) == ["blob", "ctf"]
