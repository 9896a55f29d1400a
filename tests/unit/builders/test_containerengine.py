"""Which container engine is taken, what it is called with, and what keeps it from building."""

from __future__ import annotations

import pytest

from ocm_pkg.builders import containerengine
from ocm_pkg.builders.containerengine import Engine, Engines
from ocm_pkg.model.platform import Platform

LINUX, ARM = Platform("linux", "amd64"), Platform("linux", "arm64")
BASE = "localhost/ocm-pkg-00"
TO = ["--platform", "linux/arm64"]
COMMON = [
    *(*TO, "--secret", "id=pip,src=pip.conf", "--output", "type=local,dest=result"),
    *("--file", "context/Containerfile", "context"),
]
OWN = ["--layers=false", "--force-rm"]
FROM = [*TO, "--tag", BASE, "--file", "context/Containerfile.base", "context"]
IMAGE = "example.com/py@sha256:00"
THEN = ["--from", BASE, "--iidfile", "image", *COMMON]
INSPECT = """\
Name:   multi
Nodes:
Platforms: linux/amd64*, linux/amd64/v2, linux/386
Platforms: linux/arm64
"""
ENTRY = """\
enabled
interpreter /usr/bin/qemu-aarch64-static
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose engines are those that are named, and answer what ``says`` has."""
    says = {}
    path = tmp_path / "bin"
    path.mkdir()

    def ask(argv, _env, _timeout=0):
        words = " ".join([argv[0].rpartition("/")[2], *argv[1:]])
        return next((answer for key, answer in says.items() if words.startswith(key)), (0, ""))

    def engines(*names, **environ):
        for name in names:
            (path / name).touch(0o755)
        return Engines({"PATH": str(path), **environ}, tmp_path / "binfmt")

    monkeypatch.setattr(containerengine, "_ask", ask)
    return engines, says


def test_docker_builds_with_buildx():
    env = {"HTTPS_PROXY": "http://name:password@proxy"}
    docker = Engine("docker", "/bin/docker")
    assert docker.fetch(ARM, IMAGE, BASE, offline=False) is None
    assert docker.tag("", BASE) is None
    argv = docker.build(ARM, BASE, env, offline=False)
    proxy = ["--build-arg", "HTTPS_PROXY"]
    assert argv == ["/bin/docker", "buildx", "build", "--progress", "plain", *proxy, *COMMON]


@pytest.mark.parametrize(
    ("offline", "closed"), [(False, []), (True, ["--pull=never", "--network=none"])]
)
def test_podman_builds_without_layers_from_a_name_of_this_build(offline, closed):
    podman = Engine("podman", "/bin/podman")
    start = ["/bin/podman", "build", "--security-opt=label=disable", *closed, *OWN]
    assert podman.fetch(ARM, IMAGE, BASE, offline=offline) == [*start, *FROM]
    assert podman.tag(f"{'0' * 64}\n", BASE) is None
    assert podman.build(ARM, BASE, {}, offline=offline) == [*start, *THEN]


@pytest.mark.parametrize(("offline", "policy"), [(False, "missing"), (True, "never")])
def test_buildah_builds_in_a_changed_root_from_a_name_of_this_build(offline, policy):
    buildah = Engine("buildah", "/bin/buildah")
    pull = ["/bin/buildah", "pull", *TO, "--policy", policy, IMAGE]
    assert buildah.fetch(ARM, IMAGE, BASE, offline=offline) == pull
    identity = "0a" * 32
    said = f"{identity}\nGetting image source signatures\n"
    assert buildah.tag(said, BASE) == ["/bin/buildah", "tag", identity, BASE]
    start = ["/bin/buildah", "bud", "--isolation", "chroot", "--pull=never", *OWN]
    assert buildah.build(ARM, BASE, {}, offline=offline) == [*start, *THEN]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("buildah", "docker", "podman"), "docker"),
        (("buildah", "podman"), "podman"),
        (("buildah",), "buildah"),
    ],
)
def test_the_first_engine_is_taken(machine, names, found):
    engines, _says = machine
    made = engines(*names)
    assert (made.engine.name, made.problem) == (found, "")


@pytest.mark.parametrize("asked", ["docker buildx version", "docker info"])
def test_a_docker_that_cannot_build_is_passed_over(machine, asked):
    engines, says = machine
    says[asked] = (1, "no daemon")
    assert engines("docker", "buildah").engine.name == "buildah"


