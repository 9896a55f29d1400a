from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import bcrypt
import pytest

from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.certificates import Authority
from tests.fakes.command import Command
from tests.fakes.components import NAME, stored
from tests.fakes.registry_calls import CONFIG, manifest
from tests.fakes.serve_command import serving
from tests.fakes.trees import snapshot

REPOSITORY = f"component-descriptors/{NAME}"


@pytest.fixture
def command(tmp_path):
    return Command(tmp_path)


@pytest.fixture
def ctf(tmp_path):
    """A CTF with one component version: ``ctf`` in the working folder."""
    path = tmp_path / "ctf"
    stored(ComponentRepository(CTFStore(path, create=True)))
    return path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_says_where_it_is_and_ends_well_when_it_is_told_to(ctf, tmp_path, number):
    before = snapshot(ctf)
    with serving("ctf", cwd=tmp_path) as running:
        assert running.url.startswith("http://127.0.0.1:")
        assert running.ask("GET", "/v2/")[0] == 200
        assert running.ask("POST", f"/v2/{REPOSITORY}/blobs/uploads/")[0] == 403
        held = running.connect()
        held.request("GET", f"/v2/{REPOSITORY}/manifests/1.0.0")
        assert held.getresponse().read()
        assert running.end(number) == 0
        held.close()
        assert running.process.stderr.read() == ""
    assert snapshot(ctf) == before


@pytest.mark.usefixtures("ctf")
def test_it_prints_one_line_for_people(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "ocm_pkg", "serve", "./ctf", "--listen", "127.0.0.1:0"],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline().startswith("serving ./ctf on http://127.0.0.1:")
        process.terminate()
        assert process.stdout.read() == ""
    assert process.returncode == 0


def test_component_versions_go_up_and_down_with_the_same_bytes(ctf, tmp_path, command):
    with serving("mirror", "--writable", cwd=tmp_path) as running:
        up = command("transfer", "cv", f"ctf//{NAME}:1.0.0", running.url, cwd=tmp_path)
        assert up.code == 0, up
        down = command("transfer", "cv", f"{running.url}//{NAME}:1.0.0", "back", cwd=tmp_path)
        assert down.code == 0, down
        got = command("get", "cv", f"{running.url}//{NAME}", "-o", "json", cwd=tmp_path)
        assert [one["component"]["version"] for one in got.json] == ["1.0.0"]
        assert running.end() == 0
    first = snapshot(ctf / "blobs")
    assert snapshot(tmp_path / "back/blobs").keys() == first.keys()
    assert snapshot(tmp_path / "mirror/blobs").keys() == first.keys()
    assert {path.name for path in (tmp_path / "mirror").iterdir()} == {
        "artifact-index.json",
        "blobs",
    }


@pytest.mark.parametrize("name", ["ctf.tar", "ctf.tgz"])
def test_an_archive_is_served_read_only(tmp_path, name):
    stored(ComponentRepository(ArchiveStore(tmp_path / name, create=True)))
    before = snapshot(tmp_path)
    with serving(name, cwd=tmp_path) as running:
        tags = json.loads(running.ask("GET", f"/v2/{REPOSITORY}/tags/list")[2])
        assert tags["tags"] == ["1.0.0"]
        body = running.ask("GET", f"/v2/{REPOSITORY}/manifests/1.0.0")[2]
        for part in json.loads(body)["layers"]:
            target = f"/v2/{REPOSITORY}/blobs/{part['digest']}"
            whole = running.ask("GET", target)[2]
            assert str(digest_of(whole)) == part["digest"]
            assert running.ask("GET", target, Range="bytes=1-3")[2] == whole[1:4]
        assert running.ask("GET", f"/v2/{REPOSITORY}/referrers/{digest_of(body)}")[0] == 200
        assert running.ask("PUT", f"/v2/{REPOSITORY}/manifests/2", body)[0] == 403
        assert running.end() == 0
    assert snapshot(tmp_path) == before


