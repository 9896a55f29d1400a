"""The pipelines that `init` writes release a plugin; each secret is in the one job that uses it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.model import yamltext
from ocm_pkg.model.binary import HEADER_BYTES, sniff_platform
from tests.fakes.binaries import macho, pe
from tests.fakes.command import Command
from tests.fakes.docker_registry import htpasswd_file
from tests.fakes.golang import GO, cache_home
from tests.fakes.pipelines import GitHub, GitLab, JobFailedError
from tests.fakes.serve_command import serving
from tests.fakes.shown import Shell, commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.pipelines import Service

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or GO is None, reason="needs go"),
    pytest.mark.timeout(900),  # Go compiles its own packages first, once on each machine
]
PASSWORD = "a password of the registry"  # noqa: S105 - of one that runs here
COMPONENT = "example.com/plugins/hello"
HOST = str(sniff_platform(Path(sys.executable).resolve().read_bytes()[:HEADER_BYTES]))
FILES = {"darwin/arm64": macho(), "windows/amd64": pe()}
PLATFORMS = {HOST, *FILES}
RUNNERS = {
    "ubuntu-24.04": HOST,
    "ubuntu-22.04": HOST,
    "ubuntu-22.04-arm": HOST,
    "macos-15": "darwin/arm64",
    "windows-2022": "windows/amd64",
}
SERVICES = {"github": GitHub, "gitlab": GitLab}
BUILDER = """\
from ocm_pkg.builders.result import take

class Native:
    def __init__(self, environ):
        self.machine = environ.get("FAKE_MACHINE")
    def missing(self, target, host):
        return None if str(target.platform) == self.machine else f"run this on {target.platform}"
    def build(self, job):
        return take(job, job.folder / job.target.settings["from"], {"native": "1.0"})
"""
PROJECT = f"""\
formatVersion: 1
component: {COMPONENT}
version: {{from: git}}
provider: example.com
targets:
  - {{platform: {HOST}, builder: command, shape: file, run: [sh, build.sh], output: out/hello}}
  - {{platform: darwin/arm64, builder: native, shape: file, settings: {{from: darwin-arm64}}}}
  - {{platform: windows/amd64, builder: native, shape: file, settings: {{from: windows-amd64}}}}
"""
MATRIX = f"""\
      - MACHINE: {HOST}
        RUNNER: its-own
      - MACHINE: darwin/arm64
        RUNNER: saas-macos-medium-m1
      - MACHINE: windows/amd64
        RUNNER: saas-windows-medium-amd64