@pytest.mark.parametrize(
    ("name", "asked", "reason"),
    [
        ("docker", "docker buildx version", "docker has no buildx"),
        ("docker", "docker info", "docker's daemon does not answer (no daemon)"),
        ("podman", "podman version", "podman does not answer (no daemon)"),
    ],
)
def test_an_engine_that_does_not_answer_is_the_reason(machine, name, asked, reason):
    engines, says = machine
    says[asked] = (None, "no daemon")
    made = engines(name)
    assert made.engine is None
    assert made.missing(LINUX, LINUX) == f"no container engine can be used here: {reason}"


def test_without_an_engine_all_three_are_named(machine):
    engines, _says = machine
    problem = engines().missing(LINUX, LINUX)
    assert all(name in problem for name in ("docker", "podman", "buildah"))
    assert "\n" not in problem


def test_a_builder_elsewhere_needs_no_daemon_here(machine):
    engines, says = machine
    says["docker info"] = (1, "no daemon")
    assert engines("docker", BUILDX_BUILDER="farm").engine.name == "docker"


def test_buildx_says_for_what_it_has_nodes(machine):
    engines, says = machine
    says["docker buildx inspect"] = (0, INSPECT)
    made = engines("docker")
    assert made.missing(ARM, LINUX) is None
    problem = made.missing(Platform("linux", "s390x"), LINUX)
    assert "linux/s390x" in problem
    assert "linux/386, linux/amd64, linux/arm64 (" in problem


@pytest.mark.parametrize("answer", [(0, "Name: x\nPlatforms:\n"), (1, INSPECT)])
def test_a_builder_that_was_not_started_is_believed(machine, answer):
    engines, says = machine
    says["docker buildx inspect"] = answer
    assert engines("docker").missing(Platform("linux", "s390x"), LINUX) is None


@pytest.mark.parametrize("name", ["podman", "buildah"])
def test_a_foreign_architecture_needs_an_emulator(machine, tmp_path, name):
    engines, _says = machine
    made = engines(name)
    assert made.missing(LINUX, LINUX) is None
    assert made.missing(Platform("linux", "386"), LINUX) is None
    problem = made.missing(ARM, LINUX)
    assert "binfmt_misc" in problem
    assert "qemu-user-static" in problem
    assert "\n" not in problem
    (tmp_path / "binfmt").mkdir()
    (tmp_path / "binfmt/status").write_text("enabled\n")
    (tmp_path / "binfmt/qemu-aarch64").write_text(ENTRY)
    assert made.missing(ARM, LINUX) is None


@pytest.mark.parametrize(
    ("host", "environ"),
    [(Platform("darwin", "arm64"), {}), (LINUX, {"CONTAINER_HOST": "ssh://example.com"})],
)
def test_of_another_kernel_nothing_is_known(machine, host, environ):
    engines, _says = machine
    assert engines("podman", **environ).missing(Platform("linux", "s390x"), host) is None


def test_an_engine_gets_its_settings_and_no_secrets(machine):
    engines, _says = machine
    environ = {
        "TOKEN": "s",
        "SOURCE_DATE_EPOCH": "1",
        "PIP_INDEX_URL": "https://name:password@example.com",
        "DOCKER_HOST": "unix:///d",
    }
    env = engines("docker", **environ).env
    assert env["DOCKER_HOST"] == "unix:///d"
    assert env["BUILDX_NO_DEFAULT_ATTESTATIONS"] == "1"
    assert not {"TOKEN", "SOURCE_DATE_EPOCH", "PIP_INDEX_URL"} & env.keys()


@pytest.mark.parametrize(("name", "force"), [("buildah", []), ("podman", ["--force"])])
def test_what_was_made_on_the_way_is_removed(tmp_path, monkeypatch, name, force):
    asked = []
    monkeypatch.setattr(containerengine, "_ask", lambda argv, *_rest: asked.append(argv))
    engine = Engine(name, f"/bin/{name}")
    container = [f"/bin/{name}", "rm", *force, "ocm-pkg-00-working-container"]
    engine.clean(tmp_path, BASE, {})
    assert asked == [container, [f"/bin/{name}", "rmi", BASE]]
    asked.clear()
    (tmp_path / "image").write_text("sha256:00\n")
    engine.clean(tmp_path, BASE, {})
    assert asked == [container, *([f"/bin/{name}", "rmi", each] for each in ("sha256:00", BASE))]


def test_docker_leaves_nothing_to_remove(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(containerengine, "_ask", lambda argv, *_rest: asked.append(argv))
    Engine("docker", "/bin/docker").clean(tmp_path, BASE, {})
    assert not asked
