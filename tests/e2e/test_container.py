"""Plugins built in a container, by buildah, from a Debian root: the same bytes, nothing left."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.buildah import Buildah, debian_root
from tests.fakes.certificates import Authority
from tests.fakes.command import Command
from tests.fakes.package_index import PackageIndex

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        sys.platform != "linux" or os.uname().machine != "x86_64",
        reason="the root is one for linux/amd64",
    ),
    pytest.mark.skipif(
        shutil.which("buildah") is None or shutil.which("mmdebstrap") is None,
        reason="needs buildah and mmdebstrap",
    ),
]
LONG = 300
ANSWERS = "HelloRepository/v1"


@pytest.fixture(scope="module")
def buildah(tmp_path_factory):
    store = Buildah(tmp_path_factory.mktemp("buildah"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def root(request):
    return debian_root("amd64", request.config)


@pytest.fixture(scope="module")
def image(buildah, root):
    return buildah.image("debian-python", "amd64", root)


@pytest.fixture
def command(tmp_path, buildah, root):
    """The command on a machine that has buildah, and of packages a folder of wheels."""
    found = tmp_path / "bin"
    found.mkdir()
    for tool in ("buildah", "git"):
        (found / tool).symlink_to(shutil.which(tool))
    made = Command(tmp_path / "home")
    made.environ.update(
        {
            **buildah.environ,
            "PATH": str(found),
            "PIP_FIND_LINKS": str(root.parent / "wheels"),
            "PIP_NO_INDEX": "1",
        }
    )
    return made


def project(command, folder, image, *, platform="linux/amd64", shape="dir", **build):
    folder.mkdir(parents=True)
    assert command("init", "hello", cwd=folder).code == 0
    settings = "".join(f", {key}: {value}" for key, value in build.items())
    (folder / "hello/ocm-pkg.yaml").write_text(
        "{formatVersion: 1, component: e.com/hello, version: 1.0.0, provider: p,"
        f" build: {{entry: src/hello_plugin/__main__.py{settings}}}, targets:"
        f" [{{platform: {platform}, builder: container, shape: {shape}, image: '{image}'}}]}}\n"
    )
    return folder / "hello"


def log_of(folder):
    (log,) = (folder / "dist/logs").iterdir()
    return log.read_text()


def test_the_same_sources_give_the_same_plugin_anywhere_also_at_once(
    command, tmp_path, image, buildah
):
    images = buildah.images()
    folders = [
        project(command, tmp_path / place, image) for place in ("one", "two/in a deeper place")
    ]

    def build(number):
        other = Command(tmp_path / f"home{number}")
        other.environ.update(command.environ)
        other.environ.update(
            {"TZ": ("UTC", "Asia/Tokyo")[number], "SOURCE_DATE_EPOCH": str(number + 1)}
        )
        for path in folders[number].rglob("*.py"):
            os.utime(path, (number + 1, number + 1))
            path.chmod((0o644, 0o600)[number])
        return other("--offline", "build", cwd=folders[number], timeout=LONG)

    with ThreadPoolExecutor(2) as executor:
        for ran in executor.map(build, range(2)):
            assert ran.code == 0, ran.err
    made = [
        {path.name: path.read_bytes() for path in (folder / "dist").iterdir() if path.is_file()}
        for folder in folders
    ]
    assert {"hello.linux-amd64.tar.gz", "hello.linux-amd64.cdx.json"} < made[0].keys()
    assert made[0] == made[1]
    (target,) = json.loads((folders[0] / "dist/part.json").read_bytes())["targets"]
    assert target["tools"]["image"] == image
    assert target["tools"]["pyinstaller"]
    assert target["glibc"]
    assert "buildah" not in json.dumps(target)
    tried = command("test", "-o", "json", cwd=folders[1])
    assert tried.code == 0, tried.err
    assert (buildah.containers(), buildah.images()) == ([], images)


def test_packages_come_over_tls_with_a_password_that_is_nowhere_to_be_seen(
    command, tmp_path, image, root
):
    authority = Authority(tmp_path / "ca")
    folder = project(command, tmp_path / "p", image, shape="file")
    with PackageIndex(
        root.parent / "wheels", authority.issue("127.0.0.1"), "robot", "hunter2"
    ) as index:
        command.environ.update({"PIP_INDEX_URL": index.url, "PIP_CERT": str(authority.certificate)})
        for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
            del command.environ[name]
        ran = command("build", cwd=folder, timeout=LONG)
    assert ran.code == 0, ran.err
    assert index.asked
    said = [ran.out, ran.err, log_of(folder), (folder / "dist/part.json").read_text()]
    assert not [text for text in said if "hunter2" in text]
    program = folder / "dist/hello.linux-amd64"
    done = subprocess.run([program, "capabilities"], capture_output=True, check=True, timeout=60)
    assert ANSWERS in json.loads(done.stdout)["type"]


def test_a_failed_build_shows_its_end_and_leaves_no_container(command, tmp_path, image, buildah):
    images = buildah.images()
    folder = project(command, tmp_path / "p", image, requirements="a.lock")
    (folder / "a.lock").write_text(f"absent==1.0 --hash=sha256:{'0' * 64}\n")
    ran = command("build", cwd=folder, timeout=LONG)
    assert ran.code == 6
    assert "pip could not install requirements.lock" in ran.err
    assert "No matching distribution found for absent" in ran.err
    assert "No matching distribution found for absent" in log_of(folder)
    assert not (folder / "dist/part.json").exists()
    assert (buildah.containers(), buildah.images()) == ([], images)


def test_an_image_that_cannot_be_had_is_named(command, tmp_path):
    image = f"127.0.0.1:9/absent@sha256:{'0' * 64}"
    ran = command("build", cwd=project(command, tmp_path / "p", image), timeout=LONG)
    assert ran.code == 6
    assert f"the image {image} could not be had" in ran.err
    assert "connection refused" in ran.err
    assert "log in" in ran.err


def test_an_image_without_python_is_named(command, tmp_path, buildah):
    image = buildah.image("empty", "amd64")
    ran = command("build", cwd=project(command, tmp_path / "p", image), timeout=LONG)
    assert ran.code == 6
    assert f"{image} has no python3" in ran.err


def test_an_image_that_is_not_for_the_target_is_named(command, tmp_path, image):
    folder = project(command, tmp_path / "p", image, platform="linux/386", shape="file")
    ran = command("--offline", "build", cwd=folder, timeout=LONG)
    assert ran.code == 6
    assert f"the image {image} could not be had for linux/386" in ran.err
    assert not list((folder / "dist").glob("hello*"))


def is_running_step(_buildah):
    """Whether a step of a build is running in its container."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b"/build/tool/freeze-in-container.py" in file.read_bytes():
                return True
    return False


@pytest.mark.parametrize("reached", [Buildah.containers, is_running_step])
def test_an_interrupted_build_leaves_no_container(command, tmp_path, image, buildah, reached):
    folder, images = project(command, tmp_path / "p", image), buildah.images()
    child = subprocess.Popen(
        [sys.executable, "-m", "ocm_pkg", "build"],
        cwd=folder,
        env=command.environ,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not reached(buildah) and time.monotonic() < deadline:
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == 130
    assert (buildah.containers(), buildah.images()) == ([], images)
    assert [path.name for path in (folder / "dist").iterdir()] == ["logs"]
