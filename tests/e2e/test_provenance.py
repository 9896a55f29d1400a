"""From the build to the registry: SBOM, licence texts and provenance, the same wherever built."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from ocm_pkg.fs.blob import FileBlob, verify
from ocm_pkg.model.provenance import Provenance
from tests.fakes.command import Command
from tests.fakes.serve_command import serving
from tests.fakes.shown import Shell, commands
from tests.fakes.trees import snapshot

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which("objdump") is None or shutil.which("git") is None,
        reason="needs Linux with binutils and git",
    ),
]
ORIGIN = "https://somebody:s3cret@git.example.com/acme/plugins.git"
NAME = "example.com/plugins/hello"
SOURCE = "src/hello_plugin/__main__.py"


def git(folder, *words):
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    environ = {"PATH": str(Path(shutil.which("git")).parent), "HOME": str(folder)}
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, env=environ, check=True, capture_output=True
    )
    return done.stdout.decode().strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository of git with a project that needs one package, built as a folder."""
    root = tmp_path_factory.mktemp("provenance")
    command = Command(root / "home")
    assert command("init", "hello", cwd=root).code == 0
    source = root / "hello" / SOURCE
    source.write_text(source.read_text().replace("plugin =", "import altgraph\n\nplugin =", 1))
    (root / ".gitignore").write_text("/home/\n")
    git(root, "init", "-q")
    git(root, "remote", "add", "origin", ORIGIN)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    ran = command("build", "--shape", "dir", cwd=root / "hello", timeout=150)
    assert ran.code == 0, ran.err
    assert "without an SBOM" not in ran.err
    return root


@pytest.fixture(scope="module")
def packaged(repository):
    """The same, packaged into ``ctf``."""
    ran = Command(repository / "home")("package", cwd=repository / "hello")
    assert ran.code == 0, ran.err
    return repository / "hello"


def one(folder, pattern):
    (path,) = (folder / "dist").glob(pattern)
    return path


def test_the_sbom_lists_what_is_in_the_binary_and_not_what_is_installed(repository):
    sbom = json.loads(one(repository / "hello", "*.cdx.json").read_bytes())
    names = [entry["name"] for entry in sbom["components"]]
    assert names == ["altgraph", "ocm-pkg", "pyinstaller", "python"]
    digest, _size = verify(FileBlob(one(repository / "hello", "*64.tar.gz")))
    main = sbom["metadata"]["component"]
    assert (main["name"], main["hashes"][0]["content"]) == (NAME, digest.hex)


def test_every_package_of_the_sbom_has_its_licence_texts(repository):
    data = one(repository / "hello", "*.licences.tar.gz").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        folders = {name.rpartition("-")[0] for name in archive.getnames() if "/" not in name}
        texts = [member for member in archive if member.isfile()]
    assert folders == {"altgraph", "ocm-pkg", "pyinstaller", "python"}
    assert all(member.size for member in texts)


def test_the_provenance_leads_to_the_commit_and_names_the_tools(packaged):
    provenance = Provenance.parse(one(packaged, "*.provenance.json").read_bytes(), name="x")
    digest, _size = verify(FileBlob(one(packaged, "*64.tar.gz")))
    assert provenance.digest == digest
    assert provenance.location.repository == "https://git.example.com/acme/plugins.git"
    assert provenance.location.folder == "hello"
    assert provenance.commit == git(packaged, "rev-parse", "HEAD")
    assert {"python", "python-digest", "python-zlib", "zlib", "pyinstaller", "cyclonedx-bom"} <= {
        *provenance.tools
    }


def test_no_credentials_of_the_repository_are_in_anything_that_is_published(packaged):
    found = [path for path in packaged.rglob("*") if path.is_file() and ".git" not in path.parts]
    assert found
    assert not [path for path in found if b"s3cret" in path.read_bytes()]


