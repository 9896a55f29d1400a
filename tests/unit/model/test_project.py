"""The project file: what it may say, and where a mistake in it is shown."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import ConfigError, InvalidDocumentError
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import is_inner_path, parse_project, parse_pyproject

YAML = """\
formatVersion: 1
component: example.com/plugins/hello
version: {from: pyproject}
provider: example.com
description: Says hello
build:
  builder: pyinstaller
  entry: src/hello/__main__.py
  requirements: requirements.lock
  exclude: [tkinter]
targets:
  - linux/amd64
  - {platform: windows/amd64, builder: prebuilt, path: out/hello.exe}
  - {platform: linux/riscv64, builder: command, run: [make, plugin], output: out/hello-riscv64}
  - {platform: macos/aarch64, entry: mac.py}
require: {all-targets: true, size-mb: 30}
assets: [{name: docs, path: docs, type: directoryTree}]
labels: {example.com/team: infra}
"""
TOML = """\
[project]
name = "x"

[tool.ocm-pkg]
formatVersion = 1
component = "example.com/plugins/hello"
version = "1.0.0"
provider = "example.com"
targets = ["linux/amd64"]

[tool.ocm-pkg.build]
entry = "a.py"
"""


def refused(text: str) -> InvalidDocumentError:
    with pytest.raises(InvalidDocumentError) as caught:
        parse_project(text, name="ocm-pkg.yaml")
    assert caught.value.exit_code == 2
    return caught.value


def test_where_it_is_published_is_a_repository_or_left_open():
    assert parse_project(YAML, name="x").publish_to is None
    assert parse_project(YAML + "publish: {}\n", name="x").publish_to is None
    project = parse_project(YAML + "publish: {to: ghcr.io/acme/ocm}\n", name="x")
    assert (project.publish_to.kind, project.publish_to.location) == ("oci", "ghcr.io/acme/ocm")
    project = parse_pyproject(TOML + '[tool.ocm-pkg.publish]\nto = "./ctf"\n', name="x")
    assert str(project.publish_to) == "./ctf"


def test_what_it_is_signed_with_is_a_name_and_perhaps_a_key():
    sign = parse_project(YAML, name="x").sign
    assert (sign.name, sign.key) == ("default", None)
    sign = parse_project(YAML + "sign: {name: acme, key: keys/acme.pem}\n", name="x").sign
    assert (sign.name, sign.key) == ("acme", "keys/acme.pem")


def test_a_project_has_its_defaults_filled_in():
    project = parse_project(YAML, name="ocm-pkg.yaml")
    assert (project.plugin_name, project.resource) == ("hello", "hello")
    assert project.version.source == "pyproject"
    assert [str(target.platform) for target in project.targets] == [
        "linux/amd64",
        "windows/amd64",
        "linux/riscv64",
        "darwin/arm64",
    ]
    linux, windows, riscv, mac = project.targets
    assert (linux.builder, linux.entry, linux.exclude) == (
        "pyinstaller",
        "src/hello/__main__.py",
        ("tkinter",),
    )
    assert (windows.builder, windows.path, windows.entry) == ("prebuilt", "out/hello.exe", None)
    assert (riscv.run, riscv.output) == (("make", "plugin"), "out/hello-riscv64")
    assert (mac.entry, mac.requirements) == ("mac.py", "requirements.lock")
    assert project.require.size_mb == 30
    assert project.assets[0].path == "docs"
    assert project.target(Platform("linux", "amd64")) is linux
    assert project.target(Platform("linux", "arm64")) is None


def test_binaries_are_named_after_plugin_and_platform():
    project = parse_project(YAML, name="x")
    assert project.binary_name(Platform("linux", "amd64")) == "hello.linux-amd64"
    assert project.binary_name(Platform("windows", "amd64")) == "hello.windows-amd64.exe"
    assert project.binary_name(Platform("windows", "amd64"), "dir") == "hello.windows-amd64.tar.gz"
    assert project.program_path(Platform("linux", "amd64")) == "hello/hello"
    assert project.program_path(Platform("windows", "amd64")) == "hello/hello.exe"


def test_what_every_binary_must_keep_to_is_read():
    limits = 'size-mb: 30, glibc-max: "2.36", startup-ms: 500'
    require = parse_project(YAML.replace("size-mb: 30", limits), name="x").require
    assert (require.glibc_max, require.startup_ms) == ("2.36", 500)


@pytest.mark.parametrize(
    ("version", "source", "name"),
    [
        ("1.2.0", "literal", "1.2.0"),
        ('"1.10"', "literal", "1.10"),
        ("{from: git}", "git", None),
        ("{from: env, name: VERSION}", "env", "VERSION"),
    ],
)
def test_a_version_has_one_of_four_sources(version, source, name):
    project = parse_project(YAML.replace("{from: pyproject}", version), name="x")
    assert (project.version.source, project.version.name) == (source, name)


@pytest.mark.parametrize(
    ("old", "new", "at", "says", "hint"),
    [
        ("exclude:", "exclud:", "10:3", "build.exclud is not a known key", "'exclude'"),
        ("assets:", "asets:", "17:1", "asets is not a known key", "'assets'"),
        ("platform: windows", "platfrom: windows", "13:6", "platfrom", "'platform'"),
        ("all-targets", "all_targets", "16:11", "all_targets", "'all-targets'"),
        ("linux/amd64", "linux/amd65", "12:5", "'amd65'", "amd64"),
        ("linux/amd64", "linux", "12:5", "'linux' is not a platform", "OS/ARCH"),
        ("builder: command", "builder: nuitka", "14:31", "'nuitka'", "prebuilt"),
        ("builder: pyinstaller", "builder: nuitka", "7:3", "'nuitka'", "pyinstaller"),
        ("{from: pyproject}", "1.10", "3:1", "version is a number", "1.10"),
        ("{from: pyproject}", "latest", "3:1", "not a version", "1.2.0"),
        ("{from: pyproject}", "{from: svn}", "3:11", "pyproject, git or env", None),
        ("{from: pyproject}", "{from: literal, name: 1.0.0}", "3:11", "pyproject, git", None),
        ("{from: pyproject}", "{from: env}", "3:1", "needs the name", "name: VERSION"),
        ("{from: pyproject}", "{from: git, name: x}", "3:1", "takes no name", None),
        ("{from: pyproject}", "[1]", "3:1", "must be a mapping", None),
        ("formatVersion: 1", "formatVersion: 2", "1:1", "newer than this", "update"),
        ("formatVersion: 1", "formatVersion: one", "1:1", "formatVersion", None),
        ("formatVersion: 1\n", "", "1:1", "no formatVersion", "formatVersion: 1"),
        ("size-mb: 30", "size-mb: -1", "16:30", "size-mb", None),
        ("size-mb: 30", "glibc-max: 2.36", "16:30", "glibc-max is a number", '"2.36"'),
        ("size-mb: 30", "glibc-max: new", "16:30", "'new' is not a version of glibc", "2.36"),
        ("size-mb: 30", "startup-ms: 0", "16:30", "startup-ms", None),
        ("labels:", "publish: {catalog: x}\nlabels:", "18:11", "catalog is not supported", None),
        ("labels:", 'publish: {to: "oci::"}\nlabels:', "18:11", "publish.to '' does not", None),
        ("labels:", "publish: {at: x}\nlabels:", "18:11", "at", "to"),
        ("labels:", "sign: {keys: x}\nlabels:", "18:8", "keys", "key"),
        ("provider: example.com", "provider: [a]", "4:1", "must be text", None),
        ("provider: example.com", 'provider: ""', "4:1", "must not be empty", None),
        ("run: [make, plugin]", "run: make", "14:49", "must be a list", None),
        ("run: [make, plugin], ", "", "14:5", "needs run", None),
        ("linux/riscv64", "linux/x86_64", "14:5", "second target for linux/amd64", None),
        ("out/hello.exe", "../hello.exe", "13:50", "no path inside", "without .."),
        ("docs, type", "/docs, type", "17:23", "no path inside", "without .."),
        ("  builder: pyi", "  shape: box\n  builder: pyi", "7:3", "'box' is not supp", "file"),
        ("prebuilt, path", "prebuilt, shape: bundle, path", "13:50", "'bundle'", "launcher"),
        ("linux/riscv64", "macos/arm64, shape: launcher", "14:5", "not made for darwin", "file"),
        ("prebuilt, path", "prebuilt, entry: x, path", "13:50", "is not read by", "path"),
        ("  builder: pyi", "  run: [x]\n  builder: pyi", "7:3", "is not read by", "entry"),
        ("  entry: src/hello/__main__.py\n", "", "11:5", "targets[0] needs entry", None),
        ("team: infra", "team: 1", "18:10", "neither text nor a mapping", "quote"),
        ("example.com/team", "ocm-pkg.dev/shape", "18:10", "set by ocm-pkg", "remove"),
        ("plugins/hello", "plugins/hel.lo", "2:1", "no dots", "hel-lo"),
        ("component: example.com", "component: Example.com", "2:1", "not a component", "lower"),
        ("plugins/hello", "plugins/h", "2:1", "cannot name a resource", "two or more"),
        ("name: docs", "name: Docs", "17:11", "cannot name a resource", "two or more"),
        ("name: docs", "name: hello", "17:11", "is taken by another", None),
        ("version: {", "resource: A\nversion: {", "3:1", "cannot name a resource", None),
    ],
)
def test_a_mistake_is_shown_where_it_is(old, new, at, says, hint):
    assert old in YAML
    error = refused(YAML.replace(old, new, 1))
    assert error.at == f"ocm-pkg.yaml:{at}"
    assert says in error.message
    assert hint is None or hint in str(error.hint)


def test_bad_yaml_names_line_and_column():
    error = refused(YAML.replace("[tkinter]", "[tkinter"))
    assert str(error.at).startswith("ocm-pkg.yaml:1")
    assert "not YAML" in error.message


@pytest.mark.parametrize("text", ["", "[]", "text", "1", "null"])
def test_a_file_that_is_no_mapping_is_refused(text):
    assert "no mapping" in refused(text).message


def test_targets_are_required():
    assert "targets" in refused(YAML.split("targets:", maxsplit=1)[0]).message


def test_a_pyproject_has_the_same_keys():
    project = parse_pyproject(TOML, name="pyproject.toml")
    assert project.plugin_name == "hello"
    assert project.targets[0].entry == "a.py"


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        ("entry", "entri", "12:1", "'entry'"),
        ("linux/amd64", "lunix/amd64", "9:1", "lunix"),
        ('"1.0.0"', "1.0", "7:1", "version is a number"),
        ('"example.com"\nt', "1979-05-27\nt", "", "date or time"),
        ("[project]", "[project", "1:9", "not TOML"),
    ],
)
def test_a_mistake_in_a_pyproject_is_shown_where_it_is(old, new, at, says):
    with pytest.raises(InvalidDocumentError) as caught:
        parse_pyproject(TOML.replace(old, new), name="pyproject.toml")
    assert caught.value.at == ":".join(filter(None, ["pyproject.toml", at]))
    assert says in f"{caught.value.message} {caught.value.hint}"


def test_a_pyproject_without_the_table_is_refused():
    with pytest.raises(ConfigError):
        parse_pyproject('[project]\nname = "x"\n', name="pyproject.toml")


@pytest.mark.parametrize("path", ["a", "a/b.c", "./a", "a b", "a..b"])
def test_inner_paths(path):
    assert is_inner_path(path)


@pytest.mark.parametrize(
    "path", ["", "/a", "..", "../a", "a/../../b", "a\\b", "C:a", "~/a", "-a", "a\nb", "a\x00"]
)
def test_paths_that_are_not_inner(path):
    assert not is_inner_path(path)