"""


@dataclass
class Shop:
    """A repository with both pipelines, a key, and a builder that needs the right machine."""

    root: Path
    command: Command

    @property
    def source(self) -> Path:
        return self.root / "hello"

    @property
    def key(self) -> str:
        return (self.root / "release.private.pem").read_text()

    def git(self, *words: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        subprocess.run(["git", *who, *words], cwd=self.source, check=True, capture_output=True)

    def commit(self, *tags: str) -> None:
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", "change")
        for tag in tags:
            self.git("tag", tag)

    def service(self, name: str, folder: Path, tag: str, to: str = "") -> Service:
        return SERVICES[name](
            folder,
            self.source,
            tag,
            secrets={
                "signing": {"SIGNING_KEY": self.key},
                "publishing": {"REGISTRY_USER": "me", "REGISTRY_PASSWORD": PASSWORD},
            },
            variables={"PUBLISH_TO": to},
            machines=RUNNERS,
            host=HOST,
            environ={
                "PYTHONPATH": self.command.environ["PYTHONPATH"],
                "XDG_CACHE_HOME": cache_home(),
            },
        )


@pytest.fixture(scope="module", params=["python", pytest.param("go", marks=pytest.mark.slow)])
def shop(tmp_path_factory, request) -> Shop:
    root = tmp_path_factory.mktemp("shop")
    command = Command(root / "home")
    packages = root / "packages"
    info = packages / "native-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: native\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ocm_pkg.builders]\nnative = native_builder:Native\n")
    (packages / "native_builder.py").write_text(BUILDER)
    command.environ["PYTHONPATH"] += f":{packages}"
    made = Shop(root, command)
    assert command("init", "hello", "--template", "go", "--ci", "none", cwd=root).code == 0
    words = ("init", "pipelines", "--name", "hello", "--template", request.param)
    for path in command(*words, "-o", "json", cwd=root).json["files"]:
        if "release" in path or "gitlab" in path:
            target = made.source / Path(path).relative_to("pipelines")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((root / path).read_bytes())
    assert command("key", "new", "release", "--out", ".", cwd=root).code == 0
    (made.source / "release.public.pem").write_bytes((root / "release.public.pem").read_bytes())
    (made.source / "ocm-pkg.yaml").write_text(PROJECT)
    for platform, data in FILES.items():
        (made.source / platform.replace("/", "-")).write_bytes(data)
    pipeline = made.source / ".gitlab-ci.yml"
    text = re.sub(r"      - MACHINE: .*\n        RUNNER: .*\n", MATRIX, pipeline.read_text())
    pipeline.write_text(text)
    made.git("init", "-q")
    made.commit("v1.2.0")
    return made


@dataclass
class Released:
    """What a run of one pipeline has left."""

    shop: Shop
    service: Service
    repository: str

    def show(self, *words: str) -> Any:
        ran = self.shop.command(*words, "-o", "json", cwd=self.shop.root)
        assert ran.code == 0, ran.err
        return ran.json


@pytest.fixture(scope="module", params=["github", pytest.param("gitlab", marks=pytest.mark.slow)])
def released(shop, request, tmp_path_factory) -> Iterator[Released]:
    root = tmp_path_factory.mktemp(request.param)
    (root / "htpasswd").write_text(htpasswd_file({"me": PASSWORD}))
    with serving("ctf", "--writable", "--htpasswd", "htpasswd", cwd=root) as registry:
        service = shop.service(request.param, root / "run", "v1.2.0", f"{registry.url}/base")
        service.run()
        login = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
        docker = shop.root / "home/.docker"
        docker.mkdir(parents=True, exist_ok=True)
        host = registry.url.partition("//")[2]
        (docker / "config.json").write_text(json.dumps({"auths": {host: {"auth": login}}}))
        yield Released(shop, service, f"{registry.url}/base")


def jobs(service: Service, command: str) -> set[str]:
    return {line.split()[0] for line in service.notes() if f" ocm-pkg {command}" in line}


def test_the_release_is_published_and_signed(released):
    reference = f"{released.repository}//{COMPONENT}:1.2.0"
    key = str(released.shop.source / "release.public.pem")
    assert released.show("verify", "cv", reference, "--key", key)["result"] == "ok"
    (descriptor,) = released.show("get", "cv", reference)
    offered = {
        f"{each['extraIdentity']['os']}/{each['extraIdentity']['architecture']}"
        for each in descriptor["component"]["resources"]
        if each["type"] == "ocmPlugin"
    }
    assert offered == PLATFORMS


def test_each_machine_builds_and_tests_its_own_target(released):
    for verb in ("build", "test"):
        built = [line for line in released.service.notes() if f" ocm-pkg {verb} --target" in line]
        assert sorted(built) == sorted(
            f"build-{platform.replace('/', '-')} ocm-pkg {verb} --target {platform}"
            for platform in PLATFORMS
        )


def test_one_job_writes_the_descriptor_and_one_publishes(released):
    service = released.service
    assert jobs(service, "merge") == jobs(service, "package") == {"merge"}
    assert jobs(service, "sign") == {"sign"}
    assert jobs(service, "publish") == jobs(service, "login") == {"publish"}
    assert jobs(service, "verify") == {"publish"}
    assert jobs(service, "build --plan") == {"plan"}


def test_secrets_are_in_the_one_job_that_uses_them(released):
    key, service = released.shop.key, released.service
    assert {job for job, values in service.saw.items() if PASSWORD in values} == {"publish"}
    holders = {job for job, values in service.saw.items() if key in values}
    files = {
        job for job, values in service.saw.items() if str(service.root / "signing-key") in values
    }
    assert holders | files == {"sign"}


def test_no_job_leaves_a_secret_behind(released):
    login = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    secrets = [released.shop.key.splitlines()[1], PASSWORD, login]
    secret = re.compile("|".join(map(re.escape, secrets)).encode())
    given = released.service.root / "signing-key"  # GitLab's own, a file of that job
    left = [
        path
        for path in released.service.root.rglob("*")
        if path.is_file() and path != given and secret.search(path.read_bytes())
    ]
    assert left == []


def test_every_job_installs_what_is_pinned_and_nothing_else(released):
    installed = {line for line in released.service.notes() if " pip " in line}
    tail = "pip -m pip install --requirement requirements-release.txt"
    assert installed == {f"{line.split()[0]} {tail}" for line in released.service.notes()}


@pytest.mark.parametrize("name", SERVICES)
def test_a_tag_that_is_not_the_projects_version_ends_the_plan(shop, tmp_path, name):
    shop.git("tag", "-f", "vnext")
    with pytest.raises(JobFailedError, match="the tag says next, but the project's"):
        shop.service(name, tmp_path / "run", "vnext").run()


@pytest.mark.parametrize("name", SERVICES)
def test_a_machine_without_a_runner_ends_the_plan(shop, tmp_path, name):
    project = shop.source / "ocm-pkg.yaml"
    before = project.read_text()
    try:
        target = "{platform: linux/riscv64, builder: native, shape: file, settings: {from: x}}"
        project.write_text(f"{before}  - {target}\n")
        shop.commit(f"v9.0.0-{name}")
    finally:
        project.write_text(before)
        shop.commit()
    with pytest.raises(JobFailedError, match="no runner is known for linux/riscv64: add it to"):
        shop.service(name, tmp_path / "run", f"v9.0.0-{name}").run()


def test_the_workflow_gives_its_jobs_no_more_than_reading(shop):
    text = (shop.source / ".github/workflows/release.yml").read_text()
    document: Any = yamltext.load(text, name="x").value
    assert document["permissions"] == {}
    assert document["on"] == {"push": {"tags": ["v*"]}}
    for name, job in document["jobs"].items():
        assert job["permissions"] == {"contents": "read"}
        said = set(re.findall(r"secrets\.([A-Z_]+)", str(job)))
        assert said == {
            "sign": {"SIGNING_KEY"},
            "publish": {"REGISTRY_USER", "REGISTRY_PASSWORD"},
        }.get(name, set())


def test_actions_are_pinned_by_their_commits_and_say_which_version_that_is(shop):
    text = (shop.source / ".github/workflows/release.yml").read_text()
    used = [line for line in text.splitlines() if "uses:" in line]
    pinned = re.compile(r" +- uses: actions/[a-z-]+@[0-9a-f]{40} # v[0-9]+\.[0-9]+\.[0-9]+")
    assert len(used) >= 14
    assert [line for line in used if not pinned.fullmatch(line)] == []
    assert len({line.split("uses: ")[1].split("@")[0] for line in used}) == len(
        {line.split("uses: ")[1] for line in used}
    )
    assert [line for line in text.splitlines() if "uses: actions/checkout" in line]
    assert "persist-credentials: true" not in text


def test_no_expression_is_put_into_a_script(shop):
    text = (shop.source / ".github/workflows/release.yml").read_text()
    document: Any = yamltext.load(text, name="x").value
    scripts = [
        step["run"] for job in document["jobs"].values() for step in job["steps"] if "run" in step
    ]
    assert len(scripts) >= 10
    assert [script for script in scripts if "${{" in script] == []


def test_what_is_written_about_pipelines_works(tmp_path):
    shell = Shell(tmp_path)
    lines = commands("docs/ci.md")
    assert len(lines) >= 4
    for line in lines:
        shell.run(line)
    assert (tmp_path / "hello/.github/workflows/release.yml").is_file()