def test_the_component_version_has_them_as_resources_and_is_a_plugin_still(packaged):
    command = Command(packaged.parent / "home")
    shown = command("describe", "cv", f"./ctf//{NAME}", "-o", "json", cwd=packaged).json
    assert [(entry["name"], entry["type"]) for entry in shown["resources"]] == [
        ("hello", "ocmPlugin"),
        ("hello-sbom", "sbom"),
        ("hello-licences", "licences"),
        ("hello-provenance", "provenance"),
    ]
    assert [entry["name"] for entry in shown["sources"]] == ["source"]
    words = ("plugin", "install", f"./ctf//{NAME}", "--allow-unsigned")
    ran = command(*words, cwd=packaged)
    assert ran.code == 0, ran.err


def test_in_a_registry_they_refer_to_the_component_version(packaged, tmp_path):
    command = Command(packaged.parent / "home")
    with serving("served", "--writable", cwd=tmp_path) as registry:
        to = f"{registry.url}/acme"
        assert command("publish", "--to", to, cwd=packaged).code == 0
        words = ("describe", "cv", f"{to}//{NAME}", "-o", "json")
        attached = command(*words, cwd=packaged).json["attachments"]
        assert [(entry["artifactType"], entry["title"]) for entry in attached] == [
            ("application/vnd.cyclonedx+json", "hello-sbom.linux-amd64.json"),
            ("application/vnd.in-toto+json", "hello-provenance.linux-amd64.json"),
        ]
        before = snapshot(tmp_path / "served")
        again = command("publish", "--to", to, cwd=packaged)
        assert "nothing sent" in again.err
        assert snapshot(tmp_path / "served") == before


def test_what_is_written_about_provenance_works(packaged, tmp_path):
    folder = tmp_path / "hello"
    shutil.copytree(packaged, folder, ignore=shutil.ignore_patterns("ctf"))
    shell = Shell(tmp_path)
    shell.cwd = folder
    lines = commands("docs/provenance.md")
    assert lines[0] == "ocm-pkg package"
    for line in lines:
        shell.run(line)
    assert json.loads((folder / "sbom.cdx.json").read_bytes())["bomFormat"] == "CycloneDX"


def test_the_sbom_is_valid(repository):
    validation = pytest.importorskip("cyclonedx.validation.json", reason="needs cyclonedx-bom")
    schema = pytest.importorskip("cyclonedx.schema", reason="needs cyclonedx-bom")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    text = one(repository / "hello", "*.cdx.json").read_text()
    assert validator.validate_str(text) is None


def someone_else() -> list[str]:
    """Return the words that run a command as another user, if that can be."""
    words = ["unshare", "--user", "--map-user=1234", "--map-group=1234"]
    try:
        done = subprocess.run([*words, "id", "-u"], capture_output=True, check=False)
    except OSError:
        pytest.skip("needs unshare")
    if done.stdout.strip() != b"1234":
        pytest.skip("needs user namespaces")
    return words


def test_the_same_commit_gives_the_same_bytes_in_another_folder_time_user_and_umask(
    repository, packaged, tmp_path
):
    place = tmp_path / "another folder" / "deeper"
    place.parent.mkdir()
    git(tmp_path, "clone", "-q", str(repository), str(place))
    git(place, "remote", "set-url", "origin", "https://git.example.com/acme/plugins.git")
    for number, path in enumerate(sorted(place.rglob("*.py"))):
        subprocess.run(["touch", "-d", f"@{number + 1}", path], check=True)
    other = [*someone_else(), "sh", "-c", 'umask 077; exec "$@"', "sh", sys.executable]
    command = Command(tmp_path / "other home", [*other, "-m", "ocm_pkg"])
    command.environ |= {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "USER": "somebody"}
    ran = command("build", "--shape", "dir", cwd=place / "hello", timeout=150)
    assert ran.code == 0, ran.err
    assert command("package", cwd=place / "hello").code == 0
    made = {path.name: path.read_bytes() for path in (place / "hello/dist").glob("*.*")}
    assert made == {path.name: path.read_bytes() for path in (packaged / "dist").glob("*.*")}
    descriptor = ("get", "cv", f"./ctf//{NAME}", "-o", "json")
    theirs = command(*descriptor, cwd=place / "hello").json
    assert theirs == Command(repository / "home")(*descriptor, cwd=packaged).json