@pytest.mark.usefixtures("ctf")
def test_users_enter_with_their_password_over_tls(tmp_path):
    keys = Authority(tmp_path / "pki")
    pair = keys.issue("localhost", "127.0.0.1")
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    (tmp_path / "htpasswd").write_text(f"joe:{hashed}\n")
    options = ("--htpasswd", "htpasswd", "--tls-cert", pair.certificate, "--tls-key", pair.key)
    with serving("ctf", *options, cwd=tmp_path, authority=keys.certificate) as running:
        assert running.url.startswith("https://127.0.0.1:")
        status, headers, _body = running.ask("GET", f"/v2/{REPOSITORY}/tags/list")
        assert (status, headers["WWW-Authenticate"][:20]) == (401, 'Basic realm="ocm-pkg')
        for password, expected in (("wrong", 401), ("right", 200)):
            basic = base64.b64encode(f"joe:{password}".encode()).decode()
            status, _headers, body = running.ask(
                "GET", f"/v2/{REPOSITORY}/tags/list", Authorization=f"Basic {basic}"
            )
            assert status == expected
            assert (REPOSITORY in body.decode()) is (status == 200)
        assert running.end() == 0
        assert running.process.stderr.read() == ""


@pytest.mark.usefixtures("ctf")
def test_who_opens_it_to_other_machines_is_warned(tmp_path):
    with serving("ctf", "--listen", "0.0.0.0:0", cwd=tmp_path) as running:
        assert running.url.startswith("http://0.0.0.0:")
        assert running.end() == 0
        said = running.process.stderr.read()
    assert "other machines can reach 0.0.0.0, without TLS" in said
    assert "--htpasswd" in said


def test_several_servers_write_to_one_ctf(tmp_path):
    with ExitStack() as stack:
        servers = [
            stack.enter_context(serving("ctf", "--writable", cwd=tmp_path)) for _ in range(2)
        ]

        def put(number):
            running = servers[number % 2]
            running.push("many/tags", CONFIG)
            data = manifest(annotations={"number": str(number)})
            target = f"/v2/many/tags/manifests/v{number}"
            return running.ask("PUT", target, data, Content_Type=media.OCI_MANIFEST)[0]

        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(put, range(40))) == {201}
        for running in servers:
            tags = json.loads(running.ask("GET", "/v2/many/tags/tags/list")[2])["tags"]
            assert sorted(tags) == sorted(f"v{number}" for number in range(40))
            assert running.end() == 0
            assert running.process.stderr.read() == ""
    assert len(CTFStore(tmp_path / "ctf").tags("many/tags")) == 40
    assert [path.name for path in (tmp_path / "ctf").iterdir() if path.name[0] == "."] == []


def test_what_a_killed_server_left_is_removed_by_the_next_one_that_writes(tmp_path):
    with serving("ctf", "--writable", cwd=tmp_path) as running:
        running.push("a", b"first")
        place = running.ask("POST", "/v2/a/blobs/uploads/")[1]["Location"]
        assert running.ask("PATCH", place, b"half of it")[0] == 202
        running.process.kill()
    left = {path.name for path in (tmp_path / "ctf").iterdir()}
    assert len(left) == 2
    with serving("ctf", "--writable", cwd=tmp_path) as running:
        running.push("a", b"second")
        assert running.ask("GET", f"/v2/a/blobs/{digest_of(b'first')}")[2] == b"first"
        assert running.end() == 0
    assert [path.name for path in (tmp_path / "ctf").iterdir()] == ["blobs"]


def test_B01_a_large_blob_goes_up_and_down_in_little_memory(tmp_path):
    piece = bytes(1024 * 1024)
    digest = digest_of(piece * 150)

    def pieces():
        for _ in range(150):
            yield piece

    with serving("ctf", "--writable", cwd=tmp_path) as running:
        place = running.ask("POST", "/v2/a/blobs/uploads/")[1]["Location"]
        assert running.ask("PATCH", place, pieces())[0] == 202
        assert running.ask("PUT", f"{place}?digest={digest}")[0] == 201
        assert len(running.ask("GET", f"/v2/a/blobs/{digest}")[2]) == 150 * len(piece)
        status = Path(f"/proc/{running.process.pid}/status")
        if status.exists():
            [peak] = [line for line in status.read_text().splitlines() if "VmHWM" in line]
            assert int(peak.split()[1]) < 96 * 1024
        assert running.end() == 0
